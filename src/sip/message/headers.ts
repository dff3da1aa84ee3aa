import type { Uri } from "./uri.ts";

/** One Via value (RFC 3261 §20.42). */
export interface Via {
  readonly protocol: string; // "SIP/2.0"
  readonly transport: string; // upper case, "UDP"
  readonly host: string; // sent-by, IPv6 without brackets
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>; // branch, received, rport ("" when empty) ...
}

/** From, To, Contact, Route, P-Asserted-Identity ... (RFC 3261 §20.10). `*` of a Contact is `uri: "*"`. */
export interface NameAddr {
  readonly display: string; // without quotes and escapes, "" when absent
  readonly uri: Uri;
  readonly params: ReadonlyMap<string, string>; // header parameters: tag, expires, q, lr is in the URI
}

export type ContactValue = { readonly star: true } | (NameAddr & { readonly star?: undefined });

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** Scheme and parameters of a challenge or of credentials (RFC 7616). Names lower case, values without quotes. */
export interface AuthValue {
  readonly scheme: string; // "Digest"
  readonly params: ReadonlyMap<string, string>;
}

/** Content-Type, Content-Disposition, Event, Session-Expires, Reason ...: a token and parameters. */
export interface TokenParams {
  readonly token: string; // as sent
  readonly params: ReadonlyMap<string, string>;
}

export interface RAck {
  readonly rseq: number;
  readonly cseq: number;
  readonly method: string;
}

/** What `headers.get(name)` and `headers.all(name)` answer. A header not named here is `headers.text(name)`. */
export interface TypedHeaders {
  "Via": Via;
  "From": NameAddr;
  "To": NameAddr;
  "Contact": ContactValue;
  "Route": NameAddr;
  "Record-Route": NameAddr;
  "Path": NameAddr;
  "Service-Route": NameAddr;
  "P-Asserted-Identity": NameAddr;
  "P-Preferred-Identity": NameAddr;
  "Remote-Party-ID": NameAddr;
  "Diversion": NameAddr;
  "Refer-To": NameAddr;
  "Referred-By": NameAddr;
  "Reply-To": NameAddr;
  "Call-ID": string;
  "CSeq": CSeq;
  "Max-Forwards": number;
  "Expires": number;
  "Min-Expires": number;
  "Min-SE": number;
  "RSeq": number;
  "RAck": RAck;
  "Retry-After": number;
  "Content-Length": number;
  "Content-Type": TokenParams;
  "Content-Disposition": TokenParams;
  "Event": TokenParams;
  "Session-Expires": TokenParams;
  "Reason": TokenParams;
  "Subscription-State": TokenParams;
  "Authorization": AuthValue;
  "Proxy-Authorization": AuthValue;
  "WWW-Authenticate": AuthValue;
  "Proxy-Authenticate": AuthValue;
  "Require": string;
  "Proxy-Require": string;
  "Supported": string;
  "Unsupported": string;
  "Allow": string;
  "Accept": string;
  "Allow-Events": string;
}

/**
 * The header list of one message, in wire order. Names are matched without case and in their compact form. What nobody
 * parsed is written back byte for byte. Values are parsed when asked for and kept.
 */
export interface SipHeaders {
  /** First value, or undefined when absent or unreadable. Comma lists are split. */
  get<K extends keyof TypedHeaders>(name: K): TypedHeaders[K] | undefined;
  /** All values over all lines, in order; unreadable ones are left out. */
  all<K extends keyof TypedHeaders>(name: K): readonly TypedHeaders[K][];
  /** Value of the first line of that name: unfolded, trimmed, undecoded. */
  text(name: string): string | undefined;
  /** Values of all lines of that name. */
  texts(name: string): readonly string[];
  has(name: string): boolean;
  /** Replaces the first line (its place is kept) and removes the others; appends when there is none. */
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  /** Appends all lines that `from` has of that name. */
  copy(from: SipHeaders, name: string): void;
  /** Puts a line before the first of that name, or before all lines. */
  prepend(name: string, value: string): void;
  remove(name: string): void;
  /** Removes the first *value* (one element of a comma list); used for Via and Route. */
  removeFirst(name: string): void;
  names(): readonly string[]; // as on the wire, one per line
  /** Is there a value that `get` and `all` leave out because it cannot be read? */
  unreadable(name: keyof TypedHeaders): boolean;
  /** Long name in lower case, and the line as it will be written, without the final CRLF. */
  lines(): Iterable<{ readonly key: string; readonly text: string }>;
  clone(): SipHeaders;
}
