import type { AuthValue } from "./headers.ts";
import { isToken, quote, quotedEnd, trimLws, unquote } from "./params.ts";

/** Parameters that RFC 7616 and RFC 3261 §25.1 write without quotes. */
const BARE = new Set(["algorithm", "stale", "nc"]);

/** `Digest realm="a", nonce="b"`: a challenge or credentials. Undefined when unreadable or a parameter comes twice. */
export function parseAuthValue(text: string): AuthValue | undefined {
  const gap = text.search(/[ \t]/);
  const scheme = gap < 0 ? text : text.slice(0, gap);
  const pairs = gap < 0 ? [] : readPairs(text, gap);
  if (!isToken(scheme) || !pairs) return undefined;
  const params = new Map(pairs);
  return params.size === pairs.length ? { scheme, params } : undefined;
}

/** Readable but for a parameter that comes twice. */
export function hasRepeatedParameter(text: string): boolean {
  const gap = text.search(/[ \t]/);
  const pairs = gap < 0 ? [] : readPairs(text, gap) ?? [];
  return new Map(pairs).size < pairs.length;
}

/** `name=value` with commas between, from `start`; a last comma is forgiven. */
function readPairs(text: string, start: number): (readonly [name: string, value: string])[] | undefined {
  const pairs: (readonly [string, string])[] = [];
  let at = start;
  while (at < text.length) {
    const equals = text.indexOf("=", at);
    const name = equals < 0 ? "" : trimLws(text.slice(at, equals)).toLowerCase();
    if (!isToken(name)) return undefined;
    let valueAt = equals + 1;
    while (text[valueAt] === " " || text[valueAt] === "\t") valueAt++;
    const quoted = text[valueAt] === '"';
    const valueEnd = quoted ? quotedEnd(text, valueAt) : valueAt;
    if (valueEnd < 0) return undefined;
    const comma = text.indexOf(",", valueEnd);
    const end = comma < 0 ? text.length : comma;
    if (quoted && trimLws(text.slice(valueEnd, end)) !== "") return undefined;
    pairs.push([name, quoted ? unquote(text.slice(valueAt, valueEnd)) : trimLws(text.slice(valueAt, end))]);
    at = end + 1;
    if (comma >= 0 && trimLws(text.slice(at)) === "") break;
  }
  return pairs;
}

/** `qop` is a quoted list in a challenge and a bare word in credentials: those have a `response`. */
export function writeAuthValue(value: AuthValue): string {
  const credentials = value.params.has("response");
  const parts = [...value.params].map(([name, text]) =>
    (BARE.has(name) || (name === "qop" && credentials)) && isToken(text) ? `${name}=${text}` : `${name}=${quote(text)}`
  );
  return `${value.scheme} ${parts.join(", ")}`;
}
