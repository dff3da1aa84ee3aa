// One SIP element of a test: sockets and transactions over a virtual host.
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.ts";
import { headerList } from "../../../src/sip/message/header_list.ts";
import { reply } from "../../../src/sip/message/reply.ts";
import { parseUri, type Uri } from "../../../src/sip/message/uri.ts";
import type { IncomingRequest, ServerTransaction } from "../../../src/sip/transaction/layer.ts";
import { Transactions } from "../../../src/sip/transaction/transactions.ts";
import type { Destination, Flow } from "../../../src/sip/transport/flow.ts";
import type { TransportLimits } from "../../../src/sip/transport/layer.ts";
import { transportLimits, Transports } from "../../../src/sip/transport/transports.ts";
import type { VirtualHost } from "../../virtual_world.ts";

export const uri = (text: string): Uri => {
  const parsed = parseUri(text);
  if (!parsed) throw new Error(`not a URI: ${text}`);
  return parsed;
};

/** What came, as text: "REQUEST INVITE", "180 INVITE", "failed timeout", "ack" ... */
export class Side {
  readonly seen: string[] = [];
  readonly wire: string[] = []; // start lines, "< " in and "> " out
  readonly transports: Transports;
  readonly transactions: Transactions;
  onRequest: (incoming: IncomingRequest) => void = (incoming) =>
    incoming.accept().respond(this.answer(incoming.request));
  last: ServerTransaction | undefined;
  malformed = 0;
  #serial = 0;

  constructor(readonly host: VirtualHost, limits: Partial<TransportLimits> = {}) {
    this.transports = new Transports(host, {
      message: (message, flow) => this.transactions.message(message, flow),
      observed: (direction, bytes) => {
        const [line] = new TextDecoder().decode(bytes).split("\r\n");
        this.wire.push(`${direction === "in" ? "<" : ">"} ${line}`);
      },
      malformed: (fault, flow) => {
        this.malformed++;
        if (fault.reply) this.transports.respond(fault.reply, flow);
      },
      unreachable: (flow) => this.transactions.broken(flow),
      admit: () => true,
    }, { ...transportLimits, ...limits });
    this.transactions = new Transactions(host, this.transports, {
      request: (incoming) => {
        this.seen.push(`REQUEST ${incoming.request.method}`);
        this.onRequest(incoming);
      },
      ack: () => this.seen.push("ack"),
      stray: (response) => this.seen.push(`stray ${response.status}`),
    });
  }

  async open(protocol: "udp" | "tcp" = "udp", host = "0.0.0.0"): Promise<this> {
    await this.transports.open({ id: protocol, protocol, host, port: 5060 });
    return this;
  }

  answer(request: SipRequest, status = 200, reason = "OK"): SipResponse {
    return reply(request, status, reason, {}, undefined, "theirs");
  }

  message(method: string, to = "sip:bob@192.0.2.2"): SipRequest {
    this.#serial++;
    const headers = headerList([
      ["Max-Forwards", "70"],
      ["From", `<sip:alice@192.0.2.1>;tag=a${this.#serial}`],
      ["To", `<${to}>`],
      ["Call-ID", `${this.#serial}@192.0.2.1`],
      ["CSeq", `1 ${method}`],
    ]);
    return { kind: "request", method, uri: uri(to), headers, body: new Uint8Array(0) };
  }

  send(request: SipRequest, destination: Destination) {
    return this.transactions.request(request, destination, {
      response: (response: SipResponse, _flow: Flow) =>
        this.seen.push(`${response.status} ${response.headers.get("CSeq")?.method}`),
      failed: (why) => this.seen.push(`failed ${why}`),
    });
  }
}

export const udp = (host: string, port = 5060): Destination => ({ protocol: "udp", address: { host, port } });
export const tcp = (host: string, port = 5060): Destination => ({ protocol: "tcp", address: { host, port } });
