import type { ContactEvent } from "../../kernel/events.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import type { Contact } from "../../kernel/services.ts";
import type { Change } from "../../kernel/store.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import type { Timer } from "../../world/world.ts";
import { type Binding, CONTACTS, permanentContact, readBinding, writeBinding } from "./binding.ts";

export type ContactChange = "added" | "refreshed" | "removed" | "status";
export type ContactListener = (contact: Contact, what: ContactChange) => void;

type Host = Pick<ModuleContext<unknown>, "events" | "log" | "metrics" | "store" | "world">;

/** What lives only in this process and outlasts a reload of the module: read when the new one has loaded its rows. */
export class Handover {
  constructor(readonly bindings: Bindings) {}
}

/** Every contact in memory, over the rows of the store: what is here was stored first. */
export class Bindings {
  /** False until the store was read: nobody knows what is registered. */
  loaded = false;
  readonly #byAor = new Map<string, Map<string, Binding>>();
  readonly #byId = new Map<string, Binding>();
  readonly #permanent = new Map<string, readonly Contact[]>(); // by aor
  readonly #permanentById = new Map<string, Contact>();
  readonly #flows = new Map<string, { readonly flow: Flow; readonly stop: () => void }>(); // by contact id
  readonly #listeners = new Set<ContactListener>();
  /** Contact ids by the whole second (monotonic) they expire in. */
  readonly #wheel = new Map<number, Set<string>>();
  #timer: { readonly second: number; readonly timer: Timer } | undefined;

  /** `expired` and `closed` run off the timer and I/O callbacks; they queue the removal. */
  constructor(
    readonly host: Host,
    readonly due: { expired(contact: Contact): void; closed(contact: Contact, flow: Flow): void },
  ) {}

  get size(): number {
    return this.#byId.size;
  }

  /** Not expired, in the order they were added. */
  of(aor: string): readonly Binding[] {
    const now = this.host.world.now();
    return [...this.#byAor.get(aor)?.values() ?? []].filter((binding) => binding.until > now);
  }

  get(id: string): Binding | undefined {
    return this.#byId.get(id);
  }

  permanent(aor: string): readonly Contact[] {
    return this.#permanent.get(aor) ?? [];
  }

  /** Registered and permanent. */
  contacts(aor: string): readonly Contact[] {
    return [...this.permanent(aor), ...this.of(aor).map((binding) => binding.contact)];
  }

  get all(): readonly Contact[] {
    const now = this.host.world.now();
    const registered = [...this.#byId.values()].filter((binding) => binding.until > now);
    return [...this.#permanentById.values(), ...registered.map((binding) => binding.contact)];
  }

  /** Expired and still here. */
  get overdue(): readonly Contact[] {
    const now = this.host.world.now();
    return [...this.#byId.values()].filter((binding) => binding.until <= now).map((binding) => binding.contact);
  }

  /** Whole seconds left of a registered contact. */
  secondsLeft(id: string): number | undefined {
    const binding = this.#byId.get(id);
    return binding && Math.max(0, Math.floor((binding.until - this.host.world.now()) / 1000));
  }

  listen(listener: ContactListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the store; false when it is away. `kept`: what the module knew before its own reload. */
  async load(kept: Handover | undefined): Promise<boolean> {
    const rows = await this.host.store.list(CONTACTS);
    if (rows.kind === "unavailable") return false;
    const dropped: Change[] = [];
    for (const row of rows.kind === "found" ? rows.value : []) {
      const binding = readBinding(row, this.host.world);
      if (!binding) {
        this.host.log.warning("a stored contact cannot be read and is left alone", { key: row.key });
        continue;
      }
      const flow = kept?.bindings.flow(row.key);
      // A connection does not survive a restart, and neither does the contact at its other end.
      const dead = binding.contact.pruneOnBoot && !flow?.open;
      if (dead || binding.until <= this.host.world.now()) {
        dropped.push({ kind: "delete", table: CONTACTS, key: row.key });
        continue;
      }
      const contact = { ...binding.contact, ...kept?.bindings.finding(row.key), flow: flow?.id };
      this.#put({ ...binding, contact }, flow);
    }
    if (dropped.length > 0) await this.#forget(dropped);
    this.loaded = true;
    return true;
  }

  /** The connection a contact is bound to. */
  flow(id: string): Flow | undefined {
    return this.#flows.get(id)?.flow;
  }

  /** What qualify found out about a contact. */
  finding(id: string): Pick<Contact, "status" | "roundTripMicros"> | undefined {
    const contact = this.#byId.get(id)?.contact ?? this.#permanentById.get(id);
    return contact && { status: contact.status, roundTripMicros: contact.roundTripMicros };
  }

  /** Replaces the permanent contacts of all aors, keeping what qualify found. */
  setPermanent(configured: ReadonlyMap<string, readonly string[]>, kept: Handover | undefined): void {
    const known = new Map(this.#permanentById);
    this.#permanent.clear();
    this.#permanentById.clear();
    for (const [aor, uris] of configured) {
      const contacts = uris.map((uri) => {
        const fresh = permanentContact(aor, uri);
        return known.get(fresh.id) ?? { ...fresh, ...kept?.bindings.finding(fresh.id) };
      });
      if (contacts.length > 0) this.#permanent.set(aor, contacts);
      for (const contact of contacts) this.#permanentById.set(contact.id, contact);
    }
    for (const contact of this.#permanentById.values()) if (!known.delete(contact.id)) this.#tell(contact, "added");
    for (const contact of known.values()) this.#tell(contact, "removed");
  }

  /** All or nothing: false when the store is away, and then nothing changed. */
  async change(change: {
    readonly added: readonly Binding[];
    readonly refreshed: readonly Binding[];
    readonly removed: readonly { readonly binding: Binding; readonly reason: string }[];
    /** The connection the added and refreshed ones are bound to. */
    readonly flow: Flow | undefined;
  }): Promise<boolean> {
    const written = [...change.added, ...change.refreshed];
    const rows: Change[] = [
      ...change.removed.map(({ binding }) => ({ kind: "delete", table: CONTACTS, key: binding.contact.id }) as const),
      ...written.map((b) => ({ kind: "put", table: CONTACTS, key: b.contact.id, value: writeBinding(b) }) as const),
    ];
    if (rows.length > 0 && (await this.host.store.write(rows)).kind !== "stored") return false;
    for (const { binding, reason } of change.removed) this.#drop(binding, reason);
    for (const binding of written) this.#put(this.#withFinding(binding), change.flow);
    for (const { contact } of change.added) this.#report(contact, "added");
    for (const { contact } of change.refreshed) this.#report(contact, "refreshed");
    return true;
  }

  /** Qualify may have found something out while the row was being written. */
  #withFinding(binding: Binding): Binding {
    const found = this.finding(binding.contact.id);
    return found ? { ...binding, contact: { ...binding.contact, ...found } } : binding;
  }

  /** Gone whatever the store says: it expired, or its connection did. The row follows when the store is there. */
  async end(binding: Binding, reason: "expiration" | "shutdown"): Promise<void> {
    this.#drop(binding, reason);
    await this.#forget([{ kind: "delete", table: CONTACTS, key: binding.contact.id }]);
  }

  setStatus(id: string, status: Contact["status"], roundTripMicros: number | undefined): void {
    const binding = this.#byId.get(id);
    const old = binding?.contact ?? this.#permanentById.get(id);
    if (!old) return;
    const contact = { ...old, status, roundTripMicros };
    if (binding) this.#index({ ...binding, contact });
    else {
      this.#permanent.set(old.aor, this.permanent(old.aor).map((c) => (c.id === id ? contact : c)));
      this.#permanentById.set(id, contact);
    }
    this.#tell(contact, "status");
    if (old.status !== status) this.#reportStatus(contact);
  }

  /** Also emits "contact.status" for one whose status did not change. */
  reportStatus(id: string): void {
    const binding = this.#byId.get(id);
    if (binding) this.#reportStatus(binding.contact);
  }

  /** Lets go of timers and connections; the rows stay. */
  stop(): void {
    this.#timer?.timer.cancel();
    for (const { stop } of this.#flows.values()) stop();
  }

  async #forget(changes: readonly Change[]): Promise<void> {
    const written = await this.host.store.write(changes);
    // They are expired or bound to a dead connection: the next start drops them.
    if (written.kind === "unavailable") {
      this.host.log.warning("rows of gone contacts stay in the store for now", written);
    }
  }

  #index(binding: Binding): void {
    const { id, aor } = binding.contact;
    const ofAor = this.#byAor.get(aor) ?? new Map<string, Binding>();
    this.#byAor.set(aor, ofAor);
    ofAor.set(id, binding);
    this.#byId.set(id, binding);
  }

  #put(binding: Binding, flow: Flow | undefined): void {
    const { id } = binding.contact;
    this.#unwind(id);
    this.#index(binding);
    const second = Math.ceil(binding.until / 1000);
    const due = this.#wheel.get(second) ?? new Set<string>();
    this.#wheel.set(second, due);
    due.add(id);
    this.#arm(second);
    if (!flow || binding.contact.flow !== flow.id) return;
    const stop = flow.onClose(() => this.due.closed(binding.contact, flow));
    this.#flows.set(id, { flow, stop });
    if (!flow.open) this.due.closed(binding.contact, flow);
  }

  /** Out of the wheel and away from its connection. */
  #unwind(id: string): void {
    this.#flows.get(id)?.stop();
    this.#flows.delete(id);
    const old = this.#byId.get(id);
    if (!old) return;
    const second = Math.ceil(old.until / 1000);
    const due = this.#wheel.get(second);
    due?.delete(id);
    if (due?.size === 0) this.#wheel.delete(second);
  }

  #drop(binding: Binding, reason: string): void {
    const { contact } = binding;
    this.#unwind(contact.id);
    this.#byId.delete(contact.id);
    const ofAor = this.#byAor.get(contact.aor);
    ofAor?.delete(contact.id);
    if (ofAor?.size === 0) this.#byAor.delete(contact.aor);
    this.host.metrics.count("removed", 1, { reason });
    this.host.log.verbose(`contact ${contact.uri} of ${contact.aor} removed: ${reason}`);
    this.host.events.emit("contact.removed", { ...this.#event(contact), reason });
    this.#tell(contact, "removed");
  }

  #arm(second: number): void {
    if (this.#timer && this.#timer.second <= second) return;
    this.#timer?.timer.cancel();
    const wait = Math.max(0, second * 1000 - this.host.world.now());
    this.#timer = { second, timer: this.host.world.after(wait, () => this.#expire()) };
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.host.world.now();
    for (const [second, ids] of this.#wheel) {
      if (second * 1000 > now) continue;
      this.#wheel.delete(second);
      for (const id of ids) {
        const binding = this.#byId.get(id);
        if (binding) this.due.expired(binding.contact);
      }
    }
    if (this.#wheel.size > 0) this.#arm([...this.#wheel.keys()].reduce((a, b) => Math.min(a, b)));
  }

  #report(contact: Contact, what: "added" | "refreshed"): void {
    const event = this.#event(contact);
    this.host.metrics.count(what);
    this.host.log.verbose(`contact ${contact.uri} of ${contact.aor} ${what} for ${event.expires ?? 0} s`);
    this.host.events.emit(`contact.${what}`, event);
    if (what === "added") this.#reportStatus(contact);
    this.#tell(contact, what);
  }

  #reportStatus(contact: Contact): void {
    const { status, roundTripMicros } = contact;
    const round = roundTripMicros === undefined ? {} : { roundTripMicros };
    this.host.events.emit("contact.status", { ...this.#event(contact), status, ...round });
  }

  #event(contact: Contact): ContactEvent {
    const { aor, uri, endpoint, userAgent } = contact;
    const expires = this.secondsLeft(contact.id);
    return {
      aor,
      uri,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(expires === undefined ? {} : { expires }),
      ...(userAgent === "" ? {} : { userAgent }),
    };
  }

  #tell(contact: Contact, what: ContactChange): void {
    for (const listener of this.#listeners) listener(contact, what);
  }
}
