import * as v from "valibot";
import type { Endpoint } from "../kernel/endpoint.ts";
import { defineModule, type ModuleContext } from "../kernel/module.ts";
import { bool, milliseconds, seconds } from "../kernel/schema.ts";
import { type Contact, type Locations, locations, type SipStack, stack } from "../kernel/services.ts";
import { headerList } from "../sip/message/header_list.ts";
import type { SipRequest } from "../sip/message/message.ts";
import { parseNameAddr } from "../sip/message/name_addr.ts";
import { parseUri, sipUri, type Uri, writeUri } from "../sip/message/uri.ts";
import type { Destination } from "../sip/transport/flow.ts";
import type { Timer } from "../world/world.ts";

const fields = {
  aor: {
    /** Seconds between two questions to a contact of the aor; 0: none is asked. */
    qualifyFrequency: v.pipe(seconds(0), v.maxValue(86_400, "expected at most a day")),
    /** How long an answer may take, name lookup included. */
    qualifyTimeout: milliseconds(3000),
    /** Only a 2xx counts as an answer; otherwise any final response does. */
    qualify2xxOnly: bool(false),
  },
  global: {
    /** The first question after a start comes within this many seconds; 0: within the frequency. */
    maxInitialQualifyTime: seconds(0),
  },
};

type Context = ModuleContext<Record<never, never>, typeof fields>;

/** Asks contacts with OPTIONS whether they are there, and how far away: spread in time, so that many do not fire at once. */
export default defineModule({
  name: "qualify",
  summary: "OPTIONS to contacts: reachable or not, and the round trip",
  replaces: "res_pjsip (qualify)",
  requires: ["core", "registrar"],
  options: v.object({}),
  fields,
  setup(ctx) {
    const qualify = new Qualify(ctx);
    qualify.reconcile();
    ctx.use(locations).onChange((contact, what) => {
      if (what === "added") qualify.watch(contact, APPEARED_MS);
      else if (what === "removed") qualify.forget(contact.id);
    });
    ctx.objects.onChange("aor", () => qualify.reconcile());
    ctx.objects.onChange("endpoint", () => qualify.indexEndpoints());
    ctx.http.route({
      method: "POST",
      path: "/endpoints/:id/qualify",
      summary: "Asks every contact of an endpoint now",
      scope: "write",
      reply: v.object({ asked: v.number() }),
      run({ params: { id = "" } }) {
        const endpoint = ctx.objects.endpoint(id);
        if (!endpoint) return { status: 404, body: { error: `there is no endpoint "${id}"` } };
        return { status: 202, body: { asked: qualify.now(endpoint) } };
      },
    });
    ctx.metrics.gauge("watched", () => qualify.size);
  },
});

const APPEARED_MS = 1;

class Qualify {
  readonly #locations: Locations;
  readonly #stack: SipStack;
  readonly #timers = new Map<string, Timer>(); // by contact id: its next question
  readonly #speakers = new Map<string, string>(); // aor: the first endpoint that lists it

  constructor(readonly ctx: Context) {
    this.#locations = ctx.use(locations);
    this.#stack = ctx.use(stack);
    this.indexEndpoints();
  }

  indexEndpoints(): void {
    this.#speakers.clear();
    for (const { id, aors } of this.ctx.objects.endpoints()) {
      for (const aor of aors) if (!this.#speakers.has(aor)) this.#speakers.set(aor, id);
    }
  }

  get size(): number {
    return this.#timers.size;
  }

  #frequencyMs(aor: string): number {
    return (this.ctx.fieldsOf("aor", aor)?.qualifyFrequency ?? 0) * 1000;
  }

  /** Frequencies may have changed: whoever is newly asked starts at a random time, whoever no longer is, is not qualified. */
  reconcile(): void {
    const most = (this.ctx.fieldsOf("global", "")?.maxInitialQualifyTime ?? 0) * 1000;
    for (const contact of this.#locations.all) {
      const frequency = this.#frequencyMs(contact.aor);
      if (frequency === 0) this.forget(contact.id);
      else if (!this.#timers.has(contact.id)) {
        const within = most > 0 ? Math.min(most, frequency) : frequency;
        this.watch(contact, this.ctx.world.random.below(within + 1));
      }
      if (frequency === 0 && contact.status !== "nonQualified") {
        this.#locations.setStatus(contact.id, "nonQualified", undefined);
      }
    }
  }

  /** The first question comes `ms` from now. Until the answer nobody knows. */
  watch(contact: Contact, ms: number): void {
    if (this.#frequencyMs(contact.aor) === 0) return;
    if (contact.status === "nonQualified") this.#locations.setStatus(contact.id, "unknown", undefined);
    this.#schedule(contact.id, contact.aor, ms);
  }

  forget(id: string): void {
    this.#timers.get(id)?.cancel();
    this.#timers.delete(id);
  }

  /** Answers how many contacts are asked. */
  now(endpoint: Endpoint): number {
    const contacts = endpoint.aors.flatMap((aor) => this.#locations.contacts(aor));
    for (const contact of contacts) void this.#ask(contact);
    return contacts.length;
  }

  #schedule(id: string, aor: string, ms: number): void {
    this.forget(id);
    const timer = this.ctx.world.after(ms, () => {
      const contact = this.#locations.contacts(aor).find((candidate) => candidate.id === id);
      const frequency = this.#frequencyMs(aor);
      if (!contact || frequency === 0) return this.forget(id);
      this.#schedule(id, aor, frequency);
      void this.#ask(contact);
    });
    this.#timers.set(id, timer);
  }

  /** One question; its answer, or the time without one, is the contact's status. Never rejects. */
  async #ask(contact: Contact): Promise<void> {
    const settings = this.ctx.fieldsOf("aor", contact.aor);
    const endpoint = this.#endpointOf(contact);
    const uri = parseUri(contact.uri);
    const asked = this.ctx.world.now();
    let over = false;
    const end = (reachable: boolean) => {
      if (over) return;
      over = true;
      deadline.cancel();
      this.ctx.metrics.count("answers", 1, { reachable: String(reachable) });
      const micros = Math.round((this.ctx.world.now() - asked) * 1000);
      this.#locations.setStatus(contact.id, reachable ? "reachable" : "unreachable", reachable ? micros : undefined);
    };
    const deadline = this.ctx.world.after(settings?.qualifyTimeout ?? 3000, () => end(false));
    if (!uri || uri.scheme === "other") return end(false);
    const flow = contact.flow === undefined
      ? undefined
      : this.#stack.transports.flows.find((candidate) => candidate.id === contact.flow);
    if (contact.flow !== undefined && !flow?.open) return end(false);
    const to = flow
      ? { protocol: flow.protocol, address: flow.remote, flow }
      : (await this.#stack.resolve(firstHop(contact) ?? uri, endpoint))[0];
    if (!to) return end(false);
    this.#stack.send(this.#options(contact, uri, endpoint, to), endpoint, {
      response({ status }) {
        if (status >= 200) end(settings?.qualify2xxOnly !== true || status < 300);
      },
      failed: () => end(false),
    }, flow ? to : undefined);
  }

  /** The contact's own, else the first that lists the aor. */
  #endpointOf(contact: Contact): Endpoint | undefined {
    const own = contact.endpoint === undefined ? undefined : this.ctx.objects.endpoint(contact.endpoint);
    return own ?? this.ctx.objects.endpoint(this.#speakers.get(contact.aor) ?? "");
  }

  #options(contact: Contact, uri: Uri, endpoint: Endpoint | undefined, to: Destination): SipRequest {
    const { random } = this.ctx.world;
    const user = endpoint?.fromUser ?? endpoint?.id ?? contact.aor;
    const local = this.#stack.localContact(to, user);
    const address = parseUri(local);
    const host = endpoint?.fromDomain ?? (address?.scheme === "sip" ? address.host : "localhost");
    const headers = headerList();
    for (const route of contact.path) headers.append("Route", route);
    headers.append("From", `<${writeUri(sipUri(user, host))}>;tag=${random.token(8)}`);
    headers.append("To", `<${writeUri(withoutHeaders(uri))}>`);
    headers.append("Call-ID", random.token(16));
    headers.append("CSeq", `${1 + random.below(30_000)} OPTIONS`);
    headers.append("Contact", `<${local}>`);
    return { kind: "request", method: "OPTIONS", uri, headers, body: new Uint8Array(0) };
  }
}

/** Where the request goes first when the contact registered through proxies. */
function firstHop({ path: [first] }: Contact): Uri | undefined {
  return first === undefined ? undefined : parseNameAddr(first)?.uri;
}

function withoutHeaders(uri: Uri): Uri {
  return uri.scheme === "sip" || uri.scheme === "sips" ? { ...uri, headers: "" } : uri;
}
