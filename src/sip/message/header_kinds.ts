import { parseAuthValue } from "./auth_value.ts";
import { parseCSeq } from "./cseq.ts";
import type { TypedHeaders } from "./headers.ts";
import { MAX_INTEGER, parseInteger, parseSeconds } from "./integer.ts";
import { parseContact, parseNameAddr } from "./name_addr.ts";
import { parseRAck } from "./rack.ts";
import { parseTokenParams } from "./token_params.ts";
import { parseVia } from "./via.ts";

/** How the values of a header are found and read. */
export interface HeaderKind<T> {
  /** A comma parts values. */
  readonly list: boolean;
  /** One line at most in a message; two are an error. */
  readonly single: boolean;
  readonly parse: (text: string) => T | undefined;
}
/** Any of them, for who only asks what it is. */
export type AnyHeaderKind = HeaderKind<TypedHeaders[keyof TypedHeaders]>;

/** What is known of a header by its name alone. */
export interface HeaderName {
  /** Long name in lower case. */
  readonly key: string;
  /** Of a header that may come once: a bit of its own; else 0. */
  readonly once: number;
  /** Undefined for a header nobody here understands. */
  readonly kind: AnyHeaderKind | undefined;
}

const one = <T>(parse: (text: string) => T | undefined): HeaderKind<T> => ({ list: false, single: true, parse });
const list = <T>(parse: (text: string) => T | undefined): HeaderKind<T> => ({ list: true, single: false, parse });
const lines = <T>(parse: (text: string) => T | undefined): HeaderKind<T> => ({ list: false, single: false, parse });
const word = (text: string) => text === "" ? undefined : text;
const upTo = (most: number) => (text: string) => parseInteger(text, most);

/** Every header that `headers.get` reads. */
export const headerKinds: { readonly [K in keyof TypedHeaders]: HeaderKind<TypedHeaders[K]> } = {
  "Via": list(parseVia),
  "From": one(parseNameAddr),
  "To": one(parseNameAddr),
  "Contact": list(parseContact),
  "Route": list(parseNameAddr),
  "Record-Route": list(parseNameAddr),
  "Path": list(parseNameAddr),
  "Service-Route": list(parseNameAddr),
  "P-Asserted-Identity": list(parseNameAddr),
  "P-Preferred-Identity": list(parseNameAddr),
  "Remote-Party-ID": list(parseNameAddr),
  "Diversion": list(parseNameAddr),
  "Refer-To": one(parseNameAddr),
  "Referred-By": one(parseNameAddr),
  "Reply-To": one(parseNameAddr),
  "Call-ID": one(word),
  "CSeq": one(parseCSeq),
  "Max-Forwards": one(upTo(255)),
  "Expires": one(parseSeconds),
  "Min-Expires": one(parseSeconds),
  "Min-SE": one(parseSeconds),
  "RSeq": one(upTo(0xffff_ffff)),
  "RAck": one(parseRAck),
  "Retry-After": one(parseSeconds),
  "Content-Length": one(upTo(MAX_INTEGER)),
  "Content-Type": one(parseTokenParams),
  "Content-Disposition": one(parseTokenParams),
  "Event": one(parseTokenParams),
  "Session-Expires": one(parseTokenParams),
  "Reason": list(parseTokenParams),
  "Subscription-State": one(parseTokenParams),
  // A comma parts parameters here, and a message may hold credentials for several realms.
  "Authorization": lines(parseAuthValue),
  "Proxy-Authorization": lines(parseAuthValue),
  "WWW-Authenticate": lines(parseAuthValue),
  "Proxy-Authenticate": lines(parseAuthValue),
  "Require": list(word),
  "Proxy-Require": list(word),
  "Supported": list(word),
  "Unsupported": list(word),
  "Allow": list(word),
  "Accept": list(word),
  "Allow-Events": list(word),
};

/** Compact forms (RFC 3261 §7.3.3 and the IANA registry) by letter. */
const COMPACT: Readonly<Record<string, string>> = {
  a: "accept-contact",
  b: "referred-by",
  c: "content-type",
  d: "request-disposition",
  e: "content-encoding",
  f: "from",
  i: "call-id",
  j: "reject-contact",
  k: "supported",
  l: "content-length",
  m: "contact",
  n: "identity-info",
  o: "event",
  r: "refer-to",
  s: "subject",
  t: "to",
  u: "allow-events",
  v: "via",
  x: "session-expires",
  y: "identity",
};

const OFTEN = [
  "User-Agent",
  "Server",
  "Date",
  "Content-Encoding",
  "Subject",
  "Timestamp",
  "Accept-Encoding",
  "Warning",
];

/** By spelling on the wire. Only what we know ourselves: nothing from the wire is kept. */
const known = new Map<string, HeaderName>();
let bit = 1; // there are fewer than 32 of them
for (const [name, kind] of Object.entries(headerKinds)) {
  known.set(name, { key: name.toLowerCase(), once: kind.single ? bit : 0, kind });
  if (kind.single) bit *= 2;
}
for (const name of OFTEN) known.set(name, unknown(name.toLowerCase()));
for (const name of [...known.values()]) known.set(name.key, name);
for (const [letter, key] of Object.entries(COMPACT)) {
  const name = known.get(key) ?? unknown(key);
  known.set(key, name).set(letter, name).set(letter.toUpperCase(), name);
}

/** In any spelling, long or compact. */
export function headerName(name: string): HeaderName {
  const found = known.get(name);
  if (found) return found;
  const key = name.toLowerCase();
  return known.get(key) ?? unknown(key);
}

function unknown(key: string): HeaderName {
  return { key, once: 0, kind: undefined };
}

/** Only in a spelling that we wrote down ourselves, so that its characters need no check. */
export function knownHeader(name: string): HeaderName | undefined {
  return known.get(name);
}
