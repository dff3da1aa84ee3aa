import type { World } from "../../world/world.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { reply, statelessTag } from "../message/reply.ts";
import type { Destination, Flow } from "../transport/flow.ts";
import type { TransportLayer } from "../transport/layer.ts";
import { Client, type ClientHost, ourVia } from "./client.ts";
import type {
  ClientHandlers,
  ClientTransaction,
  IncomingRequest,
  ServerTransaction,
  TransactionLayer,
  TransactionUser,
} from "./layer.ts";
import { clientKey, newBranch, serverKey } from "./matching.ts";
import { Finished, InviteServer, NonInviteServer, type Sent, type ServerHost } from "./server.ts";
import { type TimerValues, timerValues } from "./timers.ts";

const UNDECIDED = 20_000; // requests nobody decided about yet; beyond it the oldest is forgotten

type TransportSide = Pick<TransportLayer, "flowNow" | "flowTo" | "sendBytes" | "send" | "respond" | "sentBy">;
const nobodyWaits: ClientHandlers = { response: () => {}, failed: () => {} };

export interface TransactionOptions {
  readonly timers: TimerValues;
  readonly rport: boolean;
}

/** All transactions of one server (RFC 3261 §17). The transport layer hands messages in with `message` and `broken`. */
export class Transactions implements TransactionLayer, ServerHost, ClientHost {
  readonly #servers = new Map<string, InviteServer | NonInviteServer | Finished>();
  readonly #undecided = new Map<string, Incoming>();
  readonly #clients = new Map<string, Client>();
  readonly #byFlow = new Map<string, Set<Client>>();
  #inviteServers = 0; // without a final answer
  timers: TimerValues;
  rport: boolean;

  constructor(
    readonly world: Pick<World, "after" | "random">,
    readonly transports: TransportSide,
    readonly user: TransactionUser,
    options: TransactionOptions = { timers: timerValues, rport: true },
  ) {
    this.timers = options.timers;
    this.rport = options.rport;
  }

  // ---- coming in --------------------------------------------------------------------------------------------------

  message(message: SipMessage, flow: Flow): void {
    if (message.kind === "response") this.#response(message, flow);
    else if (message.method === "ACK") this.#acknowledged(message, flow);
    else if (message.method === "CANCEL") this.#cancelled(message, flow);
    else this.#request(message, flow);
  }

  #request(request: SipRequest, flow: Flow): void {
    const key = serverKey(request);
    const known = this.#servers.get(key);
    if (known) return known.received(request);
    if (this.#undecided.has(key)) return;
    if (this.#undecided.size >= UNDECIDED) this.#forgetOldest();
    const incoming = new Incoming(request, flow, key, this);
    this.#undecided.set(key, incoming);
    this.user.request(incoming);
  }

  #forgetOldest(): void {
    for (const incoming of this.#undecided.values()) return incoming.drop();
  }

  #acknowledged(ack: SipRequest, flow: Flow): void {
    const invite = this.#servers.get(serverKey(ack, "INVITE"));
    if (invite instanceof InviteServer && invite.acknowledged()) return;
    this.user.ack(ack, flow);
  }

  /** RFC 3261 §9.2: answered here, whatever becomes of the INVITE. Without state: each copy is answered alike. */
  #cancelled(cancel: SipRequest, flow: Flow): void {
    const key = serverKey(cancel, "INVITE");
    const invite = this.#servers.get(key) ?? this.#undecided.get(key);
    const found = invite instanceof InviteServer || invite instanceof Incoming ||
      (invite instanceof Finished && invite.invite);
    const answer = found
      ? reply(cancel, 200, "OK", {}, undefined, statelessTag(cancel))
      : reply(cancel, 481, "Call/Transaction Does Not Exist", {}, undefined, statelessTag(cancel));
    this.transports.respond(answer, flow);
    if (invite instanceof InviteServer || invite instanceof Incoming) invite.cancelled(cancel);
  }

  #response(response: SipResponse, flow: Flow): void {
    if (response.headers.all("Via").length !== 1) return; // RFC 3261 §8.1.3.3: not for us
    const key = clientKey(response);
    const client = key === undefined ? undefined : this.#clients.get(key);
    if (client) client.received(response);
    else this.user.stray(response, flow);
  }

  /** The flow was refused (ICMP) or closed. */
  broken(flow: Flow): void {
    for (const client of [...this.#byFlow.get(flow.id) ?? []]) client.broken();
  }

  accept(incoming: Incoming): ServerTransaction {
    const { request, flow, key } = incoming;
    if (request.method !== "INVITE") {
      const transaction = new NonInviteServer(request, flow, key, this);
      this.#servers.set(key, transaction);
      return transaction;
    }
    const transaction = new InviteServer(request, flow, key, this);
    this.#inviteServers++;
    this.#servers.set(key, transaction);
    return transaction;
  }

  decided(incoming: Incoming): void {
    this.#undecided.delete(incoming.key);
  }

  // ---- going out --------------------------------------------------------------------------------------------------

  request(request: SipRequest, destination: Destination, handlers: ClientHandlers): ClientTransaction {
    return this.#start(request, newBranch(this.world.random), destination, handlers);
  }

  #start(request: SipRequest, branch: string, destination: Destination, handlers: ClientHandlers): Client {
    const client = new Client(request, branch, handlers, this);
    this.#clients.set(client.key, client);
    client.start(destination);
    return client;
  }

  cancel(request: SipRequest, branch: string, flow: Flow): void {
    this.#start(request, branch, { protocol: flow.protocol, address: flow.remote, flow }, nobodyWaits);
  }

  sendAck(ack: SipRequest, destination: Destination): void {
    const send = (flow: Flow) => {
      if (!ack.headers.has("Via")) {
        ack.headers.prepend("Via", ourVia(this.sentBy(flow), flow, newBranch(this.world.random), this.rport));
      }
      this.transports.send(ack, flow);
    };
    const flow = this.transports.flowNow(destination);
    if (flow) return send(flow);
    // Without a way to the peer its 2xx comes again, and with it the next attempt.
    this.transports.flowTo(destination).then(send, () => undefined);
  }

  after = (ms: number, run: () => void) => this.world.after(ms, run);
  flowNow = (destination: Destination) => this.transports.flowNow(destination);
  flowTo = (destination: Destination) => this.transports.flowTo(destination);
  sendBytes = (bytes: Uint8Array, flow: Flow) => this.transports.sendBytes(bytes, flow);
  respond = (response: SipResponse, flow: Flow) => this.transports.respond(response, flow);
  sentBy = (flow: Flow) => this.transports.sentBy(flow) ?? flow.local;

  bound(client: Client, flow: Flow): void {
    const others = this.#byFlow.get(flow.id);
    if (others) others.add(client);
    else this.#byFlow.set(flow.id, new Set([client]));
  }

  finished(key: string, invite: boolean, sent: Sent | undefined, ms: number): void {
    this.#servers.set(key, new Finished(key, invite, sent, ms, this));
  }

  answered(): void {
    this.#inviteServers--;
  }

  ended(client: Client): void;
  ended(key: string): void;
  ended(which: Client | string): void {
    if (typeof which === "string") return void this.#servers.delete(which);
    this.#clients.delete(which.key);
    if (!which.flow) return;
    const others = this.#byFlow.get(which.flow.id);
    others?.delete(which);
    if (others?.size === 0) this.#byFlow.delete(which.flow.id);
  }

  /** A live request of ours went out with this branch: one that comes in with it has run in a circle. */
  isOurs(branch: string, method: string): boolean {
    return this.#clients.size > 0 && this.#clients.has(`${branch} ${method}`);
  }

  /** The request of ours that a response answers, while its transaction lives. */
  requestOf(response: SipResponse): SipRequest | undefined {
    const key = clientKey(response);
    return key === undefined ? undefined : this.#clients.get(key)?.request;
  }

  get counts(): { readonly server: number; readonly inviteServer: number; readonly client: number } {
    return { server: this.#servers.size, inviteServer: this.#inviteServers, client: this.#clients.size };
  }

  stop(): void {
    for (const transaction of this.#servers.values()) transaction.stop();
    for (const client of this.#clients.values()) client.stop();
    this.#servers.clear();
    this.#clients.clear();
    this.#byFlow.clear();
    this.#undecided.clear();
    this.#inviteServers = 0;
  }
}

/** A request somebody has to decide about. */
class Incoming implements IncomingRequest {
  state: IncomingRequest["state"] = "pending";
  #cancel: SipRequest | undefined;

  constructor(
    readonly request: SipRequest,
    readonly flow: Flow,
    readonly key: string,
    readonly layer: Transactions,
  ) {}

  /** A CANCEL overtook the decision; the transaction learns of it when there is one. */
  cancelled(cancel: SipRequest): void {
    this.#cancel ??= cancel;
  }

  reply(response: SipResponse): void {
    if (this.#decide("replied")) this.layer.respond(response, this.flow);
  }

  accept(): ServerTransaction {
    if (!this.#decide("accepted")) throw new Error(`${this.request.method} is already ${this.state}`);
    const transaction = this.layer.accept(this);
    if (this.#cancel && transaction instanceof InviteServer) transaction.cancelled(this.#cancel);
    return transaction;
  }

  drop(): void {
    this.#decide("dropped");
  }

  #decide(state: IncomingRequest["state"]): boolean {
    if (this.state !== "pending") return false;
    this.state = state;
    this.layer.decided(this);
    return true;
  }
}
