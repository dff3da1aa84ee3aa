import { reply } from "../message/reply.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/layer.ts";
import { descriptionOf, SDP } from "./description.ts";
import { type DialogHost, Repeater } from "./host.ts";

/** Extra header lines of a response. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

export interface ServerInviteOwner {
  /** Puts To tag, Contact and the like on a response before `host.prepare`. */
  complete(response: SipResponse, request: SipRequest): void;
  /** ACK came. `answer`: what it carried when our 2xx held an offer. */
  acknowledged(answer: Uint8Array | undefined, offered: boolean): void;
  /** A reliable 1xx with our offer was PRACKed with this answer. */
  answered(answer: Uint8Array | undefined): void;
  /** The description went out in a reliable 1xx or in a 2xx: the exchange goes on. */
  described(kind: "offer" | "answer"): void;
  /** 64 × T1 passed: no PRACK (the INVITE got 504) or no ACK (the dialog is to end with BYE). */
  unanswered(what: "PRACK" | "ACK"): void;
}

interface Provisional {
  readonly response: SipResponse;
  readonly rseq: number;
  readonly offer: boolean;
  readonly described: boolean;
}

/** Our side of one INVITE we were sent, first or re-INVITE: reliable 1xx (RFC 3262), 2xx until ACK (RFC 3261 §13.3.1.4). */
export class ServerInvite {
  state: "proceeding" | "accepted" | "confirmed" | "rejected" = "proceeding";
  /** The peer offered in the INVITE; else our first description is the offer. */
  readonly offered: Uint8Array | undefined;
  readonly request: SipRequest;
  #rseq: number;
  #waiting: Provisional[] = []; // [0] is on the wire
  #repeater: Repeater | undefined;
  #accept: (() => void) | undefined; // held until PRACK
  /** A description of ours went out so that it binds: reliable 1xx or 2xx. */
  #bound = false;
  #offerOut = false;

  constructor(
    readonly host: DialogHost,
    readonly transaction: ServerTransaction,
    readonly owner: ServerInviteOwner,
    /** Send 1xx above 100 reliably. */
    readonly reliable: boolean,
  ) {
    this.request = transaction.request;
    this.offered = descriptionOf(this.request);
    this.#rseq = 1 + host.world.random.below(32768);
  }

  provisional(status: number, reason: string, description?: Uint8Array, lines: HeaderLines = []): void {
    if (this.state !== "proceeding" || this.#accept) return;
    const reliable = this.reliable && status > 100;
    const offer = description !== undefined && this.offered === undefined && !this.#bound;
    // An offer needs a message that surely arrives (RFC 3262 §5); what is bound is not said twice.
    const body = this.#bound || (offer && !reliable) ? undefined : description;
    const response = this.#build(status, reason, body, lines);
    if (!reliable) return this.#send(response);
    const rseq = this.#rseq++;
    response.headers.append("Require", "100rel");
    response.headers.set("RSeq", String(rseq));
    if (body) this.#bound = true;
    this.#waiting.push({ response, rseq, offer, described: body !== undefined });
    if (this.#waiting.length === 1) this.#transmit();
  }

  /** 200. `description` is left out when a reliable 1xx carried it already. */
  accept(description: Uint8Array | undefined, lines: HeaderLines = [], touch?: (response: SipResponse) => void): void {
    if (this.state !== "proceeding" || this.#accept) return;
    const run = () => {
      this.#accept = undefined;
      this.#waiting = [];
      this.#repeater?.stop();
      this.state = "accepted";
      const body = this.#bound ? undefined : description;
      const response = this.#build(200, "OK", body, lines);
      touch?.(response);
      const offer = body !== undefined && this.offered === undefined;
      this.#bound = true;
      this.#offerOut = offer;
      if (body) this.owner.described(offer ? "offer" : "answer");
      this.#repeater = new Repeater(this.host, true, () => this.transaction.respond(response), () => {
        this.state = "confirmed";
        this.owner.unanswered("ACK");
      });
      this.#send(response);
    };
    if (this.#waiting.some((p) => p.described)) this.#accept = run;
    else run();
  }

  /** A final refusal. False when it is too late for one. */
  reject(status: number, reason: string, lines: HeaderLines = []): boolean {
    if (this.state !== "proceeding") return false;
    this.state = "rejected";
    this.#accept = undefined;
    this.#waiting = [];
    this.#repeater?.stop();
    this.#send(this.#build(status, reason, undefined, lines));
    return true;
  }

  acknowledge(ack: SipRequest): void {
    if (this.state !== "accepted") return;
    this.state = "confirmed";
    this.#repeater?.stop();
    this.owner.acknowledged(this.#offerOut ? descriptionOf(ack) : undefined, this.#offerOut);
  }

  /** A PRACK: the 1xx it is for is settled. False: it is for none (and gets 400). Answer it before calling `settle`. */
  matches(prack: SipRequest): boolean {
    const rack = prack.headers.get("RAck");
    const first = this.#waiting[0];
    const cseq = this.request.headers.get("CSeq");
    return rack !== undefined && first !== undefined && cseq !== undefined && rack.rseq === first.rseq &&
      rack.cseq === cseq.number && rack.method === "INVITE";
  }

  settle(prack: SipRequest): void {
    const first = this.#waiting.shift();
    this.#repeater?.stop();
    this.#repeater = undefined;
    if (first?.offer) this.owner.answered(descriptionOf(prack));
    if (this.#accept && !this.#waiting.some((p) => p.described)) this.#accept();
    else this.#transmit();
  }

  /** Nothing is repeated any more; the transaction is left to itself. */
  stop(): void {
    this.#repeater?.stop();
    this.#waiting = [];
    this.#accept = undefined;
  }

  #transmit(): void {
    const next = this.#waiting[0];
    if (!next || this.state !== "proceeding") return;
    this.#repeater = new Repeater(this.host, false, () => this.transaction.respond(next.response), () => {
      if (this.reject(504, "Reliable response timed out")) this.owner.unanswered("PRACK");
    });
    if (next.described) this.owner.described(next.offer ? "offer" : "answer");
    this.#send(next.response);
  }

  #build(status: number, reason: string, body: Uint8Array | undefined, lines: HeaderLines): SipResponse {
    const bare = reply(this.request, status, reason);
    const response = body ? { ...bare, body } : bare;
    if (body) response.headers.set("Content-Type", SDP);
    for (const [name, value] of lines) response.headers.append(name, value);
    this.owner.complete(response, this.request);
    return response;
  }

  #send(response: SipResponse): void {
    this.host.prepare(response, this.transaction.flow, this.request);
    this.transaction.respond(response);
  }
}
