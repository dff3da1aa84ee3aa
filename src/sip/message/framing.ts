import { type MessageLimits, messageLimits } from "./limits.ts";
import type { Malformed, SipMessage } from "./message.ts";
import { finish, headEnd, parseHead, refusal } from "./parser.ts";
import type { Head } from "./parser.ts";

/** What came out of a stream. After `malformed` the stream is lost: send `reply` if there is one, and close. */
export type Frame =
  | { readonly kind: "message"; readonly message: SipMessage; readonly bytes: Uint8Array }
  | { readonly kind: "ping" } // CRLFCRLF: answer with CRLF (RFC 5626 §4.4.1)
  | { readonly kind: "pong" } // CRLF
  | { readonly kind: "malformed"; readonly fault: Malformed };

/** Cuts a stream into messages by Content-Length (RFC 3261 §18.3). Holds at most one unfinished message. */
export class Framing {
  #held: Uint8Array = new Uint8Array(0);
  #length = 0; // octets of #held that count
  #searched = 0; // no end of a header section begins before this offset
  #head: { readonly head: Head; readonly bodyAt: number; readonly end: number } | undefined;
  #dead = false;

  constructor(readonly limits: MessageLimits = messageLimits) {}

  /** An unfinished message is held: the gap rule applies. */
  get partial(): boolean {
    return this.#length > 0;
  }

  /** Octets held for a message that is not complete. */
  get heldOctets(): number {
    return this.#length;
  }

  /** Takes the next octets of the stream; they are copied. Frames own their octets. */
  push(bytes: Uint8Array): readonly Frame[] {
    if (this.#dead) return [];
    this.#append(bytes);
    const frames: Frame[] = [];
    let at = 0;
    while (!this.#dead) {
      const next = this.#next(at);
      if (!next) break;
      if (next.frame) frames.push(next.frame);
      if (next.frame?.kind === "malformed") this.#dead = true;
      at = next.end;
      this.#searched = at;
      this.#head = undefined;
    }
    if (this.#dead) {
      this.#length = 0;
      this.#held = new Uint8Array(0);
    } else if (at > 0) this.#drop(at);
    return frames;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.#held.length * 2, this.limits.messageOctets)));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#length);
    this.#length = needed;
  }

  #drop(octets: number): void {
    this.#held.copyWithin(0, octets, this.#length);
    this.#length -= octets;
    this.#searched = Math.max(0, this.#searched - octets);
    if (this.#length === 0) this.#held = new Uint8Array(0);
    if (this.#head) {
      const { head, bodyAt, end } = this.#head;
      this.#head = { head, bodyAt: bodyAt - octets, end: end - octets };
    }
  }

  /** The frame that starts at `at`; undefined until more octets come. */
  #next(at: number): { readonly frame: Frame | undefined; readonly end: number } | undefined {
    if (at >= this.#length) return undefined;
    if (!this.#head) {
      const first = this.#held[at];
      if (first === 13 || first === 10) return this.#keepAlive(at);
      const fault = this.#readHead(at);
      if (fault) return { frame: { kind: "malformed", fault }, end: this.#length };
    }
    if (!this.#head || this.#head.end > this.#length) return undefined;
    const { head, bodyAt, end } = this.#head;
    const bytes = this.#held.slice(at, end);
    const message = finish(head, bytes.slice(bodyAt - at), at);
    return message.kind === "malformed"
      ? { frame: { kind: "malformed", fault: message }, end }
      : { frame: { kind: "message", message, bytes }, end };
  }

  #keepAlive(at: number): { readonly frame: Frame | undefined; readonly end: number } | undefined {
    const crlf = (offset: number) => this.#held[offset] === 13 && this.#held[offset + 1] === 10;
    const left = this.#length - at;
    if (left >= 4 && crlf(at) && crlf(at + 2)) return { frame: { kind: "ping" }, end: at + 4 };
    // A CRLF with nothing behind it is a pong; one before a start line means nothing.
    if (left === 2 && crlf(at)) return { frame: { kind: "pong" }, end: at + 2 };
    if (left === 1 || (left === 3 && crlf(at) && this.#held[at + 2] === 13)) return undefined;
    return { frame: undefined, end: crlf(at) ? at + 2 : at + 1 };
  }

  /** Reads the header section that starts at `at` once it is there. Answers what makes the stream unusable. */
  #readHead(at: number): Malformed | undefined {
    const held = this.#held.subarray(0, this.#length);
    const end = headEnd(held, Math.max(at, this.#searched));
    const octets = (end < 0 ? this.#length : end) - at;
    if (end < 0) {
      this.#searched = Math.max(at, this.#length - 3);
      if (octets <= this.limits.headerOctets) return notSip(held, at);
    }
    const head = parseHead(held, at, end < 0 ? this.#length : end, this.limits);
    if (!head) return { kind: "malformed", why: "not SIP", at };
    const bodyAt = end + 4;
    const length = head.headers.get("Content-Length");
    if (end >= 0 && length !== undefined && bodyAt - at + length > this.limits.messageOctets) {
      return refusal(head, { why: "message too large", status: 513, reason: "Message Too Large", at });
    }
    if (head.fault) return refusal(head, head.fault);
    if (end < 0) return { kind: "malformed", why: "header section too long", at };
    if (length === undefined) {
      return refusal(head, { why: "no Content-Length", status: 400, reason: "Bad Request", at });
    }
    this.#head = { head, bodyAt, end: bodyAt + length };
    return undefined;
  }
}

/** Octets that cannot become a start line need not be waited for. */
function notSip(held: Uint8Array, at: number): Malformed | undefined {
  const most = Math.min(held.length, at + 64);
  for (let offset = at; offset < most; offset++) {
    const octet = held[offset] ?? 0;
    if (octet === 32 && offset > at) return undefined;
    if (octet < 33 || octet > 126) return { kind: "malformed", why: "not SIP", at };
  }
  return most < at + 64 ? undefined : { kind: "malformed", why: "not SIP", at };
}
