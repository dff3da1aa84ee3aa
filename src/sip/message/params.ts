// What header values are made of: tokens, quoted strings, parameters, comma lists (RFC 3261 §25.1).

const TAB = 9;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const SEMICOLON = 59;
const LESS = 60;
const EQUALS = 61;
const GREATER = 62;
const BACKSLASH = 92;

const TOKEN = /^[!%'*+\-.0-9A-Z_`a-z~]+$/;
const BARE_VALUE = /^[!#$%&'()*+\-./0-9:=?@A-Z[\]^_`a-z{|}~\x80-\uffff]+$/;

export const noParams: ReadonlyMap<string, string> = new Map();

/** RFC 3261 `token`. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Without spaces and tabs at both ends; other white space is text. */
export function trimLws(text: string): string {
  let start = 0;
  let end = text.length;
  if (end === 0 || (!isLws(text.charCodeAt(0)) && !isLws(text.charCodeAt(end - 1)))) return text;
  while (start < end && isLws(text.charCodeAt(start))) start++;
  while (end > start && isLws(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

export function isLws(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Index behind the closing quote of the quoted string that opens at `start`; -1 when it does not close. */
export function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return -1;
}

/** Content of a whole quoted string. Control characters that hide behind a backslash are left out. */
export function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (!inner.includes("\\")) return inner;
  return inner.replace(/\\([^])/g, "$1").replace(/[\0\r\n]/g, "");
}

export function quote(text: string): string {
  return `"${text.replace(/[\0\r\n]/g, " ").replace(/["\\]/g, "\\$&")}"`;
}

/** Elements of a comma list, trimmed, without empty ones. Commas in quotes and angle brackets do not part. */
export function splitList(value: string): readonly string[] {
  if (!value.includes(",")) return value === "" ? [] : [value];
  const parts: string[] = [];
  let start = 0;
  let angle = false;
  for (let at = 0; at <= value.length; at++) {
    const code = at < value.length ? value.charCodeAt(at) : COMMA;
    if (code === QUOTE && !angle) {
      const end = quotedEnd(value, at);
      at = end < 0 ? value.length - 1 : end - 1;
    } else if (code === LESS) angle = true;
    else if (code === GREATER) angle = false;
    else if (code === COMMA && (!angle || at === value.length)) {
      const part = trimLws(value.slice(start, at));
      if (part !== "") parts.push(part);
      start = at + 1;
    }
  }
  return parts;
}

const IN_TOKEN = 1;
const IN_VALUE = 2;
/** What an ASCII character may be part of: a token, an unquoted value. */
const CLASS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return (TOKEN.test(character) ? IN_TOKEN : 0) | (BARE_VALUE.test(character) ? IN_VALUE : 0);
});

function skipToken(text: string, start: number): number {
  let at = start;
  while (at < text.length && ((CLASS[text.charCodeAt(at)] ?? 0) & IN_TOKEN) !== 0) at++;
  return at;
}

function skipValue(text: string, start: number): number {
  let at = start;
  while (at < text.length && ((CLASS[text.charCodeAt(at)] ?? IN_VALUE) & IN_VALUE) !== 0) at++;
  return at;
}

/**
 * `;name=value;name` from `start` to the end; undefined when it is not that, or a name comes twice.
 * Forgiven are one last `;` and a second `tag`, which test tools and some gateways add: the first one counts.
 */
export function parseParams(text: string, start: number): ReadonlyMap<string, string> | undefined {
  if (start >= text.length) return noParams;
  const params = new Map<string, string>();
  let at = start;
  while (at < text.length) {
    const semicolon = skipLws(text, at);
    const nameAt = skipLws(text, semicolon + 1);
    const nameEnd = skipToken(text, nameAt);
    if (text.charCodeAt(semicolon) !== SEMICOLON || nameEnd === nameAt) {
      return isParamsEnd(text, at, params.size) ? params : undefined;
    }
    const name = text.slice(nameAt, nameEnd).toLowerCase();
    let value = "";
    at = skipLws(text, nameEnd);
    if (text.charCodeAt(at) === EQUALS) {
      const valueAt = skipLws(text, at + 1);
      const quoted = text.charCodeAt(valueAt) === QUOTE;
      at = quoted ? quotedEnd(text, valueAt) : skipValue(text, valueAt);
      if (at < 0) return undefined;
      value = quoted ? unquote(text.slice(valueAt, at)) : text.slice(valueAt, at);
    }
    if (!params.has(name)) params.set(name, value);
    else if (name !== "tag") return undefined;
  }
  return params;
}

/** Only white space is left, with one semicolon at most behind a parameter. */
function isParamsEnd(text: string, start: number, count: number): boolean {
  const at = skipLws(text, start);
  return at === text.length ||
    (count > 0 && text.charCodeAt(at) === SEMICOLON && skipLws(text, at + 1) === text.length);
}

/** The same back; values that are no token or host get quotes. */
export function writeParams(params: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [name, value] of params) text += value === "" ? `;${name}` : `;${name}=${bareOrQuoted(value)}`;
  return text;
}

function bareOrQuoted(value: string): string {
  return BARE_VALUE.test(value) ? value : quote(value);
}

function skipLws(text: string, start: number): number {
  let at = start;
  while (at < text.length && isLws(text.charCodeAt(at))) at++;
  return at;
}
