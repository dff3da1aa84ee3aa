import type { ContactValue, NameAddr } from "./headers.ts";
import { remembered } from "./memo.ts";
import { parseParams, quote, quotedEnd, trimLws, unquote, writeParams } from "./params.ts";
import { parseUri, writeUri } from "./uri.ts";

/** `"Alice" <sip:alice@example.org>;tag=1` or the form without brackets, where parameters belong to the header (RFC 3261 §20.10). */
export const parseNameAddr: (text: string) => NameAddr | undefined = remembered(readNameAddr);

function readNameAddr(text: string): NameAddr | undefined {
  const quoted = text.charCodeAt(0) === 34;
  const displayEnd = quoted ? quotedEnd(text, 0) : 0;
  if (displayEnd < 0) return undefined;
  const open = text.indexOf("<", displayEnd);
  if (open < 0) return quoted ? undefined : parseAddrSpec(text);
  const between = trimLws(text.slice(displayEnd, open));
  if (quoted ? between !== "" : /[",;<>]/.test(between)) return undefined;
  const close = text.indexOf(">", open);
  if (close < 0) return undefined;
  const uri = parseUri(trimLws(text.slice(open + 1, close)));
  const params = parseParams(text, close + 1);
  if (!uri || !params) return undefined;
  return { display: quoted ? unquote(text.slice(0, displayEnd)) : between, uri, params };
}

function parseAddrSpec(text: string): NameAddr | undefined {
  const semicolon = text.indexOf(";");
  const end = semicolon < 0 ? text.length : semicolon;
  const spec = trimLws(text.slice(0, end));
  if (/[?,>"]/.test(spec)) return undefined; // these need brackets
  const uri = parseUri(spec);
  const params = parseParams(text, end);
  return uri && params && { display: "", uri, params };
}

export function writeNameAddr(value: NameAddr): string {
  const display = value.display === "" ? "" : `${quote(value.display)} `;
  return `${display}<${writeUri(value.uri)}>${writeParams(value.params)}`;
}

const STAR = { star: true } as const;

/** A Contact value: an address, or `*`. */
export function parseContact(text: string): ContactValue | undefined {
  return text === "*" ? STAR : parseNameAddr(text);
}

export function writeContact(value: ContactValue): string {
  return value.star ? "*" : writeNameAddr(value);
}
