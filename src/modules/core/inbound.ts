// What becomes of a request outside of dialogs: rates, stages, answer, and the event that explains a refusal.
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import { securityEvent } from "../../kernel/security.ts";
import { authenticator } from "../../kernel/services.ts";
import type { InboundContext } from "../../kernel/stages.ts";
import type { Malformed, SipRequest, SipResponse } from "../../sip/message/message.ts";
import { addToTag, reply, statelessTag } from "../../sip/message/reply.ts";
import { writeUri } from "../../sip/message/uri.ts";
import type { IncomingRequest } from "../../sip/transaction/layer.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import type { Engine } from "./engine.ts";
import { optionsAnswer } from "./options.ts";
import { misfit, unsupported } from "./sanity.ts";
import type { Limits } from "./objects.ts";
import { Unidentified } from "./unidentified.ts";

/** The part of core's context the pipeline needs. */
export type InboundSide =
  & Pick<ModuleContext<unknown>, "events" | "metrics" | "log" | "find" | "inbound" | "objects">
  & {
    readonly limits: Limits;
  };

/** At most so many refusals of strangers a second are told as events. */
const TOLD_PER_SECOND = 20;

export class Inbound {
  readonly unidentified: Unidentified;
  #told = { second: 0, count: 0 };

  constructor(readonly engine: Engine, readonly side: InboundSide) {
    this.unidentified = new Unidentified(engine.world, side.objects);
    side.inbound("filter", ({ request }) => misfit(request, engine), "first");
    side.inbound("identify", (context) => this.#identify(context));
    side.inbound("authenticate", (context) => this.#authenticate(context));
    side.inbound("method", ({ request }) => unsupported(request, engine.capabilities), "first");
    side.inbound("method", (context) => optionsAnswer(context, engine, side), "last");
  }

  malformed(fault: Malformed, flow: Flow): void {
    const { side, engine } = this;
    side.metrics.count("malformed");
    const { host } = flow.remote;
    if (!fault.reply || engine.rates.take(host) !== "pass") return;
    engine.transports.respond(fault.reply, flow);
  }

  request(incoming: IncomingRequest): void {
    const { engine } = this;
    const { request, flow } = incoming;
    const { host } = flow.remote;
    const allowed = engine.rates.take(host);
    if (allowed !== "pass") {
      if (allowed === "report") securityEvent(this.side.events, "RateLimited", request, flow, accountOf(request));
      this.side.metrics.count("rate_limited");
      return incoming.drop();
    }
    if (engine.stopping && (request.method === "INVITE" || request.method === "OPTIONS")) {
      return this.#busy(incoming);
    }
    const { counts } = engine.transactions;
    const { serverTransactions, inviteServerTransactions } = this.side.limits;
    if (
      counts.server >= serverTransactions ||
      (request.method === "INVITE" && counts.inviteServer >= inviteServerTransactions)
    ) {
      this.side.metrics.count("over_limit");
      return engine.rates.isKnown(host) ? this.#busy(incoming) : incoming.drop();
    }
    const key = `call ${request.headers.get("Call-ID")}`;
    engine.queues.run(key, () => this.#run(incoming)).catch((error: unknown) => {
      this.side.log.error("a request could not be treated", { error: String(error) });
      incoming.drop();
    });
  }

  #busy(incoming: IncomingRequest): void {
    this.#answer(
      incoming,
      reply(incoming.request, 503, "Service Unavailable", { "Retry-After": "10" }),
      undefined,
      true,
    );
  }

  async #run(incoming: IncomingRequest): Promise<void> {
    const { request, flow } = incoming;
    const context: InboundContext = {
      incoming,
      request,
      flow,
      endpoint: undefined,
      artificial: false,
      authenticated: false,
      tried: [],
    };
    const response = await this.engine.host.stages.inbound(context) ??
      (incoming.state === "pending" ? this.#untaken(request) : undefined);
    if (!response) return;
    if (response.status >= 400) this.#refused(context, response);
    if (incoming.state !== "pending") {
      this.side.log.warning("a stage answered a request that another had taken", { method: request.method });
      return;
    }
    const known = context.endpoint !== undefined && !context.artificial;
    const stateless = !known || request.method === "OPTIONS" || response.status === 401 || response.status === 407;
    this.#answer(incoming, response, context.endpoint, stateless);
  }

  #answer(incoming: IncomingRequest, response: SipResponse, endpoint: Endpoint | undefined, stateless: boolean): void {
    addToTag(response, statelessTag(incoming.request));
    this.engine.answer(incoming, response, endpoint, stateless);
  }

  /** Nobody answers this method: 405 when a module knows it in dialogs only, else 501 (RFC 3261 §8.2.1). */
  #untaken(request: SipRequest): SipResponse {
    const { capabilities } = this.engine;
    if (request.headers.get("To")?.params.has("tag")) return reply(request, 481, "Call/Transaction Does Not Exist");
    const allow = { "Allow": capabilities.allow };
    return capabilities.methods.includes(request.method) || KNOWN.has(request.method)
      ? reply(request, 405, "Method Not Allowed", allow)
      : reply(request, 501, "Not Implemented", allow);
  }

  // ---- stages -----------------------------------------------------------------------------------------------------

  #identify(context: InboundContext): undefined {
    const { engine, side } = this;
    const endpoint = engine.identifiers.identify(context);
    const { host } = context.flow.remote;
    if (endpoint) {
      context.endpoint = endpoint;
      context.flow.peer = endpoint.id;
      this.unidentified.forget(host);
      return;
    }
    context.artificial = true;
    const byCredentials = engine.identifiers.order.includes("auth_username");
    if (!this.unidentified.seen(host, byCredentials)) return;
    const { request } = context;
    side.log.notice("no matching endpoint", {
      from: fromOf(request),
      source: `${host}:${context.flow.remote.port}`,
      callId: request.headers.get("Call-ID"),
    });
    securityEvent(side.events, "InvalidAccountID", request, context.flow, accountOf(request));
  }

  async #authenticate(context: InboundContext): Promise<SipResponse | undefined> {
    const { request, flow, endpoint, artificial } = context;
    const trusted = endpoint !== undefined && !artificial;
    if (trusted && !this.#wantsCredentials(endpoint, request)) {
      // Known by its address, or never asked who it is: what it may do is the operator's choice.
      flow.trust();
      this.engine.rates.known(flow.remote.host);
      return undefined;
    }
    const checker = this.side.find(authenticator);
    if (!checker) {
      this.side.metrics.count("no_authenticator");
      return reply(request, trusted ? 500 : 403, trusted ? "No Authenticator" : "Forbidden");
    }
    const verdict = await checker.check(context.incoming, trusted ? endpoint : undefined);
    if (verdict.kind === "success") {
      if (!trusted) return reply(request, 403, "Forbidden"); // nobody has the credentials of nobody
      context.authenticated = true;
      flow.trust();
      this.engine.rates.known(flow.remote.host);
      this.unidentified.forget(flow.remote.host);
      return undefined;
    }
    context.tried.push({ identifier: "authenticate", looked: endpoint?.id ?? "", result: verdict.why });
    if (verdict.kind === "failed" && this.engine.rates.failed(flow.remote.host)) {
      this.side.log.notice("source blocked after wrong credentials", { source: flow.remote.host });
      securityEvent(this.side.events, "SourceBlocked", request, flow, accountOf(request));
    }
    return verdict.response;
  }

  #wantsCredentials(endpoint: Endpoint, request: SipRequest): boolean {
    if (endpoint.auth.length === 0 || request.method === "ACK") return false;
    return request.method !== "OPTIONS" || endpoint.values.allowUnauthenticatedOptions !== true;
  }

  // ---- why --------------------------------------------------------------------------------------------------------

  #refused(context: InboundContext, response: SipResponse): void {
    const { request, flow, endpoint } = context;
    const { headers } = request;
    this.side.metrics.count("refused", 1, { status: String(response.status) });
    const first = response.status === 401 && endpoint !== undefined && !headers.has("Authorization");
    if (first || (endpoint === undefined && !this.#mayTell())) return;
    this.side.events.emit("request.refused", {
      method: request.method,
      status: response.status,
      source: `${flow.protocol}:${flow.remote.host}:${flow.remote.port}`,
      from: fromOf(request),
      to: toOf(request),
      callId: headers.get("Call-ID") ?? "",
      ...(endpoint ? { endpoint: endpoint.id } : {}),
      why: endpoint ? context.tried.at(-1)?.result ?? response.reason : "no identifier knows the sender",
      tried: context.tried,
    });
  }

  #mayTell(): boolean {
    const second = Math.floor(this.engine.world.now() / 1000);
    if (this.#told.second !== second) this.#told = { second, count: 0 };
    return ++this.#told.count <= TOLD_PER_SECOND;
  }
}

/** Methods of RFC 3261 and its extensions: known, even where nobody here answers them. */
const KNOWN = new Set([
  "INVITE",
  "BYE",
  "CANCEL",
  "OPTIONS",
  "REGISTER",
  "INFO",
  "PRACK",
  "UPDATE",
  "SUBSCRIBE",
  "NOTIFY",
  "REFER",
  "MESSAGE",
  "PUBLISH",
]);

function fromOf(request: SipRequest): string {
  const uri = request.headers.get("From")?.uri;
  return uri ? writeUri(uri) : "";
}

function toOf(request: SipRequest): string {
  const uri = request.headers.get("To")?.uri;
  return uri ? writeUri(uri) : "";
}

/** Who they say they are: the digest's username, else the user of From. */
function accountOf(request: SipRequest): string {
  const username = request.headers.get("Authorization")?.params.get("username");
  if (username !== undefined) return username;
  const uri = request.headers.get("From")?.uri;
  return uri?.scheme === "sip" || uri?.scheme === "sips" ? uri.user : "";
}
