import type { Endpoint } from "../../kernel/endpoint.ts";
import { SipError } from "../../kernel/errors.ts";
import type { EventName, Events } from "../../kernel/events.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import { securityEvent } from "../../kernel/security.ts";
import {
  type CallAnswerer,
  type Channel,
  hostWorld,
  type OriginateOptions,
  outboundAuthenticator,
  type SdpHandler,
  type SipStack,
  stack,
} from "../../kernel/services.ts";
import type { InboundContext } from "../../kernel/stages.ts";
import { Dialogs } from "../../sip/dialog/dialogs.ts";
import type { DialogHost } from "../../sip/dialog/host.ts";
import { InviteSession, type SessionPolicy } from "../../sip/dialog/session.ts";
import { negotiateTimer } from "../../sip/dialog/session_timer.ts";
import { headerList } from "../../sip/message/header_list.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.ts";
import { parseNameAddr, writeNameAddr } from "../../sip/message/name_addr.ts";
import { reply } from "../../sip/message/reply.ts";
import { type Uri, writeUri } from "../../sip/message/uri.ts";
import type { Destination, Flow } from "../../sip/transport/flow.ts";
import type { World } from "../../world/world.ts";
import { SessionChannel } from "./channel.ts";
import type { endpointFields, globalFields, SessionFields, systemFields } from "./fields.ts";
import { destinationOf, isAt, isSecure } from "./way.ts";
import { asPhone, bare, callerOf, contactUser, hostOf, isPhone, shownCaller, userOf } from "./party.ts";
import { Supplements } from "./supplements.ts";
import { supportedBy, unsupportedBy, verify } from "./verify.ts";

export interface SessionOptions {
  /** Seconds. */
  readonly ringingLimit: number;
}
export type SessionContext = ModuleContext<
  SessionOptions,
  { endpoint: typeof endpointFields; global: typeof globalFields; system: typeof systemFields }
>;

const EMPTY = new Uint8Array(0);

/** All sessions of the server. Outlives a reload of the module: the new one attaches to it. */
export class SessionEngine {
  readonly dialogs = new Dialogs();
  readonly supplements = new Supplements();
  readonly channelsById = new Map<string, SessionChannel>();
  #handlers: readonly SdpHandler[] = [];
  #answerers: readonly CallAnswerer[] = [];
  readonly #calls = new Map<string, number>(); // channels by endpoint
  #policies = new WeakMap<SessionFields, { readonly tags: readonly string[]; readonly policy: SessionPolicy }>();
  #names = 0;
  #ctx: SessionContext | undefined;
  #stack: SipStack | undefined;
  #world: World | undefined;

  /** The module that runs now. */
  attach(ctx: SessionContext): void {
    this.#ctx = ctx;
    this.#stack = ctx.use(stack);
    this.#world = ctx.use(hostWorld);
    this.#policies = new WeakMap();
    for (const type of ["global", "system"]) ctx.objects.onChange(type, () => this.#policies = new WeakMap());
  }

  get ctx(): SessionContext {
    if (!this.#ctx) throw new Error("session engine without its module");
    return this.#ctx;
  }
  get stack(): SipStack {
    if (!this.#stack) throw new Error("session engine without its module");
    return this.#stack;
  }
  get world(): World {
    if (!this.#world) throw new Error("session engine without its module");
    return this.#world;
  }
  get handlers(): readonly SdpHandler[] {
    return this.#handlers;
  }
  get ringingMs(): number {
    return this.ctx.options.ringingLimit * 1000;
  }
  get allCodecsOnEmptyReinvite(): boolean {
    return this.ctx.fieldsOf("global", "")?.allCodecsOnEmptyReinvite ?? false;
  }
  get allow180After183(): boolean {
    return this.ctx.fieldsOf("global", "")?.allowSending180After183 ?? false;
  }

  addHandler(handler: SdpHandler): () => void {
    this.#handlers = [...this.#handlers, handler];
    return () => this.#handlers = this.#handlers.filter((other) => other !== handler);
  }

  addAnswerer(answerer: CallAnswerer): () => void {
    this.#answerers = [...this.#answerers, answerer];
    return () => this.#answerers = this.#answerers.filter((other) => other !== answerer);
  }

  emit<K extends EventName>(name: K, data: Events[K]): void {
    this.ctx.events.emit(name, data);
  }

  fault(where: string, error: unknown): void {
    this.ctx.metrics.count("faults");
    this.ctx.log.error(`${where} failed`, { error: error instanceof Error ? error.stack : String(error) });
  }

  responded(response: SipResponse, channel: SessionChannel): void {
    this.supplements.response(response, channel);
  }

  gone(channel: SessionChannel, message: SipMessage | undefined): void {
    if (!this.channelsById.delete(channel.id)) return;
    const left = this.#count(channel.endpoint) - 1;
    if (left > 0) this.#calls.set(channel.endpoint.id, left);
    else this.#calls.delete(channel.endpoint.id);
    if (message?.kind !== "request") return;
    this.supplements.incoming(message, channel).catch((error: unknown) => this.fault("supplement", error));
  }

  /** A request inside a session that the dialog itself does not answer. */
  async answerRequest(request: SipRequest, channel: Channel): Promise<SipResponse> {
    const answer = await this.supplements.incoming(request, channel);
    if (answer) return "kind" in answer ? answer : reply(request, answer.status, answer.reason);
    const { methods } = this.stack.capabilities;
    if (!methods.includes(request.method) && !KNOWN.has(request.method)) return reply(request, 501, "Not Implemented");
    const allowed = [...new Set([...OWN_METHODS, ...this.supplements.methods])].filter((m) => m !== request.method);
    return reply(request, 405, "Method Not Allowed", { Allow: allowed.join(", ") });
  }

  // ---- calls that come in -----------------------------------------------------------------------------------------

  /** The *method* stage: the first INVITE of a call. */
  async incoming(context: InboundContext): Promise<SipResponse | undefined> {
    const { request, endpoint } = context;
    if (request.method !== "INVITE") return undefined;
    if (request.headers.get("To")?.params.has("tag")) return reply(request, 481, "Call/Transaction Does Not Exist");
    if (!endpoint) return reply(request, 403, "Forbidden");
    if (this.stack.stopping) return reply(request, 503, "Service Unavailable", { "Retry-After": "10" });
    if (this.dialogs.merged(request)) return reply(request, 482, "Loop Detected");
    this.ctx.metrics.count("invites_in");
    const fields = this.ctx.fields(endpoint);
    const found = this.#destination(request, endpoint, fields);
    const refused = verify(request, fields, this.stack.capabilities.optionTags) ?? found.refused ??
      tooSmall(request, fields) ?? this.#limit(request, endpoint, fields, context.flow);
    if (refused) return refused;
    await this.#call(context, endpoint, fields, found.extension);
    return undefined;
  }

  async #call(context: InboundContext, endpoint: Endpoint, fields: SessionFields, extension: string): Promise<void> {
    const { request, flow } = context;
    const transaction = context.incoming.accept();
    const contact = `<${this.stack.localContact(flow, contactUser(endpoint) ?? userOf(request.uri))}>`;
    const channel = this.#channel({
      endpoint,
      fields,
      direction: "incoming",
      caller: callerOf(request, endpoint),
      called: extension,
      invite: request,
      flow,
      secure: flow.secure,
      localAddress: hostOf(contact),
      caused: undefined,
    });
    const session = InviteSession.incoming(this.dialogs, this.#host(channel), this.#policy(fields), channel.user, {
      transaction,
      localTag: this.world.random.token(8),
      contact,
    });
    if (!session) throw new SipError(400, "Missing or Bad Contact"); // verify saw one, so this is ours to explain
    if (channel.ended.aborted) return; // its CANCEL was here first
    this.#add(channel);
    session.provisional(100, "Trying");
    channel.variables.set(
      "SIPDOMAIN",
      request.uri.scheme === "sip" || request.uri.scheme === "sips" ? request.uri.host : "",
    );
    channel.bind(session);
    const refusal = await channel.negotiate();
    if (refusal) return session.end({ ...refusal, lines: [["Warning", `399 patchbay "${refusal.reason}"`]] });
    const answer = await this.supplements.incoming(request, channel);
    if (answer) return session.end({ status: answer.status, reason: answer.reason });
    if (channel.ended.aborted) return;
    const answerer = this.#answerers[0];
    if (!answerer) return channel.hangup(42);
    // Not waited for: the call lasts longer than the request.
    answerer.run(channel, endpoint.context, extension).catch((error: unknown) => {
      this.fault("dialplan", error);
      channel.hangup(42);
    });
  }

  #destination(
    request: SipRequest,
    endpoint: Endpoint,
    fields: SessionFields,
  ): { readonly extension: string; readonly refused: SipResponse | undefined } {
    const { uri } = request;
    if (uri.scheme === "other") return { extension: "", refused: reply(request, 416, "Unsupported URI Scheme") };
    let extension = uri.scheme === "tel" ? uri.number : uri.user;
    const cut = this.ctx.objects.get("global", "")?.values.ignoreUriUserOptions === true; // a field of core
    if (cut) extension = extension.split(";", 1)[0] ?? "";
    if (extension === "") extension = "s";
    const context = fields.overlapContext || endpoint.context;
    const answers = this.#answerers.map((answerer) => answerer.lookup(context, extension));
    if (answers.includes("found")) return { extension, refused: undefined };
    if (answers.includes("partial") && fields.allowOverlap) {
      return { extension, refused: reply(request, 484, "Address Incomplete") };
    }
    this.ctx.log.notice("no such extension", { extension, context, endpoint: endpoint.id });
    return { extension, refused: reply(request, 404, "Not Found") };
  }

  #limit(request: SipRequest, endpoint: Endpoint, fields: SessionFields, flow: Flow): SipResponse | undefined {
    if (this.#count(endpoint) < fields.callLimit) return undefined;
    this.ctx.metrics.count("calls_over_limit");
    securityEvent(this.ctx.events, "LimitReached", request, flow, endpoint.id);
    return reply(request, 486, "Busy Here");
  }

  #count(endpoint: Endpoint): number {
    return this.#calls.get(endpoint.id) ?? 0;
  }

  #add(channel: SessionChannel): void {
    this.channelsById.set(channel.id, channel);
    this.#calls.set(channel.endpoint.id, this.#count(channel.endpoint) + 1);
  }

  // ---- calls that go out ------------------------------------------------------------------------------------------

  async originate(options: OriginateOptions): Promise<Channel> {
    const { endpoint } = options;
    const uri = asPhone(options.uri, endpoint);
    if (this.stack.stopping) throw new SipError(503, "Service Unavailable");
    const fields = this.ctx.fields(endpoint);
    if (this.#count(endpoint) >= fields.callLimit) throw new SipError(486, "Busy Here");
    const route = options.path?.[0] === undefined ? undefined : parseNameAddr(options.path[0]);
    const ways = options.flow ? [destinationOf(options.flow)] : await this.stack.resolve(route?.uri ?? uri, endpoint);
    const [towards] = ways;
    if (!towards) throw new SipError(503, "Nowhere To Send It");
    const caller = options.caller ?? options.caused?.caller ?? { name: "", number: "", allowed: true };
    const shown = shownCaller(caller, endpoint, this.#defaultFromUser());
    const user = contactUser(endpoint) ?? this.#contactUser(shown.user);
    const mark = isPhone(user, endpoint) ? ";user=phone" : "";
    const contact = `<${this.stack.localContact(towards, user)}${mark}>`;
    const localTag = this.world.random.token(8);
    const domain = options.caused?.variables.get("SIPFROMDOMAIN") || endpoint.fromDomain || shown.host ||
      hostOf(contact);
    const invite = this.#invite({ ...options, uri }, { ...shown, host: domain, localTag, contact });
    const caused = options.caused && this.channelsById.get(options.caused.id);
    const channel = this.#channel({
      endpoint,
      fields,
      direction: "outgoing",
      caller,
      called: userOf(uri) || writeUri(uri),
      invite,
      flow: options.flow,
      secure: ways.every(isSecure), // the next address is tried when the first is away
      localAddress: hostOf(contact),
      caused,
    });
    for (const [name, value] of options.variables ?? []) channel.variables.set(name, value);
    const session = InviteSession.outgoing(
      this.dialogs,
      this.#host(channel, options.flow && towards),
      this.#policy(fields),
      channel.user,
      { invite, localTag, contact },
    );
    this.#add(channel);
    channel.bind(session);
    const offer = await channel.offer();
    if (!offer) {
      channel.hangup(58);
      throw new SipError(488, "No Media To Offer");
    }
    this.ctx.metrics.count("invites_out");
    session.start(offer);
    return channel;
  }

  #invite(options: OriginateOptions, from: {
    readonly user: string;
    readonly display: string;
    readonly host: string;
    readonly localTag: string;
    readonly contact: string;
  }): SipRequest {
    const { uri } = options;
    const address: Uri = asPhone({
      scheme: uri.scheme === "sips" ? "sips" : "sip",
      user: from.user,
      password: undefined,
      host: from.host,
      port: undefined,
      params: new Map(),
      headers: "",
    }, options.endpoint);
    const headers = headerList();
    for (const value of options.path ?? []) headers.append("Route", value);
    headers.append(
      "From",
      writeNameAddr({ display: from.display, uri: address, params: new Map([["tag", from.localTag]]) }),
    );
    headers.append("To", `<${writeUri(asPhone(bare(uri), options.endpoint))}>`);
    headers.append("Call-ID", `${this.world.random.token(16)}`);
    headers.append("CSeq", `${1 + this.world.random.below(30000)} INVITE`);
    headers.append("Contact", from.contact);
    for (const [name, value] of options.headers ?? []) headers.append(name, value);
    return { kind: "request", method: "INVITE", uri, headers, body: EMPTY };
  }

  // ---- what both need ---------------------------------------------------------------------------------------------

  #channel(parts: Omit<ConstructorParameters<typeof SessionChannel>[1], "id" | "name">): SessionChannel {
    this.#names = (this.#names + 1) >>> 0;
    return new SessionChannel(this, {
      ...parts,
      id: this.world.random.token(8),
      name: `PJSIP/${parts.endpoint.id}-${this.#names.toString(16).padStart(8, "0")}`,
    });
  }

  /** The same until a reload: of fields, and of the tags that modules add. */
  #policy(fields: SessionFields): SessionPolicy {
    const tags = this.stack.capabilities.optionTags;
    const known = this.#policies.get(fields);
    if (known?.tags === tags) return known.policy;
    const policy = this.#makePolicy(fields);
    this.#policies.set(fields, { tags, policy });
    return policy;
  }

  #makePolicy(fields: SessionFields): SessionPolicy {
    const system = this.ctx.fieldsOf("system", "");
    return {
      reliable: fields["100rel"],
      timer: {
        mode: fields.timers,
        expires: Math.max(fields.timersSessExpires, fields.timersMinSe),
        min: fields.timersMinSe,
      },
      followForks: fields.followEarlyMediaFork && (system?.followEarlyMediaFork ?? true),
      acceptMultipleAnswers: fields.acceptMultipleSdpAnswers && (system?.acceptMultipleSdpAnswers ?? false),
      supported: [...new Set([...supportedBy(fields), ...this.#moduleTags()])],
      unsupported: (request) => unsupportedBy(request, fields, this.stack.capabilities.optionTags),
    };
  }

  /** User of From when nothing better is known; core owns the option. */
  #defaultFromUser(): string {
    const user = this.ctx.objects.get("global", "")?.values["defaultFromUser"];
    return typeof user === "string" ? user : "patchbay";
  }

  /** User of our Contact in a call that goes out, `shown` being that of From. */
  #contactUser(shown: string): string {
    return this.ctx.fieldsOf("global", "")?.useCallerIdContact ? shown : this.#defaultFromUser();
  }

  /** Milliseconds; core owns the option. */
  #t1(): number {
    const t1 = this.ctx.objects.get("system", "")?.values["timerT1"];
    return typeof t1 === "number" ? t1 : 500;
  }

  /** Tags of other modules: ours depend on the endpoint. */
  #moduleTags(): readonly string[] {
    return this.stack.capabilities.optionTags.filter((tag) => tag !== "100rel" && tag !== "timer");
  }

  #host(channel: SessionChannel, over?: Destination): DialogHost {
    const { endpoint } = channel;
    const prepare: DialogHost["prepare"] = (message, towards, answers) => {
      this.supplements.outgoing(message, channel);
      this.stack.prepare(message, endpoint, towards, answers);
    };
    return {
      world: this.world,
      transactions: this.stack.transactions,
      t1: this.#t1(),
      prepare,
      sendInvite: (request, handlers) => {
        this.supplements.outgoing(request, channel);
        const sent = this.stack.send(request, endpoint, {
          response: (response, flow) => {
            channel.flow ??= flow;
            handlers.response(response, flow);
          },
          failed: (why, detail) => {
            const to = writeUri(bare(request.uri));
            this.ctx.log.notice("a call did not reach its peer", {
              call: channel.id,
              endpoint: endpoint.id,
              to,
              why,
              detail,
            });
            handlers.failed(why, detail);
          },
        }, over);
        return {
          get request() {
            return sent.transaction?.request;
          },
          cancel: (reason) => sent.cancel(reason),
        };
      },
      nextHop: (uri, found) => {
        const flow = over?.flow ?? channel.flow;
        // A connection the peer made is the way back to it: it may listen nowhere (RFC 5626).
        if (flow?.reliable && flow.open && (over || isAt(uri, flow))) return found(destinationOf(flow));
        this.stack.resolve(uri, endpoint).then((destinations) => found(destinations[0]), (error: unknown) => {
          this.fault("resolver", error);
          found(undefined);
        });
      },
      credentials: (request, challenge, history) => {
        if (endpoint.outboundAuth.length === 0) return undefined;
        const answer = this.ctx.find(outboundAuthenticator)?.answer(request, challenge, endpoint.outboundAuth, history);
        return answer && "headers" in answer ? answer.headers : undefined;
      },
    };
  }
}

const OWN_METHODS = ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"];
const KNOWN = new Set([
  ...OWN_METHODS,
  "OPTIONS",
  "INFO",
  "MESSAGE",
  "NOTIFY",
  "SUBSCRIBE",
  "PUBLISH",
  "REFER",
  "REGISTER",
]);

function tooSmall(request: SipRequest, fields: SessionFields): SipResponse | undefined {
  const timer = negotiateTimer(request, {
    mode: fields.timers,
    expires: fields.timersSessExpires,
    min: fields.timersMinSe,
  });
  if (!timer || !("tooSmall" in timer)) return undefined;
  return reply(request, 422, "Session Interval Too Small", { "Min-SE": String(fields.timersMinSe) });
}
