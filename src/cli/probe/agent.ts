// A user agent of its own: registers and calls over real sockets with nothing but the SIP library and the media core.
import type { MediaPlane } from "../../kernel/media.ts";
import { Dialogs } from "../../sip/dialog/dialogs.ts";
import type { Challenges, DialogHost, SentInvite } from "../../sip/dialog/host.ts";
import { headerList } from "../../sip/message/header_list.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply, statelessTag } from "../../sip/message/reply.ts";
import { type SipUri, sipUri, type Uri, writeHost, writeUri } from "../../sip/message/uri.ts";
import type { ClientHandlers, IncomingRequest, TransactionUser } from "../../sip/transaction/layer.ts";
import { Transactions } from "../../sip/transaction/transactions.ts";
import type { Destination, Flow, Protocol } from "../../sip/transport/flow.ts";
import type { TransportListener } from "../../sip/transport/layer.ts";
import { Resolver } from "../../sip/transport/resolver.ts";
import { Transports } from "../../sip/transport/transports.ts";
import type { World } from "../../world/world.ts";
import { answerChallenge } from "./credentials.ts";
import type { Rung } from "./ladder.ts";

export interface Identity {
  readonly user: string;
  readonly domain: string;
  readonly password: string | undefined;
}

export interface AgentOptions {
  readonly world: World;
  readonly plane: MediaPlane;
  readonly identity: Identity;
  /** All requests outside a dialog go here first; undefined: where their URI leads. */
  readonly proxy: SipUri | undefined;
  readonly protocol: "udp" | "tcp";
  /** Our own address towards the server. */
  readonly host: string;
  readonly timeoutMs: number;
}

/** What came of a request outside a dialog. */
export type Outcome =
  | { readonly kind: "response"; readonly response: SipResponse; readonly ms: number }
  | { readonly kind: "failed"; readonly why: string };

const ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK";

export class Agent implements TransportListener, TransactionUser {
  readonly transports: Transports;
  readonly transactions: Transactions;
  readonly dialogs = new Dialogs();
  readonly #resolver: Resolver;
  readonly #startedAt: number;
  /** Every message, in order; bounded, so that a load of calls does not fill the memory. */
  readonly rungs: Rung[] = [];
  /** Shortest time from a request of ours to its first answer; undefined before one came. */
  roundTripMs: number | undefined;

  private constructor(readonly options: AgentOptions) {
    const { world } = options;
    this.transports = new Transports(world, this);
    this.transactions = new Transactions(world, this.transports, this);
    this.#resolver = new Resolver(world);
    this.#startedAt = world.now();
  }

  /** Binds the socket. Rejects when it cannot. */
  static async open(options: AgentOptions): Promise<Agent> {
    const agent = new Agent(options);
    await agent.transports.open({ id: "probe", protocol: options.protocol, host: options.host, port: 0 });
    return agent;
  }

  async close(): Promise<void> {
    this.transactions.stop();
    await this.transports.stop();
  }

  // ---- what the library below reports ------------------------------------------------------------------------------

  message(message: SipMessage, flow: Flow): void {
    this.transactions.message(message, flow);
  }

  /** Every message as it was on the wire becomes a rung of the ladder, retransmissions and ACKs too. */
  observed(direction: "in" | "out", bytes: Uint8Array): void {
    if (this.rungs.length >= MOST_RUNGS) return;
    this.rungs.push({ atMs: this.options.world.now() - this.#startedAt, direction, text: rungText(bytes) });
  }

  malformed(): void {} // its rung shows what came

  unreachable(flow: Flow): void {
    this.transactions.broken(flow);
  }

  admit(): boolean {
    return true;
  }

  request(incoming: IncomingRequest): void {
    const { request } = incoming;
    if (this.dialogs.request(incoming)) return;
    const answer = (status: number, reason: string) => {
      const response = reply(request, status, reason, { Allow: ALLOW }, undefined, statelessTag(request));
      incoming.reply(response);
    };
    if (request.headers.get("To")?.params.has("tag")) answer(481, "Call/Transaction Does Not Exist");
    else if (request.method === "OPTIONS") answer(200, "OK");
    else if (request.method === "INVITE") answer(486, "Busy Here");
    else answer(405, "Method Not Allowed");
  }

  ack(request: SipRequest): void {
    this.dialogs.ack(request);
  }

  stray(): void {} // a late answer to a call that is over

  // ---- asking --------------------------------------------------------------------------------------------------------

  /** Registers our contact for `expiresSeconds` (0: takes it back), with credentials when asked for them. */
  register(expiresSeconds: number): Promise<Outcome> {
    const { user, domain } = this.options.identity;
    const contact = this.contact();
    const request = this.#new("REGISTER", sipUri("", domain, this.#port()), sipUri(user, domain));
    request.headers.append("Contact", contact);
    request.headers.append("Expires", String(expiresSeconds));
    return this.ask(request);
  }

  /** Sends a request outside a dialog and waits for its final answer. */
  ask(request: SipRequest): Promise<Outcome> {
    const { world } = this.options;
    const started = world.now();
    return new Promise((resolve) => {
      this.send(request, {
        response: (response) => {
          if (response.status >= 200) resolve({ kind: "response", response, ms: world.now() - started });
        },
        failed: (_, detail) => resolve({ kind: "failed", why: detail }),
      });
    });
  }

  /** An INVITE of ours: From carries `localTag`. */
  invite(target: Uri, localTag: string): SipRequest {
    const request = this.#new("INVITE", target, target, localTag);
    request.headers.append("Contact", this.contact());
    request.headers.append("Allow", ALLOW);
    return request;
  }

  /** Our Contact, in angle brackets. */
  contact(): string {
    const { host, identity, protocol } = this.options;
    const port = this.transports.transports[0]?.port ?? 0;
    const transport = protocol === "udp" ? "" : `;transport=${protocol}`;
    return `<sip:${identity.user}@${writeHost(host)}:${port}${transport}>`;
  }

  #port(): Partial<SipUri> {
    const { proxy, identity } = this.options;
    return proxy?.host === identity.domain ? { port: proxy.port } : {};
  }

  #new(method: string, uri: Uri, to: Uri, tag = this.options.world.random.token(6)): SipRequest {
    const { identity, world } = this.options;
    const headers = headerList([
      ["Max-Forwards", "70"],
      ["From", `<sip:${identity.user}@${writeHost(identity.domain)}>;tag=${tag}`],
      ["To", `<${writeUri(to)}>`],
      ["Call-ID", `${world.random.token(12)}@${this.options.host}`],
      ["CSeq", `1 ${method}`],
      ["User-Agent", "patchbay probe"],
    ]);
    return { kind: "request", method, uri, headers, body: new Uint8Array(0) };
  }

  /** Sends outside a dialog; answers 401 and 407 with our password. */
  send(request: SipRequest, handlers: ClientHandlers): SentInvite {
    const { proxy } = this.options;
    const sent: { request: SipRequest | undefined; cancel(reason?: string): void } = {
      request: undefined,
      cancel: () => cancelled = true,
    };
    let cancelled = false;
    const challenges: Challenges = { rounds: 0, nonces: new Map() };
    const attempt = (request: SipRequest, destination: Destination): void => {
      const askedAt = this.options.world.now();
      const transaction = this.transactions.request(request, destination, {
        response: (response, flow) => {
          this.roundTripMs = Math.min(this.roundTripMs ?? Infinity, this.options.world.now() - askedAt);
          const answer = cancelled ? undefined : this.#credentials(request, response, challenges);
          if (answer === undefined) return handlers.response(response, flow);
          attempt(withCredentials(request, answer), destination);
        },
        failed: (why, detail) => handlers.failed(why, detail),
      });
      sent.request = transaction.request;
      sent.cancel = (reason) => {
        cancelled = true;
        transaction.cancel(reason);
      };
    };
    this.#resolve(proxy ?? request.uri, (destination) => {
      if (cancelled) return handlers.failed("unresolved", "cancelled");
      if (destination) attempt(request, destination);
      else handlers.failed("unresolved", `no way to ${writeUri(proxy ?? request.uri)} over ${this.options.protocol}`);
    });
    return sent;
  }

  #credentials(request: SipRequest, response: SipResponse, challenges: Challenges) {
    if (response.status !== 401 && response.status !== 407) return undefined;
    return answerChallenge(this.options.identity, request, response, challenges, this.options.world.random);
  }

  #resolve(uri: Uri, found: (destination: Destination | undefined) => void): void {
    if (uri.scheme !== "sip" && uri.scheme !== "sips") return found(undefined);
    const usable = (protocol: Protocol, ipv6: boolean) =>
      protocol === this.options.protocol && ipv6 === this.options.host.includes(":");
    const literal = this.#resolver.literal(uri, usable);
    if (literal) return found(literal[0]);
    this.#resolver.resolve(uri, usable).then((all) => found(all[0]));
  }

  /** The host of the sessions of this agent (src/sip/dialog). */
  get dialogHost(): DialogHost {
    return {
      world: this.options.world,
      transactions: this.transactions,
      t1: this.transactions.timers.T1,
      sendInvite: (request, handlers) => this.send(request, handlers),
      nextHop: (uri, found) => this.#resolve(uri, found),
      prepare: (message) => {
        if (message.kind === "request" && !message.headers.has("Max-Forwards")) {
          message.headers.append("Max-Forwards", "70");
        }
      },
      credentials: (request, challenge, history) => this.#credentials(request, challenge, history),
    };
  }
}

const MOST_RUNGS = 200;
const START_OCTETS = 2048;

/** The start line of a message; of a response with the method it answers. */
function rungText(bytes: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, START_OCTETS));
  const start = text.slice(0, text.indexOf("\r\n")).replace(/ ?SIP\/2\.0 ?/, "");
  const method = text.startsWith("SIP/2.0 ") ? /^CSeq\s*:\s*\d+\s+(\S+)/im.exec(text)?.[1] : undefined;
  return method === undefined ? start : `${start} (${method})`;
}

/** The same request again with CSeq + 1 and the credentials. */
function withCredentials(request: SipRequest, credentials: readonly (readonly [string, string])[]): SipRequest {
  const headers = request.headers.clone();
  headers.remove("Via");
  for (const [name] of credentials) headers.remove(name);
  for (const [name, value] of credentials) headers.append(name, value);
  const cseq = headers.get("CSeq");
  headers.set("CSeq", `${(cseq?.number ?? 0) + 1} ${request.method}`);
  return { ...request, headers };
}
