// A user agent on nothing but the SIP library, and a peer that speaks raw datagrams: what the dialog tests call with.
import { type DialogHost } from "../../../src/sip/dialog/host.ts";
import { Dialogs } from "../../../src/sip/dialog/dialogs.ts";
import { type Exchange, InviteSession, type SessionEnd, type SessionPolicy } from "../../../src/sip/dialog/session.ts";
import { headerList } from "../../../src/sip/message/header_list.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../../src/sip/message/message.ts";
import { reply } from "../../../src/sip/message/reply.ts";
import { parseUri } from "../../../src/sip/message/uri.ts";
import type { IncomingRequest } from "../../../src/sip/transaction/layer.ts";
import { Transactions } from "../../../src/sip/transaction/transactions.ts";
import { Transports } from "../../../src/sip/transport/transports.ts";
import type { SocketAddress } from "../../../src/world/world.ts";
import type { VirtualHost, VirtualUniverse } from "../../virtual_world.ts";

export const policy: SessionPolicy = {
  reliable: "yes",
  timer: { mode: "no", expires: 1800, min: 90 },
  followForks: true,
  acceptMultipleAnswers: false,
  supported: ["100rel", "timer"],
  unsupported: () => [],
};

const encoder = new TextEncoder();

/** A description that is nobody's business here: the library does not read it. */
export const sdp = (name: string): Uint8Array => encoder.encode(`v=0\r\ns=${name}\r\n`);
export const named = (bytes: Uint8Array | undefined): string =>
  bytes ? /s=(.*)\r\n/.exec(new TextDecoder().decode(bytes))?.[1] ?? "?" : "";

/** One leg at an agent, with what happened to it in order. */
export class Leg {
  session: InviteSession | undefined;
  readonly log: string[] = [];
  ended: SessionEnd | undefined;
  /** Offers of the peer that nobody answered yet; taken by `onOffer` when set. */
  onOffer: ((description: Uint8Array | undefined, exchange: Exchange) => void) | undefined;
  on: ((what: string) => void) | undefined;

  readonly user = {
    progress: (response: SipResponse) => this.note(`${response.status}`),
    answer: (description: Uint8Array | undefined, _message: SipMessage, early: boolean) =>
      this.note(`${early ? "early " : ""}answer ${named(description)}`),
    accepted: () => this.note("accepted"),
    offer: (description: Uint8Array | undefined, exchange: Exchange) => {
      this.note(`offer ${named(description)}`);
      if (this.onOffer) this.onOffer(description, exchange);
      else exchange.accept(sdp("reanswer"));
    },
    confirmed: () => this.note("confirmed"),
    request: (transaction: Parameters<InviteSession["send"]>[0]) => {
      this.note(transaction.request.method);
      this.session?.respond(transaction, 200, "OK");
    },
    ended: (end: SessionEnd) => {
      this.ended = end;
      this.note(`ended ${end.by}`);
    },
  };

  note(what: string): void {
    this.log.push(what);
    this.on?.(what);
  }
}

export class Agent {
  readonly transports: Transports;
  readonly transactions: Transactions;
  readonly dialogs = new Dialogs();
  policy: SessionPolicy = policy;
  /** Decides about a new INVITE; the leg's session is ready. */
  onCall: (leg: Leg, request: SipRequest) => void = () => {};

  private constructor(readonly host: VirtualHost, readonly address: string, readonly protocol: "udp" | "tcp") {
    this.transports = new Transports(host, {
      message: (message, flow) => this.transactions.message(message, flow),
      observed: () => {},
      malformed: () => {},
      unreachable: (flow) => this.transactions.broken(flow),
      admit: () => true,
    });
    this.transactions = new Transactions(host, this.transports, {
      request: (incoming) => this.#request(incoming),
      ack: (ack) => void this.dialogs.ack(ack),
      stray: () => {},
    });
  }

  static async at(universe: VirtualUniverse, address: string, protocol: "udp" | "tcp" = "udp"): Promise<Agent> {
    const agent = new Agent(universe.host(address), address, protocol);
    await agent.transports.open({ id: protocol, protocol, host: address, port: 5060 });
    return agent;
  }

  get contact(): string {
    return `<sip:agent@${this.address}:5060${this.protocol === "tcp" ? ";transport=tcp" : ""}>`;
  }

  #request(incoming: IncomingRequest): void {
    if (this.dialogs.request(incoming)) return;
    const { request } = incoming;
    if (request.method !== "INVITE" || request.headers.get("To")?.params.has("tag")) {
      return incoming.reply(reply(request, 481, "Call/Transaction Does Not Exist"));
    }
    if (this.dialogs.merged(request)) return incoming.reply(reply(request, 482, "Loop Detected"));
    const leg = new Leg();
    leg.session = InviteSession.incoming(this.dialogs, this.#dialogHost(), this.policy, leg.user, {
      transaction: incoming.accept(),
      localTag: this.host.random.token(8),
      contact: this.contact,
    });
    if (!leg.ended) this.onCall(leg, request);
  }

  call(to: string, offer: Uint8Array | undefined, leg = new Leg()): Leg {
    const uri = parseUri(`sip:${to}`);
    if (!uri) throw new Error(`not a URI: ${to}`);
    const localTag = this.host.random.token(8);
    const headers = headerList([
      ["From", `<sip:agent@${this.address}>;tag=${localTag}`],
      ["To", `<sip:${to}>`],
      ["Call-ID", this.host.random.token(8)],
      ["CSeq", "1 INVITE"],
      ["Contact", this.contact],
    ]);
    leg.session = InviteSession.outgoing(this.dialogs, this.#dialogHost(), this.policy, leg.user, {
      invite: { kind: "request", method: "INVITE", uri, headers, body: new Uint8Array(0) },
      localTag,
      contact: this.contact,
    });
    leg.session.start(offer);
    return leg;
  }

  #dialogHost(): DialogHost {
    const destination = (uri: ReturnType<typeof parseUri>) =>
      uri?.scheme === "sip"
        ? { protocol: this.protocol, address: { host: uri.host, port: uri.port ?? 5060 } }
        : undefined;
    const prepare = (message: SipRequest | SipResponse) => {
      if (message.kind === "request") message.headers.set("Max-Forwards", "70");
      message.headers.set("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE");
    };
    return {
      world: this.host,
      transactions: this.transactions,
      t1: 500,
      prepare,
      nextHop: (uri, found) => found(destination(uri)),
      credentials: () => undefined,
      sendInvite: (request, handlers) => {
        prepare(request);
        const to = destination(request.uri);
        if (!to) throw new Error("tests call IP addresses");
        const transaction = this.transactions.request(request, to, handlers);
        return { request: transaction.request, cancel: (reason) => transaction.cancel(reason) };
      },
    };
  }
}

/** A peer of bytes: keeps what came, sends what it is told. */
export class RawPeer {
  readonly received: { readonly at: number; readonly text: string }[] = [];
  #send: (text: string, to: SocketAddress) => void = () => {};

  static async at(universe: VirtualUniverse, address: string): Promise<RawPeer> {
    const peer = new RawPeer();
    const socket = await universe.host(address).network.bindDatagram({ host: address, port: 5060 }, {
      received: (bytes) => void peer.received.push({ at: universe.now(), text: new TextDecoder().decode(bytes) }),
      unreachable: () => {},
    });
    peer.#send = (text, to) => void socket.send(encoder.encode(text), to);
    return peer;
  }

  send(text: string, host: string): void {
    this.#send(text, { host, port: 5060 });
  }

  /** Messages whose start line holds this. */
  all(start: string): readonly { readonly at: number; readonly text: string }[] {
    return this.received.filter(({ text }) => text.slice(0, text.indexOf("\r\n")).includes(start));
  }

  last(start: string): string {
    const found = this.all(start).at(-1);
    if (!found) throw new Error(`no ${start} in: ${this.received.map((r) => r.text.split("\r\n")[0]).join(" | ")}`);
    return found.text;
  }
}

/** Value of a header line in a message's text. */
export function header(text: string, name: string): string {
  const line = text.split("\r\n").find((l) => l.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line?.slice(name.length + 1).trim() ?? "";
}

/** A response to the text of a request. */
export function answerTo(request: string, status: string, options: {
  readonly tag?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
} = {}): string {
  const to = header(request, "To");
  const body = options.body ?? "";
  return [
    `SIP/2.0 ${status}`,
    `Via: ${header(request, "Via")}`,
    `From: ${header(request, "From")}`,
    `To: ${to.includes("tag=") || options.tag === undefined ? to : `${to};tag=${options.tag}`}`,
    `Call-ID: ${header(request, "Call-ID")}`,
    `CSeq: ${header(request, "CSeq")}`,
    ...options.lines ?? [],
    ...body ? ["Content-Type: application/sdp"] : [],
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}
