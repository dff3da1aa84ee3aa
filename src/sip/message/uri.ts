import { decodeText, encodeText } from "./octets.ts";
import { remembered } from "./memo.ts";
import { noParams } from "./params.ts";

/** A SIP, SIPS or tel URI, or another scheme kept as text (RFC 3261 §19.1, RFC 3966). */
export type Uri = SipUri | TelUri | OtherUri;

export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** Unescaped; "" when the URI has no user part. */
  readonly user: string;
  readonly password: string | undefined;
  /** Lower case, IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** Lower-case names, in wire order, values as sent; a parameter without value has "". */
  readonly params: ReadonlyMap<string, string>;
  /** The part after "?", as sent. */
  readonly headers: string;
}

export interface TelUri {
  readonly scheme: "tel";
  /** As sent, with its visual separators. */
  readonly number: string;
  readonly params: ReadonlyMap<string, string>;
}

export interface OtherUri {
  readonly scheme: "other";
  /** The whole URI as sent. */
  readonly text: string;
}

const COLON = 58;
const HOST_NAME = /^[0-9A-Za-z_][0-9A-Za-z_.-]*$/;
const IPV6 = /^[0-9a-f:.]+$/i;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const NOT_IN_URI = /[\0-\x20"<>\x7f]/;

/** Undefined when it is no URI. A scheme we do not know is `other`. */
export const parseUri: (text: string) => Uri | undefined = remembered(readUri);

function readUri(text: string): Uri | undefined {
  const colon = text.indexOf(":");
  if (colon < 1 || NOT_IN_URI.test(text)) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  if (scheme === "sip" || scheme === "sips") return parseSipUri(scheme, text, colon + 1);
  if (scheme === "tel") return parseTelUri(text.slice(colon + 1));
  return SCHEME.test(scheme) ? { scheme: "other", text } : undefined;
}

function parseSipUri(scheme: "sip" | "sips", text: string, start: number): SipUri | undefined {
  // "?", ";" and ":" may stand in the user part, "@" may not stand behind it (RFC 3261 §25.1).
  const at = text.indexOf("@", start);
  const hostStart = at < 0 ? start : at + 1;
  if (at === start || (at >= 0 && text.includes("@", hostStart))) return undefined;
  const question = text.indexOf("?", hostStart);
  const end = question < 0 ? text.length : question;
  const semicolon = text.indexOf(";", hostStart);
  const hostEnd = semicolon < 0 || semicolon > end ? end : semicolon;
  const place = parseHostPort(text.slice(hostStart, hostEnd));
  const params = hostEnd === end ? noParams : parseUriParams(text.slice(hostEnd + 1, end));
  if (!place || !params) return undefined;
  const colon = at < 0 ? -1 : text.indexOf(":", start);
  const userEnd = colon >= 0 && colon < at ? colon : at;
  const user = at < 0 ? "" : unescapeUri(text.slice(start, userEnd));
  const password = userEnd < at ? unescapeUri(text.slice(userEnd + 1, at)) : undefined;
  if (user === undefined || (userEnd < at && password === undefined)) return undefined;
  return { scheme, user, password, host: place.host, port: place.port, params, headers: text.slice(end + 1) };
}

function parseTelUri(text: string): TelUri | undefined {
  const semicolon = text.indexOf(";");
  const number = semicolon < 0 ? text : text.slice(0, semicolon);
  const params = semicolon < 0 ? noParams : parseUriParams(text.slice(semicolon + 1));
  return params && /^\+?[0-9A-Fa-f*#().-]+$/.test(number) ? { scheme: "tel", number, params } : undefined;
}

/** `name=value;name`; a last semicolon is forgiven, a name that comes twice is not. */
function parseUriParams(text: string): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>();
  for (const part of text.includes(";") ? text.split(";") : [text]) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    if (name === "" && params.size > 0 && text.endsWith(";") && part === "") continue;
    if (name === "" || params.has(name)) return undefined;
    params.set(name, equals < 0 ? "" : part.slice(equals + 1));
  }
  return params;
}

/** `host`, `host:port`, `[IPv6]:port`, with white space around the colon (Via has it). Host in lower case, without brackets. */
export function parseHostPort(text: string): HostPort | undefined {
  const hostEnd = plainHostEnd(text);
  if (hostEnd === text.length && hostEnd > 0 && hostEnd <= 255) return { host: text, port: undefined };
  if (hostEnd > 0 && hostEnd <= 255 && text.charCodeAt(hostEnd) === COLON) {
    const port = digitsFrom(text, hostEnd + 1);
    if (port > 0) return port > 65_535 ? undefined : { host: text.slice(0, hostEnd), port };
  }
  return parseOddHostPort(text);
}

export interface HostPort {
  readonly host: string;
  readonly port: number | undefined;
}

/** Behind the characters at the start that a host in lower case is made of. */
function plainHostEnd(text: string): number {
  let at = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const letter = code >= 97 && code <= 122;
    const digit = code >= 48 && code <= 57;
    if (!letter && !digit && code !== 95 && (at === 0 || (code !== 46 && code !== 45))) break;
  }
  return at;
}

/** The number that the rest of the text is, one to five digits; 0 when it is not. */
function digitsFrom(text: string, start: number): number {
  if (start === text.length || text.length - start > 5) return 0;
  let number = 0;
  for (let at = start; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return 0;
    number = number * 10 + digit;
  }
  return number;
}

/** With brackets, capitals or white space. */
function parseOddHostPort(text: string): HostPort | undefined {
  const bracket = text.startsWith("[") ? text.indexOf("]") : 0;
  if (bracket < 0) return undefined;
  const colon = text.indexOf(":", bracket);
  const end = colon < 0 ? text.length : colon;
  const host = bracket > 0 ? text.slice(1, bracket) : text.slice(0, end).trimEnd();
  if (bracket > 0 ? text.slice(bracket + 1, end).trim() !== "" || !isIpv6Like(host) : !HOST_NAME.test(host)) {
    return undefined;
  }
  const digits = colon < 0 ? undefined : text.slice(colon + 1).trimStart();
  const port = digits === undefined ? undefined : /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0;
  if (host.length > 255 || port === 0 || (port ?? 0) > 65_535) return undefined;
  return { host: host.toLowerCase(), port };
}

/** Lenient: RFC 5118 §4.5 asks to accept `2001:db8:::192.0.2.1`. */
function isIpv6Like(host: string): boolean {
  return host.length <= 46 && IPV6.test(host) && host.indexOf(":") !== host.lastIndexOf(":");
}

/** A host as it stands in URIs and Via: IPv6 in brackets. */
export function writeHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

export function writeUri(uri: Uri): string {
  switch (uri.scheme) {
    case "other":
      return uri.text;
    case "tel":
      return `tel:${uri.number}${writeUriParams(uri.params)}`;
    case "sip":
    case "sips": {
      const password = uri.password === undefined ? "" : `:${escapeUri(uri.password)}`;
      const user = uri.user === "" && password === "" ? "" : `${escapeUri(uri.user)}${password}@`;
      const port = uri.port === undefined ? "" : `:${uri.port}`;
      const headers = uri.headers === "" ? "" : `?${uri.headers}`;
      return `${uri.scheme}:${user}${writeHost(uri.host)}${port}${writeUriParams(uri.params)}${headers}`;
    }
    default:
      return uri satisfies never;
  }
}

function writeUriParams(params: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [name, value] of params) text += value === "" ? `;${name}` : `;${name}=${value}`;
  return text;
}

/** A SIP URI from its parts. */
export function sipUri(user: string, host: string, more: Partial<SipUri> = {}): SipUri {
  return { scheme: "sip", user, password: undefined, host, port: undefined, params: noParams, headers: "", ...more };
}

/** `%41` to `A`. Undefined for a broken escape, and for an escaped CR or LF: those have no honest use. */
export function unescapeUri(text: string): string | undefined {
  if (!text.includes("%")) return text;
  if (/%(?![0-9A-Fa-f]{2})/.test(text) || /%0[ad]/i.test(text)) return undefined;
  if (!/%[89a-f]/i.test(text)) {
    return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  }
  const octets = encodeText(text);
  let length = 0;
  for (let at = 0; at < octets.length; at++) {
    const escaped = octets[at] === 0x25;
    octets[length++] = escaped
      ? parseInt(String.fromCharCode(octets[at + 1] ?? 0, octets[at + 2] ?? 0), 16)
      : octets[at] ?? 0;
    if (escaped) at += 2;
  }
  return decodeText(octets, 0, length);
}

/** Escapes what may not stand in a user part or password. */
export function escapeUri(text: string): string {
  if (/^[0-9A-Za-z\-_.!~*'()&=+$,;?/]*$/.test(text)) return text;
  let out = "";
  for (const octet of encodeText(text)) {
    const character = String.fromCharCode(octet);
    out += /[0-9A-Za-z\-_.!~*'()&=+$,;?/]/.test(character)
      ? character
      : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** Headers of a URI (`?Replaces=...&Subject=...`), unescaped; undefined when an escape is broken. */
export function uriHeaders(uri: SipUri): readonly (readonly [name: string, value: string])[] | undefined {
  if (uri.headers === "") return [];
  const pairs: (readonly [string, string])[] = [];
  for (const part of uri.headers.split("&")) {
    const equals = part.indexOf("=");
    const name = unescapeUri(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? "" : unescapeUri(part.slice(equals + 1));
    if (!name || value === undefined) return undefined;
    pairs.push([name, value]);
  }
  return pairs;
}

/** Parameters whose absence on one side makes a difference. `transport`: by the examples of RFC 3261 §19.1.4. */
const DISTINCT = ["user", "ttl", "method", "maddr", "transport"];

/** RFC 3261 §19.1.4; tel by RFC 3966 §4. Other schemes are equal when they read the same. */
export function equalUris(one: Uri, two: Uri): boolean {
  if (one.scheme === "other" || two.scheme === "other") {
    return one.scheme === "other" && two.scheme === "other" && one.text === two.text;
  }
  if (one.scheme === "tel" || two.scheme === "tel") {
    return one.scheme === "tel" && two.scheme === "tel" && equalTel(one, two);
  }
  return one.scheme === two.scheme && one.user === two.user && one.password === two.password &&
    one.host === two.host && one.port === two.port && equalParams(one.params, two.params) && equalHeaders(one, two);
}

function equalParams(one: ReadonlyMap<string, string>, two: ReadonlyMap<string, string>): boolean {
  for (const name of DISTINCT) if (one.has(name) !== two.has(name)) return false;
  for (const [name, value] of one) {
    const other = two.get(name);
    if (other !== undefined && plain(value) !== plain(other)) return false;
  }
  return true;
}

function plain(value: string): string {
  return (unescapeUri(value) ?? value).toLowerCase();
}

function equalHeaders(one: SipUri, two: SipUri): boolean {
  if (one.headers === two.headers) return true;
  const sorted = (uri: SipUri) => uriHeaders(uri)?.map(([name, value]) => `${name.toLowerCase()}=${value}`).sort();
  const first = sorted(one);
  const second = sorted(two);
  return first !== undefined && second !== undefined && first.length === second.length &&
    first.every((header, at) => header === second[at]);
}

function equalTel(one: TelUri, two: TelUri): boolean {
  if (telDigits(one) !== telDigits(two) || one.params.size !== two.params.size) return false;
  for (const [name, value] of one.params) {
    const other = two.params.get(name);
    if (other === undefined || plain(value) !== plain(other)) return false;
  }
  return true;
}

/** The number without visual separators: `+12015550123`. */
export function telDigits(uri: TelUri): string {
  return uri.number.replace(/[().-]/g, "").toLowerCase();
}
