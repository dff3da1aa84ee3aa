import type { Endpoint } from "../../kernel/endpoint.ts";
import type { ChallengeHistory, OutboundAuthenticator, OutboundRequest } from "../../kernel/services.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import type { ClientHandlers, ClientTransaction } from "../../sip/transaction/layer.ts";
import type { Destination, Flow } from "../../sip/transport/flow.ts";
import type { Timer } from "../../world/world.ts";
import type { Engine } from "./engine.ts";
import { cleanTo, withoutPrivate } from "./private_params.ts";

/** Who answers challenges. */
export type Credentials = Pick<OutboundAuthenticator, "answer">;

/** A silent address is left for the next one after this; the last one is waited for to the end. */
const SILENCE_MS = 6_000;
const LARGE_OCTETS = 1300; // RFC 3261 §18.1.1
const MOST_ROUNDS = 10;

/** One request on its way: resolved, tried at one address after the other, with credentials when asked (RFC 3261 §8.1.3). */
export class Sending implements OutboundRequest {
  transaction: ClientTransaction | undefined;
  #request: SipRequest; // without Via
  #left: Destination[] = [];
  #current: Destination | undefined;
  #cancelled = false;
  #attempt = 0;
  #silence: Timer | undefined;
  readonly #challenges: ChallengeHistory = { rounds: 0, nonces: new Map() };

  constructor(
    readonly engine: Engine,
    request: SipRequest,
    readonly endpoint: Endpoint | undefined,
    readonly handlers: ClientHandlers,
  ) {
    this.#request = request;
  }

  start(to: Destination | undefined): void {
    if (to) return this.#try([to]);
    const route = this.#request.headers.get("Route");
    const found = this.engine.candidates(route?.uri ?? this.#request.uri, this.endpoint, route !== undefined);
    if ("then" in found) void found.then((list) => this.#try(list));
    else this.#try(found);
  }

  #try(destinations: readonly Destination[]): void {
    this.#left = this.#preferTcp(destinations);
    this.#next("unresolved", "no address was found");
  }

  /** A request too long for a datagram goes by TCP first, where we speak TCP and the operator allows it. */
  #preferTcp(destinations: readonly Destination[]): Destination[] {
    const first = destinations[0];
    if (!first || first.protocol !== "udp" || first.flow || !this.engine.host.tcpSwitch) return [...destinations];
    if (this.#request.body.length + 700 < LARGE_OCTETS) return [...destinations];
    const { transport: _udpOnly, ...rest } = first;
    const byTcp: Destination = { ...rest, protocol: "tcp" };
    return this.engine.transports.sentBy(byTcp) ? [byTcp, ...destinations] : [...destinations];
  }

  /** The next address, or the end with what the last one said. */
  #next(why: "timeout" | "transport" | "unresolved", detail: string): void {
    const destination = this.#left.shift();
    if (!destination || (this.#cancelled && this.#attempt > 0)) return this.handlers.failed(why, detail);
    if (this.#cancelled) return this.handlers.failed("transport", "cancelled before it was sent");
    this.#current = destination;
    this.#send(destination);
  }

  #send(destination: Destination): void {
    const attempt = ++this.#attempt;
    const uri = withoutPrivate(this.#request.uri);
    const request: SipRequest = { ...this.#request, uri, headers: this.#request.headers.clone() };
    cleanTo(request.headers);
    this.engine.prepare(request, this.endpoint, destination, undefined);
    const transaction = this.engine.transactions.request(request, destination, {
      response: (response, flow) => this.#answered(response, flow, attempt),
      failed: (why, detail) => {
        if (attempt === this.#attempt) this.#failed(why, detail);
      },
    });
    this.transaction = transaction;
    if (this.#left.length > 0) this.#silence = this.engine.world.after(SILENCE_MS, () => this.#silent(attempt));
    if (this.#cancelled) transaction.cancel();
  }

  /** Nothing at all came: the next address gets its chance, and what this one says later is void. */
  #silent(attempt: number): void {
    if (attempt !== this.#attempt || this.#cancelled) return;
    this.transaction?.cancel();
    this.#attempt++;
    this.#next("timeout", "no answer");
  }

  #failed(why: "timeout" | "transport" | "unresolved", detail: string): void {
    this.#silence?.cancel();
    this.#next(why, detail);
  }

  #answered(response: SipResponse, flow: Flow, attempt: number): void {
    if (attempt !== this.#attempt) return;
    this.#silence?.cancel();
    if (this.endpoint) {
      if (this.endpoint.id !== "") flow.peer ??= this.endpoint.id; // a registration sends as nobody
      this.engine.repair(response, flow, this.endpoint);
    }
    const { status } = response;
    if (status < 300) return this.handlers.response(response, flow);
    if ((status === 401 || status === 407) && !this.#cancelled && this.#authenticate(response)) return;
    if ((status === 408 || status === 503) && this.#left.length > 0 && !this.#cancelled) {
      return this.#next("transport", `${status} ${response.reason}`);
    }
    this.handlers.response(response, flow);
  }

  #authenticate(challenge: SipResponse): boolean {
    const { credentials } = this.engine.host;
    const destination = this.#current;
    if (!credentials || !destination || !this.endpoint || this.endpoint.outboundAuth.length === 0) return false;
    if (++this.#challenges.rounds > MOST_ROUNDS) return false;
    const answer = credentials.answer(this.#request, challenge, this.endpoint.outboundAuth, this.#challenges);
    if ("refused" in answer) return false;
    const headers = this.#request.headers.clone();
    for (const [name] of answer.headers) headers.remove(name);
    for (const [name, value] of answer.headers) headers.append(name, value);
    const cseq = headers.get("CSeq");
    headers.set("CSeq", `${(cseq?.number ?? 0) + 1} ${this.#request.method}`);
    this.#request = { ...this.#request, headers };
    this.#send(destination);
    return true;
  }

  cancel(reason?: string): void {
    this.#cancelled = true;
    this.#silence?.cancel();
    this.transaction?.cancel(reason);
  }
}
