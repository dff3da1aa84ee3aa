import type { Timer } from "../../world/world.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { reply } from "../message/reply.ts";
import type { Flow } from "../transport/flow.ts";
import type { ServerTransaction } from "./layer.ts";
import { type TimerValues, TRYING_AFTER_MS } from "./timers.ts";

/** What a server transaction needs of its layer. */
export interface ServerHost {
  readonly timers: TimerValues;
  after(ms: number, run: () => void): Timer;
  /** Sends a response the way of RFC 3261 §18.2.2; undefined: it could not be sent. */
  respond(response: SipResponse, flow: Flow): Sent | undefined;
  sendBytes(bytes: Uint8Array, flow: Flow): boolean;
  /** The transaction has its final answer, which is all that is kept for so long: copies of the request get it again. */
  finished(key: string, invite: boolean, sent: Sent | undefined, ms: number): void;
  /** An INVITE has its final answer: it costs no more than its entry in the table. */
  answered(): void;
  ended(key: string): void;
}

/** A response as it left, to be repeated. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly flow: Flow;
}

/** What is left of a transaction after its final answer: timers J and L, without the messages. */
export class Finished {
  readonly #timer: Timer;

  /** Without `sent` copies of the request are only absorbed: the dialog repeats a 2xx to INVITE (RFC 6026 §7.1). */
  constructor(
    readonly key: string,
    readonly invite: boolean,
    readonly sent: Sent | undefined,
    ms: number,
    readonly host: ServerHost,
  ) {
    this.#timer = host.after(ms, () => host.ended(key));
  }

  received(): void {
    if (this.sent) this.host.sendBytes(this.sent.bytes, this.sent.flow);
  }

  stop(): void {
    this.#timer.cancel();
  }
}

/** Non-INVITE server transaction (RFC 3261 §17.2.2). */
export class NonInviteServer implements ServerTransaction {
  state: "trying" | "proceeding" | "completed" | "terminated" = "trying";
  #last: SipResponse | undefined;
  #timer: Timer;

  constructor(readonly request: SipRequest, readonly flow: Flow, readonly key: string, readonly host: ServerHost) {
    // Nobody waits longer than timer F: a request that its owner forgot does not stay for ever (RFC 4320 §4.1: no 408).
    this.#timer = host.after(64 * host.timers.T1, () => this.#terminate());
  }

  received(request: SipRequest): void {
    if (request.method !== "ACK" && this.#last) this.host.respond(this.#last, this.flow);
  }

  respond(response: SipResponse): void {
    if (this.state === "completed" || this.state === "terminated") return;
    this.#last = response;
    const sent = this.host.respond(response, this.flow);
    if (response.status < 200) {
      this.state = "proceeding";
      return;
    }
    this.state = "completed";
    this.#timer.cancel();
    if (!sent) return this.#terminate();
    if (this.flow.reliable) return this.#terminate();
    this.host.finished(this.key, false, sent, 64 * this.host.timers.T1); // timer J
  }

  onCancel(): void {} // only an INVITE can be cancelled with an effect (RFC 3261 §9.2)

  stop(): void {
    this.#timer.cancel();
    this.state = "terminated";
  }

  #terminate(): void {
    this.stop();
    this.host.ended(this.key);
  }
}

/** INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1). */
export class InviteServer implements ServerTransaction {
  state: "proceeding" | "completed" | "accepted" | "confirmed" | "terminated" = "proceeding";
  #last: SipResponse | undefined;
  #cancel: SipRequest | undefined;
  #cancelled: ((cancel: SipRequest) => void) | undefined;
  #timer: Timer | undefined; // 100 Trying, then G
  #limit: Timer | undefined; // H, I or L

  constructor(readonly request: SipRequest, readonly flow: Flow, readonly key: string, readonly host: ServerHost) {
    this.#timer = host.after(TRYING_AFTER_MS, () => this.#trying());
  }

  #trying(): void {
    this.#last = reply(this.request, 100, "Trying");
    this.host.respond(this.#last, this.flow);
  }

  /** The INVITE again. */
  received(_request: SipRequest): void {
    if (this.state === "proceeding" && !this.#last) {
      this.#timer?.cancel();
      this.#trying();
    } else if ((this.state === "proceeding" || this.state === "completed") && this.#last) {
      this.host.respond(this.#last, this.flow);
    }
  }

  /** An ACK to our final answer; false: it is for the dialog. */
  acknowledged(): boolean {
    if (this.state === "confirmed") return true;
    if (this.state !== "completed") return false;
    this.state = "confirmed";
    this.#stopTimers();
    if (this.flow.reliable) this.#terminate();
    else this.#limit = this.host.after(this.host.timers.T4, () => this.#terminate()); // timer I
    return true;
  }

  cancelled(cancel: SipRequest): void {
    if (this.state !== "proceeding" || this.#cancel) return;
    this.#cancel = cancel;
    this.#cancelled?.(cancel);
  }

  respond(response: SipResponse): void {
    const { T1 } = this.host.timers;
    if (this.state === "accepted" && response.status < 300 && response.status >= 200) {
      this.host.respond(response, this.flow);
      return;
    }
    if (this.state !== "proceeding") return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#last = response;
    const sent = this.host.respond(response, this.flow);
    if (response.status < 200) return;
    this.host.answered();
    if (!sent && this.flow.reliable) return this.#terminate();
    if (response.status < 300) {
      this.state = "accepted";
      this.host.finished(this.key, true, undefined, 64 * T1); // timer L
      return;
    }
    this.state = "completed";
    if (!this.flow.reliable) this.#repeat(T1);
    this.#limit = this.host.after(64 * T1, () => this.#terminate()); // timer H
  }

  /** Timer G. */
  #repeat(gap: number): void {
    this.#timer = this.host.after(gap, () => {
      if (this.#last) this.host.respond(this.#last, this.flow);
      this.#repeat(Math.min(gap * 2, this.host.timers.T2));
    });
  }

  onCancel(run: (cancel: SipRequest) => void): void {
    this.#cancelled = run;
    if (this.#cancel) run(this.#cancel);
  }

  #stopTimers(): void {
    this.#timer?.cancel();
    this.#limit?.cancel();
  }

  stop(): void {
    this.#stopTimers();
    this.state = "terminated";
  }

  #terminate(): void {
    this.stop();
    this.host.ended(this.key);
  }
}
