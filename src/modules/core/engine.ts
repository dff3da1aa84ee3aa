// The SIP engine of a server: what it keeps over a reload of the module. The module that runs now is `host`.
import type { Endpoint } from "../../kernel/endpoint.ts";
import { KeyedQueue } from "../../kernel/keyed_queue.ts";
import type { ClientHandlers, IncomingRequest } from "../../sip/transaction/layer.ts";
import type { DialogOwner, Lifecycle, OutboundRequest, Stages } from "../../kernel/services.ts";
import type { Malformed, SipMessage, SipRequest, SipResponse } from "../../sip/message/message.ts";
import type { Uri } from "../../sip/message/uri.ts";
import { writeUri } from "../../sip/message/uri.ts";
import { Transactions } from "../../sip/transaction/transactions.ts";
import { timerValues } from "../../sip/transaction/timers.ts";
import type { Destination, Flow, Protocol } from "../../sip/transport/flow.ts";
import type { TransportLimits } from "../../sip/transport/layer.ts";
import { Resolver } from "../../sip/transport/resolver.ts";
import { Transports } from "../../sip/transport/transports.ts";
import type { World } from "../../world/world.ts";
import { CapabilityTable } from "./capabilities.ts";
import { IdentifierTable } from "./identify.ts";
import type { Limits } from "./objects.ts";
import { Rates } from "./rates.ts";
import { type Credentials, Sending } from "./sending.ts";

export type Preload = (request: SipRequest, endpoint: Endpoint | undefined) => void;
export type Repair = (message: SipMessage, flow: Flow, endpoint: Endpoint) => void;

/** What the engine needs of the module that runs now. */
export interface EngineHost {
  readonly lifecycle: Lifecycle;
  readonly stages: Stages;
  /** A request outside of dialogs. */
  request(incoming: IncomingRequest): void;
  malformed(fault: Malformed, flow: Flow): void;
  endpoint(id: string): Endpoint | undefined;
  /** First hop of everything sent to this endpoint. */
  outboundProxy(endpoint: Endpoint): Uri | undefined;
  readonly credentials: Credentials | undefined;
  readonly tcpSwitch: boolean;
  count(name: string): void;
}

export class Engine {
  readonly transports: Transports;
  readonly transactions: Transactions;
  readonly resolver: Resolver;
  readonly capabilities = new CapabilityTable();
  readonly identifiers = new IdentifierTable();
  readonly queues = new KeyedQueue();
  readonly rates: Rates;
  readonly owners = new Set<DialogOwner>();
  readonly repairs = new Set<Repair>();
  readonly preloads = new Set<Preload>();
  #host: EngineHost | undefined;

  constructor(readonly world: World, limits: Limits, keepAliveSeconds: number) {
    this.rates = new Rates(world, limits);
    this.resolver = new Resolver(world);
    this.transports = new Transports(world, {
      message: (message, flow) => this.#arrived(message, flow),
      observed: (direction, bytes, flow) => this.#host?.stages.observe({ direction, bytes, flow }),
      malformed: (fault, flow) => this.#host?.malformed(fault, flow),
      unreachable: (flow) => this.transactions.broken(flow),
      admit: (flow) => this.#host !== undefined && this.rates.heard(flow.remote.host),
    }, transportLimits(limits, keepAliveSeconds));
    this.transactions = new Transactions(world, this.transports, {
      request: (incoming) => this.#request(incoming),
      ack: (request, flow) => void this.#first((owner) => owner.ack(request, flow)),
      stray: (response, flow) => void this.#first((owner) => owner.stray(response, flow)),
    }, { timers: timerValues, rport: true });
  }

  /** Graceful shutdown has begun. */
  get stopping(): boolean {
    return this.#host?.lifecycle.stopping ?? false;
  }

  attach(host: EngineHost, limits: Limits, keepAliveSeconds: number): void {
    this.#host = host;
    this.rates.setLimits(limits);
    this.transports.limits = transportLimits(limits, keepAliveSeconds);
  }

  /** Between two runs of the module everything is ignored: peers repeat. */
  detach(): void {
    this.#host = undefined;
  }

  get host(): EngineHost {
    if (!this.#host) throw new Error("the SIP engine without its module");
    return this.#host;
  }

  /** A message of somebody who was recognised on this flow before is repaired before dialogs see it. */
  #arrived(message: SipMessage, flow: Flow): void {
    const endpoint = flow.peer === undefined ? undefined : this.#host?.endpoint(flow.peer);
    if (endpoint && !this.#routed(message)) this.repair(message, flow, endpoint);
    this.transactions.message(message, flow);
  }

  /** An answer within a dialog that has a route set: its Contact is not the hop next to us. */
  #routed(message: SipMessage): boolean {
    if (message.kind === "request") return false;
    const { headers } = this.transactions.requestOf(message) ?? {};
    return headers !== undefined && headers.has("Route") && headers.get("To")?.params.has("tag") === true;
  }

  repair(message: SipMessage, flow: Flow, endpoint: Endpoint): void {
    for (const repair of this.repairs) repair(message, flow, endpoint);
  }

  #first(take: (owner: DialogOwner) => boolean): boolean {
    for (const owner of this.owners) if (take(owner)) return true;
    return false;
  }

  #request(incoming: IncomingRequest): void {
    if (!this.#host) return incoming.drop();
    const inDialog = incoming.request.headers.get("To")?.params.has("tag") === true;
    if (inDialog && this.#first((owner) => owner.request(incoming))) return;
    this.#host.request(incoming);
  }

  // ---- going out --------------------------------------------------------------------------------------------------

  send(
    request: SipRequest,
    endpoint: Endpoint | undefined,
    handlers: ClientHandlers,
    to?: Destination,
  ): OutboundRequest {
    for (const preload of this.preloads) preload(request, endpoint);
    const sending = new Sending(this, request, endpoint, handlers);
    sending.start(to);
    return sending;
  }

  prepare(
    message: SipMessage,
    endpoint: Endpoint | undefined,
    destination: Destination | Flow,
    answers: SipRequest | undefined,
  ): void {
    this.#host?.stages.outbound({ message, endpoint, destination, answers });
  }

  /**
   * Candidates for a URI; the endpoint's proxy (unless the URI is that of a Route) and transport come first. Answers at
   * once where nothing is looked up.
   */
  candidates(
    uri: Uri,
    endpoint: Endpoint | undefined,
    routed = false,
  ): readonly Destination[] | Promise<readonly Destination[]> {
    const target = (endpoint && !routed ? this.#host?.outboundProxy(endpoint) : undefined) ?? uri;
    if (target.scheme !== "sip" && target.scheme !== "sips") return [];
    const only = endpoint?.transport;
    const usable = (protocol: Protocol, ipv6: boolean) => {
      for (const { id, protocol: carried, host } of this.transports.transports) {
        if (carried === protocol && host.includes(":") === ipv6 && (only === undefined || id === only)) return true;
      }
      return false;
    };
    const pinned = (list: readonly Destination[]) =>
      only === undefined ? list : list.map((destination) => ({ ...destination, transport: only }));
    const literal = this.resolver.literal(target, usable);
    return literal ? pinned(literal) : this.resolver.resolve(target, usable).then(pinned);
  }

  /** "sip:user@host:port;transport=tcp": where requests to us come in. */
  localContact(towards: Destination | Flow, user: string): string {
    const address = this.transports.sentBy(towards);
    const params = towards.protocol === "udp" ? new Map<string, string>() : new Map([["transport", towards.protocol]]);
    return writeUri({
      scheme: "sip",
      user,
      password: undefined,
      host: address?.host ?? "0.0.0.0",
      port: address?.port,
      params,
      headers: "",
    });
  }

  answer(incoming: IncomingRequest, response: SipResponse, endpoint: Endpoint | undefined, stateless: boolean): void {
    this.prepare(response, endpoint, incoming.flow, incoming.request);
    if (stateless) incoming.reply(response);
    else incoming.accept().respond(response);
  }

  async stop(): Promise<void> {
    this.#host = undefined;
    await this.transports.stop();
    this.transactions.stop();
  }
}

export function transportLimits(limits: Limits, keepAliveSeconds: number): TransportLimits {
  return {
    messageOctets: limits.messageOctets,
    connections: limits.connections,
    connectionsPerStranger: limits.connectionsPerStranger,
    firstMessageSeconds: limits.firstMessageTime,
    gapSeconds: limits.gapTime,
    idleStrangerSeconds: limits.idleStrangerTime,
    idleTrustedSeconds: limits.idleKnownTime,
    unsentOctets: limits.unsentOctets,
    keepAliveSeconds,
  };
}
