import type { SocketAddress, Timer } from "../../world/world.ts";
import { headerList } from "../message/header_list.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { writeVia } from "../message/via.ts";
import { writeMessage } from "../message/writer.ts";
import type { Destination, Flow } from "../transport/flow.ts";
import type { ClientHandlers, ClientTransaction } from "./layer.ts";
import { TIMER_D_MS, type TimerValues } from "./timers.ts";

/** What a client transaction needs of its layer. */
export interface ClientHost {
  readonly timers: TimerValues;
  after(ms: number, run: () => void): Timer;
  flowNow(destination: Destination): Flow | undefined;
  flowTo(destination: Destination): Promise<Flow>;
  sendBytes(bytes: Uint8Array, flow: Flow): boolean;
  sentBy(flow: Flow): SocketAddress;
  /** `;rport` in our Via (RFC 3581). */
  readonly rport: boolean;
  /** The transaction has its flow: from now on the layer tells it when that breaks. */
  bound(transaction: Client, flow: Flow): void;
  ended(transaction: Client): void;
  /** A CANCEL of this INVITE, as a transaction of its own with the same branch. */
  cancel(request: SipRequest, branch: string, flow: Flow): void;
}

type ClientState = "calling" | "trying" | "proceeding" | "completed" | "accepted" | "terminated";

/** Both client transactions (RFC 3261 §17.1, RFC 6026 §7.2); an INVITE begins in "calling", others in "trying". */
export class Client implements ClientTransaction {
  readonly invite: boolean;
  state: ClientState;
  flow: Flow | undefined;
  #bytes: Uint8Array | undefined; // while it may have to be repeated
  #ack: Uint8Array | undefined;
  #repeat: Timer | undefined; // A or E
  #limit: Timer | undefined; // B, F, D, K, M
  #cancel: { readonly reason: string | undefined } | undefined;
  #cancelSent = false;

  constructor(
    readonly request: SipRequest,
    readonly branch: string,
    readonly handlers: ClientHandlers,
    readonly host: ClientHost,
  ) {
    this.invite = request.method === "INVITE";
    this.state = this.invite ? "calling" : "trying";
  }

  get key(): string {
    return `${this.branch} ${this.request.method}`;
  }

  start(destination: Destination): void {
    const flow = this.host.flowNow(destination);
    if (flow) return this.#begin(flow);
    this.#limit = this.host.after(this.host.timers.timeoutMs, () => this.#fail("timeout", "no connection in time"));
    this.host.flowTo(destination).then(
      (opened) => this.state === "terminated" || this.#begin(opened),
      (error: unknown) => this.#fail("transport", error instanceof Error ? error.message : String(error)),
    );
  }

  #begin(flow: Flow): void {
    const { T1, timeoutMs } = this.host.timers;
    this.#limit?.cancel();
    if (this.#cancel) return this.#fail("transport", "cancelled before it was sent");
    this.flow = flow;
    this.host.bound(this, flow);
    if (!this.request.headers.has("Via")) {
      this.request.headers.prepend("Via", ourVia(this.host.sentBy(flow), flow, this.branch, this.host.rport));
    }
    this.#bytes = writeMessage(this.request);
    this.#limit = this.host.after(timeoutMs, () => this.#fail("timeout", "no answer"));
    if (!this.host.sendBytes(this.#bytes, flow)) return this.#failSoon(flow);
    if (!flow.reliable) this.#repeatAfter(T1);
  }

  /** The caller has not got its transaction yet. */
  #failSoon(flow: Flow): void {
    this.#limit?.cancel();
    this.#limit = this.host.after(
      0,
      () => this.#fail("transport", `${flow.remote.host}:${flow.remote.port} refused it`),
    );
  }

  /** Timers A and E. */
  #repeatAfter(gap: number): void {
    this.#repeat = this.host.after(gap, () => {
      if (this.#bytes && this.flow) this.host.sendBytes(this.#bytes, this.flow);
      const { T2 } = this.host.timers;
      this.#repeatAfter(this.invite ? gap * 2 : this.state === "proceeding" ? T2 : Math.min(gap * 2, T2));
    });
  }

  received(response: SipResponse): void {
    if (this.invite) this.#inviteAnswered(response);
    else this.#answered(response);
  }

  #inviteAnswered(response: SipResponse): void {
    const flow = this.flow;
    if (!flow || this.state === "terminated") return;
    if (this.state === "completed") {
      if (response.status >= 300 && this.#ack) this.host.sendBytes(this.#ack, flow);
      return;
    }
    if (this.state === "accepted") {
      if (response.status >= 200 && response.status < 300) this.handlers.response(response, flow);
      return;
    }
    this.#repeat?.cancel();
    if (response.status < 200) {
      if (this.state === "calling") {
        this.state = "proceeding";
        this.#limit?.cancel();
      }
      this.#bytes = undefined;
      if (this.#cancel) this.#sendCancel(flow);
      this.handlers.response(response, flow);
      return;
    }
    this.#limit?.cancel();
    this.#bytes = undefined;
    if (response.status < 300) {
      this.state = "accepted";
      this.#limit = this.host.after(64 * this.host.timers.T1, () => this.#terminate()); // timer M
    } else {
      this.state = "completed";
      this.#ack = writeMessage(ackTo(this.request, response));
      this.host.sendBytes(this.#ack, flow);
      if (flow.reliable) this.#terminate();
      else this.#limit = this.host.after(Math.max(TIMER_D_MS, 64 * this.host.timers.T1), () => this.#terminate());
    }
    this.handlers.response(response, flow);
  }

  #answered(response: SipResponse): void {
    const flow = this.flow;
    if (!flow || this.state === "completed" || this.state === "terminated") return;
    if (response.status < 200) {
      this.state = "proceeding";
      this.handlers.response(response, flow);
      return;
    }
    this.state = "completed";
    this.#repeat?.cancel();
    this.#limit?.cancel();
    this.#bytes = undefined;
    if (flow.reliable) this.#terminate();
    else this.#limit = this.host.after(this.host.timers.T4, () => this.#terminate()); // timer K
    this.handlers.response(response, flow);
  }

  cancel(reason?: string): void {
    if (!this.invite || this.#cancel || (this.state !== "calling" && this.state !== "proceeding")) return;
    this.#cancel = { reason };
    if (this.state === "proceeding" && this.flow) this.#sendCancel(this.flow);
  }

  #sendCancel(flow: Flow): void {
    if (this.#cancelSent) return;
    this.#cancelSent = true;
    const cancel = cancelOf(this.request);
    if (this.#cancel?.reason !== undefined) cancel.headers.append("Reason", this.#cancel.reason);
    this.host.cancel(cancel, this.branch, flow);
    // A peer that never ends the INVITE it was told to cancel is not waited for (RFC 3261 §9.1).
    this.#limit?.cancel();
    this.#limit = this.host.after(64 * this.host.timers.T1, () => this.#fail("timeout", "no answer after CANCEL"));
  }

  /** ICMP said so, or the connection is gone. What was answered provisionally may still be answered another way. */
  broken(): void {
    if (this.state !== "calling" && this.state !== "trying") return;
    const remote = this.flow?.remote;
    this.#fail("transport", `${remote?.host}:${remote?.port} is unreachable`);
  }

  #fail(why: "timeout" | "transport", detail: string): void {
    if (this.state === "terminated") return;
    this.#terminate();
    this.handlers.failed(why, detail);
  }

  #terminate(): void {
    this.stop();
    this.host.ended(this);
  }

  stop(): void {
    this.#repeat?.cancel();
    this.#limit?.cancel();
    this.state = "terminated";
  }
}

/** Our own Via value for a request over this flow. */
export function ourVia(sentBy: SocketAddress, flow: Flow, branch: string, rport: boolean): string {
  const params = new Map([["branch", branch]]);
  if (rport) params.set("rport", "");
  const transport = flow.protocol.toUpperCase();
  return writeVia({ protocol: "SIP/2.0", transport, host: sentBy.host, port: sentBy.port, params });
}

/** The ACK to a final answer that is no 2xx: part of the INVITE's transaction (RFC 3261 §17.1.1.3). */
function ackTo(invite: SipRequest, response: SipResponse): SipMessage {
  const ack = sameHop(invite, "ACK");
  ack.headers.set("To", response.headers.text("To") ?? invite.headers.text("To") ?? "");
  return ack;
}

/** RFC 3261 §9.1. */
function cancelOf(invite: SipRequest): SipRequest {
  return sameHop(invite, "CANCEL");
}

function sameHop(invite: SipRequest, method: string): SipRequest {
  const asked = invite.headers;
  const headers = headerList();
  headers.append("Via", asked.texts("Via")[0] ?? "");
  headers.copy(asked, "Route");
  headers.append("Max-Forwards", asked.text("Max-Forwards") ?? "70");
  for (const name of ["From", "To", "Call-ID"]) headers.copy(asked, name);
  headers.append("CSeq", `${asked.get("CSeq")?.number ?? 1} ${method}`);
  return { kind: "request", method, uri: invite.uri, headers, body: new Uint8Array(0) };
}
