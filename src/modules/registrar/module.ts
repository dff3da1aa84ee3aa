import * as v from "valibot";
import { type Aor, aorOf } from "../../kernel/aor.ts";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { bool, seconds } from "../../kernel/schema.ts";
import { securityEvent } from "../../kernel/security.ts";
import { type Contact, type Locations, locations, stack } from "../../kernel/services.ts";
import type { InboundContext } from "../../kernel/stages.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply } from "../../sip/message/reply.ts";
import { writeHost } from "../../sip/message/uri.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import { chooseAor } from "./aor_choice.ts";
import { type Asked, type AskedContact, readAsked, type Refusal } from "./asked.ts";
import { Availability } from "./availability.ts";
import { type Binding, dynamicId, NODE } from "./binding.ts";
import { Bindings, Handover } from "./bindings.ts";
import { planChanges } from "./plan.ts";
import { contactRoutes } from "./routes.ts";

const fields = {
  global: {
    /** Between sweeps for contacts a timer missed; 0: none. */
    contactExpirationCheckInterval: seconds(30),
    /** Also emit "contact.status" when a contact is refreshed. */
    sendContactStatusOnUpdateRegistration: bool(false),
  },
};

type Context = ModuleContext<Record<never, never>, typeof fields>;

const RETRY_LOAD_MS = 1000;
const RETRY_AFTER = "5"; // seconds, when the store is away

/** Registers contacts of an AOR (RFC 3261 §10.3), keeps them over restarts, forgets them when they expire. */
export default defineModule({
  name: "registrar",
  summary: "Accepts REGISTER: where phones can be reached",
  replaces: "res_pjsip_registrar",
  requires: ["core"],
  options: v.object({}),
  fields,
  async setup(ctx) {
    const registrar = new Registrar(ctx);
    const { bindings } = registrar;
    const kept = ctx.restored instanceof Handover ? ctx.restored : undefined;
    registrar.configure(kept);
    const availability = new Availability(ctx, bindings);
    await registrar.load(kept, () => availability.rebuild(false));
    bindings.listen((contact) => availability.changed(contact.aor));
    ctx.objects.onChange("aor", () => registrar.configure(undefined));
    ctx.objects.onChange("endpoint", () => availability.rebuild(true));
    ctx.provideEach(locations, (user): Locations => ({
      contacts: (aor, which = "all") =>
        bindings.contacts(aor).filter((contact) => which === "all" || contact.status !== "unreachable"),
      get all() {
        return bindings.all;
      },
      remove: (id, reason) => registrar.remove(id, reason),
      onChange(listener) {
        const stop = bindings.listen((contact, what) => {
          try {
            listener(contact, what);
          } catch (error) {
            user.fault("contact listener", error);
          }
        });
        user.onRelease(stop);
        return stop;
      },
      setStatus: (id, status, roundTripMicros) => bindings.setStatus(id, status, roundTripMicros),
    }));
    ctx.use(stack).capabilities.add({ methods: ["REGISTER"], optionTags: ["path"] });
    ctx.inbound("method", (inbound) => registrar.register(inbound));
    contactRoutes(ctx.objects, bindings, (id) => registrar.remove(id, "operator")).forEach((r) => ctx.http.route(r));
    ctx.metrics.gauge("contacts", () => bindings.size);
    ctx.save(() => new Handover(bindings));
    ctx.onUnload(() => registrar.stop());
    registrar.sweep();
  },
});

class Registrar {
  readonly bindings: Bindings;
  readonly #working = new Set<Promise<SipResponse>>();

  constructor(readonly ctx: Context) {
    this.bindings = new Bindings(ctx, {
      expired: (contact) => this.#end(contact, "expiration"),
      closed: (contact, flow) => this.#end(contact, "shutdown", flow),
    });
  }

  /** Permanent contacts of all aors. */
  configure(kept: Handover | undefined): void {
    const aors = this.ctx.objects.all("aor");
    const configured = aors.map(({ id }) => [id, aorOf(this.ctx.objects, id)?.contact ?? []] as const);
    this.bindings.setPermanent(new Map(configured), kept);
  }

  /** Until the store was read nothing is answered 2xx; it is asked again each second, until `done`. */
  async load(kept: Handover | undefined, done: () => void, again = false): Promise<void> {
    if (await this.bindings.load(kept)) return done();
    if (!again) this.ctx.log.error("the store is away: registrations are answered 500 until it is back");
    this.ctx.world.after(RETRY_LOAD_MS, () => void this.load(kept, done, true));
  }

  sweep(): void {
    const interval = this.ctx.fieldsOf("global", "")?.contactExpirationCheckInterval ?? 30;
    if (interval === 0) return;
    this.ctx.world.after(interval * 1000, () => {
      for (const contact of this.bindings.overdue) this.#end(contact, "expiration");
      this.sweep();
    });
  }

  register(inbound: InboundContext): Promise<SipResponse> | SipResponse | undefined {
    const { request, endpoint } = inbound;
    if (request.method !== "REGISTER" || !endpoint || inbound.artificial) return undefined;
    const to = request.headers.get("To")?.uri;
    if (endpoint.aors.length === 0) {
      return this.#refuse(inbound, forbidden("registrar_attempt_without_configured_aors"));
    }
    if (to?.scheme !== "sip" && to?.scheme !== "sips") {
      return this.#refuse(inbound, { ...NOT_HERE, status: 416, reason: "Unsupported URI Scheme" });
    }
    const aor = chooseAor(request, to, endpoint, this.ctx.objects);
    const settings = aor === undefined ? undefined : aorOf(this.ctx.objects, aor);
    if (aor === undefined || !settings) return this.#refuse(inbound, NOT_HERE);
    if (settings.maxContacts === 0) {
      return this.#refuse(inbound, forbidden("registrar_attempt_without_registration_permitted"));
    }
    const asked = readAsked(request, settings);
    if ("kind" in asked) return this.#refuse(inbound, asked);
    const work = this.ctx.use(stack).queue(`aor ${aor}`, () => this.#apply(inbound, aor, settings, asked));
    this.#working.add(work);
    return work.finally(() => this.#working.delete(work));
  }

  /** What is being stored is stored before the module goes: the next life reads it. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#working);
    this.bindings.stop();
  }

  /** False when there is none, or it could not be removed for good. */
  remove(id: string, reason: string): Promise<boolean> {
    const known = this.bindings.get(id);
    if (!known) return Promise.resolve(false);
    return this.ctx.use(stack).queue(`aor ${known.contact.aor}`, async () => {
      const binding = this.bindings.get(id);
      const removed = binding ? [{ binding, reason }] : [];
      return await this.bindings.change({ added: [], refreshed: [], removed, flow: undefined }) && removed.length > 0;
    });
  }

  async #apply(inbound: InboundContext, aor: string, settings: Aor, asked: Asked): Promise<SipResponse> {
    const { request, flow } = inbound;
    if (!this.bindings.loaded) return this.#refuse(inbound, STORE_AWAY);
    const order = { callId: request.headers.get("Call-ID") ?? "", cseq: request.headers.get("CSeq")?.number ?? 0 };
    const plan = planChanges(asked, order, this.bindings.of(aor), settings);
    if (plan.kind === "refusal") return this.#refuse(inbound, plan);
    const refreshed = plan.refreshed.map(({ asked: contact, binding }) =>
      this.#binding(inbound, aor, settings, asked, contact, binding)
    );
    const added = plan.added.map((contact) => this.#binding(inbound, aor, settings, asked, contact, undefined));
    const stored = await this.bindings.change({ added, refreshed, removed: plan.removed, flow });
    if (!stored) return this.#refuse(inbound, STORE_AWAY);
    if (this.ctx.fieldsOf("global", "")?.sendContactStatusOnUpdateRegistration) {
      for (const { contact } of refreshed) this.bindings.reportStatus(contact.id);
    }
    return this.#accept(request, aor, asked);
  }

  #binding(
    { request, endpoint, flow }: InboundContext,
    aor: string,
    settings: Aor,
    asked: Asked,
    contact: AskedContact,
    old: Binding | undefined,
  ): Binding {
    const { headers } = request;
    const via = headers.all("Via").at(-1); // of the phone itself
    const bound = this.#isBound(contact, endpoint?.values.rewriteContact === true, flow);
    const keepPath = asked.path.length === 0 && settings.pathRefresh === "keep";
    const uri = old?.contact.uri ?? contact.text;
    return {
      uri: old?.uri ?? contact.uri,
      until: this.ctx.world.now() + contact.expires * 1000,
      contact: {
        id: old?.contact.id ?? dynamicId(aor, uri),
        aor,
        uri,
        expiresAt: this.ctx.world.wallClock() + contact.expires * 1000,
        path: keepPath && old ? old.contact.path : asked.path,
        userAgent: headers.text("User-Agent")?.slice(0, 255) ?? old?.contact.userAgent ?? "",
        endpoint: endpoint?.id,
        callId: headers.get("Call-ID") ?? "",
        cseq: headers.get("CSeq")?.number ?? 0,
        q: contact.q,
        viaAddress: via?.host ?? "",
        viaPort: via?.port ?? 0,
        node: NODE,
        flow: bound ? flow.id : undefined,
        pruneOnBoot: bound,
        status: old?.contact.status ?? "nonQualified",
        roundTripMicros: old?.contact.roundTripMicros,
      },
    };
  }

  /** Reachable over this connection only: the Contact is the connection's far end, which no one can connect to. */
  #isBound({ uri }: AskedContact, rewritten: boolean, flow: Flow): boolean {
    if (!flow.reliable || uri.host !== flow.remote.host.toLowerCase()) return false;
    if ((uri.port ?? (flow.secure ? 5061 : 5060)) !== flow.remote.port) return false;
    const websocket = flow.protocol === "ws" || flow.protocol === "wss";
    const transport = uri.params.get("transport")?.toLowerCase();
    return transport === (websocket ? "ws" : flow.protocol) && (rewritten || websocket);
  }

  #accept(request: SipRequest, aor: string, asked: Asked): SipResponse {
    const contacts = [
      ...this.bindings.of(aor).map(({ contact }) => {
        const q = contact.q === 1 ? "" : `;q=${contact.q}`;
        return `<${contact.uri}>${q};expires=${this.bindings.secondsLeft(contact.id) ?? 0}`;
      }),
      ...this.bindings.permanent(aor).map((contact) => `<${contact.uri}>`),
    ];
    const stored = asked.path.length > 0;
    return reply(request, 200, "OK", {
      Date: new Date(this.ctx.world.wallClock()).toUTCString(),
      Contact: contacts,
      ...(asked.expires === undefined ? {} : { Expires: String(asked.expires) }),
      ...(stored ? { Supported: "path", Path: asked.path.join(",") } : {}),
    });
  }

  #refuse({ request, endpoint, flow }: InboundContext, refusal: Refusal): SipResponse {
    const { status, reason, acl, headers = {} } = refusal;
    this.ctx.metrics.count("refused", 1, { status: String(status) });
    if (acl !== undefined) {
      const event = refusal === NOT_HERE || status === 416 ? "RequestNotAllowed" : "FailedACL";
      const remote = `${writeHost(flow.remote.host)}:${flow.remote.port}`;
      this.ctx.log.notice(`REGISTER of ${endpoint?.id ?? "nobody"} from ${remote} refused`, { status, why: acl });
      securityEvent(this.ctx.events, event, request, flow, endpoint?.id ?? "", { ACLName: acl });
    }
    return reply(request, status, reason, headers);
  }

  /** Under the queue of the aor: a refresh may have come in between. */
  #end(contact: Contact, why: "expiration" | "shutdown", flow?: Flow): void {
    void this.ctx.use(stack).queue(`aor ${contact.aor}`, async () => {
      const binding = this.bindings.get(contact.id);
      if (!binding) return;
      const over = flow ? binding.contact.flow === flow.id : binding.until <= this.ctx.world.now();
      if (over) await this.bindings.end(binding, why);
    });
  }
}

const NOT_HERE: Refusal = {
  kind: "refusal",
  status: 404,
  reason: "Not Found",
  acl: "registrar_requested_aor_not_found",
};

const STORE_AWAY: Refusal = {
  kind: "refusal",
  status: 500,
  reason: "Registration Not Stored",
  headers: { "Retry-After": RETRY_AFTER },
};

function forbidden(acl: string): Refusal {
  return { kind: "refusal", status: 403, reason: "Forbidden", acl };
}
