import type { AuthValue } from "./headers.ts";
import { isToken, quote, quotedEnd, trimLws, unquote } from "./params.ts";

/** Parameters that RFC 7616 and RFC 3261 §25.1 write without quotes. */
const BARE = new Set(["algorithm", "stale", "nc"]);

/** `Digest realm="a", nonce="b"`: a challenge or credentials. Undefined when unreadable or a parameter comes twice. */
export function parseAuthValue(text: string): AuthValue | undefined {
  const gap = text.search(/[ \t]/);
  const scheme = gap < 0 ? text : text.slice(0, gap);
  if (!isToken(scheme)) return undefined;
  const params = new Map<string, string>();
  let at = gap < 0 ? text.length : gap;
  while (at < text.length) {
    const equals = text.indexOf("=", at);
    if (equals < 0) return undefined;
    const name = trimLws(text.slice(at, equals)).toLowerCase();
    if (!isToken(name) || params.has(name)) return undefined;
    let start = equals + 1;
    while (text[start] === " " || text[start] === "\t") start++;
    const quoted = text[start] === '"';
    const valueEnd = quoted ? quotedEnd(text, start) : start;
    if (valueEnd < 0) return undefined;
    const comma = text.indexOf(",", valueEnd);
    const end = comma < 0 ? text.length : comma;
    if (quoted && trimLws(text.slice(valueEnd, end)) !== "") return undefined;
    params.set(name, quoted ? unquote(text.slice(start, valueEnd)) : trimLws(text.slice(start, end)));
    at = comma < 0 ? text.length : comma + 1;
    if (comma >= 0 && trimLws(text.slice(at)) === "") break; // a last comma is forgiven
  }
  return { scheme, params };
}

/** `qop` is a quoted list in a challenge and a bare word in credentials: those have a `response`. */
export function writeAuthValue(value: AuthValue): string {
  const credentials = value.params.has("response");
  const parts = [...value.params].map(([name, text]) =>
    (BARE.has(name) || (name === "qop" && credentials)) && isToken(text) ? `${name}=${text}` : `${name}=${quote(text)}`
  );
  return `${value.scheme} ${parts.join(", ")}`;
}
