import { headerName, knownHeader } from "./header_kinds.ts";
import { HeaderLine, HeaderList } from "./header_list.ts";
import { type MessageLimits, messageLimits } from "./limits.ts";
import type { Malformed, SipMessage, SipRequest } from "./message.ts";
import { bufferOf, decodeText } from "./octets.ts";
import { isToken, trimLws } from "./params.ts";
import { reply, statelessTag } from "./reply.ts";
import { parseUri } from "./uri.ts";
import { faultOf, type MessageFault } from "./validity.ts";

const NO_BODY = new Uint8Array(0);
const NOWHERE = { scheme: "other", text: "" } as const;

/** What a start line says; `uri` and `version` of a request are not yet judged. */
export type StartLine =
  | { readonly kind: "request"; readonly method: string; readonly uri: string; readonly version: string }
  | { readonly kind: "response"; readonly status: number; readonly reason: string };

/** A header section cut into lines. `fault`: what is wrong with them, and where. */
export interface Head {
  readonly start: StartLine;
  readonly headers: HeaderList;
  readonly fault: (MessageFault & { readonly at: number }) | undefined;
}

/**
 * A message from one datagram, or one that framing cut out of a stream. Octets behind Content-Length are not looked at.
 * The octets are copied: they may be reused afterwards.
 */
export function parseMessage(bytes: Uint8Array, limits: MessageLimits = messageLimits): SipMessage | Malformed {
  const begin = messageStart(bytes);
  const end = headEnd(bytes, begin);
  if (end < 0) {
    return { kind: "malformed", why: begin === bytes.length ? "empty" : "no blank line", at: bytes.length };
  }
  const head = parseHead(bytes, begin, end, limits);
  if (!head) return { kind: "malformed", why: "not SIP", at: begin };
  if (bytes.length - begin > limits.messageOctets) {
    return refusal(head, { why: "message too large", status: 513, reason: "Message Too Large", at: begin });
  }
  if (head.fault) return refusal(head, head.fault);
  const length = head.headers.get("Content-Length") ?? bytes.length - end - 4;
  if (length > bytes.length - end - 4) {
    return refusal(head, bad("Content-Length is larger than the body", end));
  }
  return finish(head, length === 0 ? NO_BODY : new Uint8Array(bytes.subarray(end + 4, end + 4 + length)), begin);
}

/** The message of a readable head and its body, or what is wrong with it. */
export function finish(head: Head, body: Uint8Array, at: number): SipMessage | Malformed {
  const { start, headers } = head;
  if (start.kind === "response") {
    return { kind: "response", status: start.status, reason: start.reason, headers, body };
  }
  const uri = parseUri(start.uri);
  if (!uri || (uri.scheme !== "other" && uri.scheme !== "tel" && uri.headers !== "")) {
    return refusal(head, bad("Request-URI is unreadable", at));
  }
  return { kind: "request", method: start.method, uri, headers, body };
}

function bad(why: string, at: number): MessageFault & { readonly at: number } {
  return { why, status: 400, reason: "Bad Request", at };
}

/** A `Malformed` with the answer it deserves: none for responses, ACK, and when we do not know the way back. */
export function refusal(head: Head, fault: MessageFault & { readonly at: number }): Malformed {
  const { why, at } = fault;
  const { start, headers } = head;
  if (start.kind === "response" || start.method === "ACK" || !headers.get("Via") || fault.status === undefined) {
    return { kind: "malformed", why, at };
  }
  const request: SipRequest = { kind: "request", method: start.method, uri: NOWHERE, headers, body: NO_BODY };
  const reason = fault.status === 400 ? `Bad Request - ${why}` : fault.reason;
  return {
    kind: "malformed",
    why,
    at,
    reply: reply(request, fault.status, reason, {}, NO_BODY, statelessTag(request)),
  };
}

/** Index of the first octet that is no CR or LF: those before a start line mean nothing (RFC 3261 §7.5). */
export function messageStart(bytes: Uint8Array): number {
  let at = 0;
  while (bytes[at] === 13 || bytes[at] === 10) at++;
  return at;
}

/** Offset of the CRLFCRLF that ends the header section; -1 when it is not there. */
export function headEnd(bytes: Uint8Array, from: number): number {
  return bufferOf(bytes).indexOf("\r\n\r\n", from, "latin1");
}

/** Start line and header lines of octets `begin` to `end`; undefined when the first line is not one of SIP. */
export function parseHead(bytes: Uint8Array, begin: number, end: number, limits: MessageLimits): Head | undefined {
  const tooLong = end - begin > limits.headerOctets;
  // Of a head that is too long we read what is needed for an answer.
  const text = decodeText(bytes, begin, tooLong ? begin + limits.headerOctets : end);
  const lineEnd = text.indexOf("\r");
  const start = parseStartLine(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (!start) return undefined;
  const lines: HeaderLine[] = [];
  const cut = lineEnd < 0 ? undefined : cutLines(text, lineEnd, limits, lines);
  const headers = new HeaderList(lines);
  const fault = tooLong ? bad("header section too long", limits.headerOctets) : cut;
  return { start, headers, fault: place(fault ?? faultOf(start, headers, limits), begin) };
}

function place(fault: MessageFault & { at?: number } | undefined, begin: number): Head["fault"] {
  return fault && { ...fault, at: begin + (fault.at ?? 0) };
}

/** Undefined: not SIP at all. */
function parseStartLine(line: string): StartLine | undefined {
  if (/^SIP\/[0-9]/i.test(line)) {
    const match = /^SIP\/2\.0 ([1-6][0-9]{2})(?: (.*))?$/i.exec(line);
    return match ? { kind: "response", status: Number(match[1]), reason: match[2] ?? "" } : undefined;
  }
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  if (first < 1 || !/ SIP\/[0-9]/i.test(line)) return undefined;
  const method = line.slice(0, first);
  if (!isToken(method)) return undefined;
  return {
    kind: "request",
    method,
    uri: line.slice(first + 1, Math.max(first + 1, last)),
    version: line.slice(last + 1),
  };
}

/** Pushes the lines of `text` behind the start line; answers the first fault. */
function cutLines(
  text: string,
  startLineEnd: number,
  limits: MessageLimits,
  lines: HeaderLine[],
): (MessageFault & { readonly at: number }) | undefined {
  let fault = strayControl(text);
  let seen = 0; // bits of the headers that may come once
  let at = startLineEnd + 2;
  while (at < text.length) {
    const end = logicalLineEnd(text, at);
    if (lines.length === limits.lines) return fault ?? bad("too many header lines", at);
    const colon = text.indexOf(":", at);
    const name = colon < 0 || colon > end ? "" : trimLws(text.slice(at, colon));
    const is = knownHeader(name) ?? (isToken(name) ? headerName(name) : undefined);
    if (is) lines.push(new HeaderLine(name, is, text.slice(at, end)));
    else fault ??= bad("header name is unreadable", at);
    if (end - colon > limits.valueOctets) fault ??= bad("header value too long", at);
    if (is) {
      if ((seen & is.once) !== 0) fault ??= bad(`second ${name}`, at);
      seen |= is.once;
    }
    at = end + 2;
  }
  return fault;
}

/** Where the line that begins at `at` ends, with the folded lines that belong to it. */
function logicalLineEnd(text: string, at: number): number {
  let end = text.indexOf("\r\n", at);
  while (end >= 0 && (text.charCodeAt(end + 2) === 32 || text.charCodeAt(end + 2) === 9)) {
    end = text.indexOf("\r\n", end + 2);
  }
  return end < 0 ? text.length : end;
}

/** A CR or LF that ends no line, or a NUL that is not a quoted pair (RFC 4475 §3.1.1.2 has one). */
function strayControl(text: string): (MessageFault & { readonly at: number }) | undefined {
  // Searches instead of one pattern: a pattern that looks behind is not compiled.
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    if (text.charCodeAt(at - 1) !== 13) return bad("stray control character", at);
  }
  for (let at = text.indexOf("\r"); at >= 0; at = text.indexOf("\r", at + 1)) {
    if (text.charCodeAt(at + 1) !== 10) return bad("stray control character", at);
  }
  for (let at = text.indexOf("\0"); at >= 0; at = text.indexOf("\0", at + 1)) {
    if (text.charCodeAt(at - 1) !== 92) return bad("stray control character", at);
  }
  return undefined;
}
