import type { Random, World } from "../../world/world.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Uri } from "../message/uri.ts";
import type { ClientHandlers, TransactionLayer } from "../transaction/layer.ts";
import type { Destination, Flow } from "../transport/flow.ts";

/** Challenges met so far by one request or one dialog: loop protection of whoever answers them. */
export interface Challenges {
  rounds: number;
  readonly nonces: Map<string, { nonce: string; nc: number; stale: number }>; // by realm
}

/** An INVITE on its way: possibly several transactions (failover, credentials), one after the other. */
export interface SentInvite {
  /** The last one as sent, for the credentials its ACK must repeat; undefined before the first was sent. */
  readonly request: SipRequest | undefined;
  /** Sends CANCEL once a 1xx was seen; no further address or credentials are tried. */
  cancel(reason?: string): void;
}

/** What a session needs of the world around it. One per session: addresses and credentials are the peer's. */
export interface DialogHost {
  readonly world: Pick<World, "after"> & { readonly random: Random };
  readonly transactions: TransactionLayer;
  readonly t1: number; // ms
  /** Sends the initial INVITE: resolution, failover and credentials happen above this library. */
  sendInvite(request: SipRequest, handlers: ClientHandlers): SentInvite;
  /** Where requests to this URI go; undefined: nowhere. Calls in the order of asking. */
  nextHop(uri: Uri, found: (destination: Destination | undefined) => void): void;
  /** Last touch on a message before it is sent; `answers` is the request a response belongs to. */
  prepare(message: SipRequest | SipResponse, towards: Destination | Flow, answers?: SipRequest): void;
  /** Headers that answer a 401 or 407 to an in-dialog request; undefined: give up. */
  credentials(
    request: SipRequest,
    challenge: SipResponse,
    history: Challenges,
  ): readonly (readonly [name: string, value: string])[] | undefined;
}

const T2 = 4000; // ms

/** Repeats a message with doubling gaps from T1 until told to stop; gives up after 64 × T1. */
export class Repeater {
  #timer: { cancel(): void };
  readonly #guard: { cancel(): void };
  stopped = false;

  /** `capped`: gaps grow to T2 only (2xx, RFC 3261 §13.3.1.4), else on and on (reliable 1xx, RFC 3262 §3). */
  constructor(host: Pick<DialogHost, "world" | "t1">, capped: boolean, send: () => void, giveUp: () => void) {
    const schedule = (gap: number): { cancel(): void } =>
      host.world.after(gap, () => {
        send();
        if (!this.stopped) this.#timer = schedule(capped ? Math.min(gap * 2, T2) : gap * 2);
      });
    this.#timer = schedule(host.t1);
    this.#guard = host.world.after(64 * host.t1, () => {
      this.stop();
      giveUp();
    });
  }

  stop(): void {
    this.stopped = true;
    this.#timer.cancel();
    this.#guard.cancel();
  }
}
