import type { SipHeaders } from "./headers.ts";
import type { Uri } from "./uri.ts";

/** A SIP request as read from, or written to, the wire (RFC 3261 §7.1). */
export interface SipRequest {
  readonly kind: "request";
  readonly method: string; // upper case for the methods we know, as sent otherwise
  readonly uri: Uri; // the Request-URI
  readonly headers: SipHeaders; // in wire order
  readonly body: Uint8Array; // empty, never null
}

/** A SIP response (RFC 3261 §7.2). */
export interface SipResponse {
  readonly kind: "response";
  readonly status: number; // 100..699
  readonly reason: string;
  readonly headers: SipHeaders;
  readonly body: Uint8Array;
}

/** Bytes that are not a SIP message. Junk is normal on port 5060, so it is a value, not an exception. */
export interface Malformed {
  readonly kind: "malformed";
  readonly why: string;
  readonly at: number; // byte offset
  /**
   * A reply that can be sent statelessly (400, 505, 513 ...) when the message was a request whose Via, From, To,
   * Call-ID and CSeq could be read; undefined: say nothing.
   */
  readonly reply?: SipResponse;
}

export type SipMessage = SipRequest | SipResponse;
