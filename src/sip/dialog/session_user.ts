import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/layer.ts";
import type { HeaderLines } from "./server_invite.ts";
import type { TimerPolicy } from "./session_timer.ts";

export interface SessionPolicy {
  readonly reliable: "no" | "yes" | "peer_supported" | "required";
  readonly timer: TimerPolicy;
  /** Follow early media to another branch of a fork. */
  readonly followForks: boolean;
  /** Believe a second, different answer of the same branch. */
  readonly acceptMultipleAnswers: boolean;
  /** Option tags we name in Supported. */
  readonly supported: readonly string[];
  /** Option tags in Require that we do not serve. */
  unsupported(request: SipRequest): readonly string[];
}

/** Why and by whom a session ended; `message` is the BYE, CANCEL or final response when there was one. */
export interface SessionEnd {
  readonly by: "local" | "remote" | "timeout";
  readonly status: number | undefined; // of a refused INVITE
  readonly message: SipMessage | undefined;
  readonly why: string;
}

/** An offer of the peer that waits for us; `accept` and `refuse` do nothing once the exchange is over. */
export interface Exchange {
  readonly message: SipMessage;
  accept(description: Uint8Array): void;
  refuse(status: number, reason: string, lines?: HeaderLines): void;
}

/** Who uses a session. Each call is synchronous, and must not throw. */
export interface SessionUser {
  /** A 1xx above 100 to our INVITE. */
  progress(response: SipResponse): void;
  /** Our offer was answered; `early` in a 1xx. */
  answer(description: Uint8Array | undefined, message: SipMessage, early: boolean): void;
  /** Our INVITE got its 2xx (after `answer`). */
  accepted(response: SipResponse): void;
  /** The peer offers, or wants our offer (undefined). Not called for the offer of the initial INVITE. */
  offer(description: Uint8Array | undefined, exchange: Exchange): void;
  /** The ACK to our 2xx came. */
  confirmed(): void;
  /** INFO, OPTIONS, REFER ...: to be answered with `session.respond`. */
  request(transaction: ServerTransaction): void;
  /** Exactly once; nothing is reported after it. */
  ended(end: SessionEnd): void;
  /** Once, after the end: all that was asked is answered or given up, the BYE too. */
  released?(): void;
}

/** A re-INVITE or UPDATE of ours; waits its turn. */
export interface Change {
  /** "refresh": UPDATE when the peer allows it, else INVITE. */
  readonly method: "INVITE" | "UPDATE" | "refresh";
  /** Called when its turn came; answers with the offer, or undefined when nothing is to be changed any more. Absent: no SDP. */
  readonly offer?: (ready: (description: Uint8Array | undefined) => void) => void;
  /** The final status; 0 when dropped. */
  done?(status: number): void;
}
