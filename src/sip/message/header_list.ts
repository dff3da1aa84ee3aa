import { type AnyHeaderKind, headerKinds, type HeaderName, headerName } from "./header_kinds.ts";
import type { SipHeaders, TypedHeaders } from "./headers.ts";
import { splitList, trimLws } from "./params.ts";

/** One header line. It knows its text as received until somebody replaces it. */
export class HeaderLine {
  #value: string | undefined;
  #parsed: readonly unknown[] | undefined;

  /** `raw`: the whole line with folds and without the last CRLF; `value`: for a line that we make. */
  constructor(
    readonly name: string,
    readonly is: HeaderName,
    readonly raw: string | undefined,
    value?: string,
  ) {
    this.#value = value;
  }

  get key(): string {
    return this.is.key;
  }

  get value(): string {
    return this.#value ??= unfold(this.raw ?? "", this.name.length);
  }

  /** What `parse` makes of each value, undefined for one it cannot read. Kept. */
  parsed(kind: AnyHeaderKind): readonly unknown[] {
    return this.#parsed ??= this.#parse(kind);
  }

  #parse(kind: AnyHeaderKind): readonly unknown[] {
    const { value } = this;
    if (kind.list && (value === "" || value.includes(","))) return splitList(value).map(kind.parse);
    return [kind.parse(value)];
  }

  /** As we would write it: neither compact nor folded. Such a line may stand in several messages. */
  get ours(): boolean {
    return this.raw === undefined || (this.name.length > 1 && !this.raw.includes("\r"));
  }

  get text(): string {
    return this.raw ?? `${this.name}: ${this.value}`;
  }
}

/** The value of a line: behind the colon, folds as one space (RFC 3261 §7.3.1), trimmed. */
function unfold(raw: string, nameEnd: number): string {
  const colon = raw.indexOf(":", nameEnd);
  const value = raw.slice(raw.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
  return trimLws(value.includes("\r") ? value.replace(/\r\n[ \t]+/g, " ") : value);
}

/** No line that we write can end early and begin another one. */
function harmless(value: string): string {
  return trimLws(/[\0\r\n]/.test(value) ? value.replace(/[\0\r\n]+/g, " ") : value);
}

/** The header lines of one message. */
export class HeaderList implements SipHeaders {
  #lines: HeaderLine[];

  constructor(lines: HeaderLine[] = []) {
    this.#lines = lines;
  }

  get<K extends keyof TypedHeaders>(name: K): TypedHeaders[K] | undefined {
    const kind = headerKinds[name];
    for (const line of this.#lines) {
      if (line.is.kind !== kind) continue;
      for (const value of this.#values(line, name)) if (value !== undefined) return value;
    }
    return undefined;
  }

  all<K extends keyof TypedHeaders>(name: K): readonly TypedHeaders[K][] {
    const kind = headerKinds[name];
    const found: TypedHeaders[K][] = [];
    for (const line of this.#lines) {
      if (line.is.kind !== kind) continue;
      for (const value of this.#values(line, name)) if (value !== undefined) found.push(value);
    }
    return found;
  }

  unreadable(name: keyof TypedHeaders): boolean {
    const kind = headerKinds[name];
    for (const line of this.#lines) {
      if (line.is.kind === kind && this.#values(line, name).includes(undefined)) return true;
    }
    return false;
  }

  #values<K extends keyof TypedHeaders>(line: HeaderLine, name: K): readonly (TypedHeaders[K] | undefined)[] {
    const kind = headerKinds[name];
    // A line is only ever parsed by the kind of its own key, and that is the kind of `name`.
    return line.parsed(kind) as readonly (TypedHeaders[K] | undefined)[];
  }

  text(name: string): string | undefined {
    const { key } = headerName(name);
    return this.#lines.find((line) => line.key === key)?.value;
  }

  texts(name: string): readonly string[] {
    const { key } = headerName(name);
    return this.#lines.filter((line) => line.key === key).map((line) => line.value);
  }

  has(name: string): boolean {
    const { key } = headerName(name);
    return this.#lines.some((line) => line.key === key);
  }

  set(name: string, value: string): void {
    const line = newLine(name, value);
    const at = this.#lines.findIndex((other) => other.key === line.key);
    if (at < 0) {
      this.#lines.push(line);
      return;
    }
    this.#lines[at] = line;
    this.#lines = this.#lines.filter((other) => other === line || other.key !== line.key);
  }

  append(name: string, value: string): void {
    this.#lines.push(newLine(name, value));
  }

  copy(from: SipHeaders, name: string): void {
    if (!(from instanceof HeaderList)) {
      for (const value of from.texts(name)) this.append(name, value);
      return;
    }
    const is = headerName(name);
    for (const line of from.#lines) {
      if (line.key === is.key) this.#lines.push(line.ours ? line : new HeaderLine(name, is, undefined, line.value));
    }
  }

  prepend(name: string, value: string): void {
    const line = newLine(name, value);
    const at = this.#lines.findIndex((other) => other.key === line.key);
    this.#lines.splice(Math.max(at, 0), 0, line);
  }

  remove(name: string): void {
    const { key } = headerName(name);
    this.#lines = this.#lines.filter((line) => line.key !== key);
  }

  removeFirst(name: string): void {
    const { key } = headerName(name);
    const at = this.#lines.findIndex((line) => line.key === key);
    const line = this.#lines[at];
    if (!line) return;
    const rest = line.is.kind?.list ? splitList(line.value).slice(1) : [];
    if (rest.length === 0) this.#lines.splice(at, 1);
    else this.#lines[at] = new HeaderLine(line.name, line.is, undefined, rest.join(", "));
  }

  names(): readonly string[] {
    return this.#lines.map((line) => line.name);
  }

  /** Key, and line without the final CRLF, in wire order. */
  lines(): Iterable<{ readonly key: string; readonly text: string }> {
    return this.#lines;
  }

  clone(): HeaderList {
    return new HeaderList([...this.#lines]);
  }
}

function newLine(name: string, value: string): HeaderLine {
  return new HeaderLine(name, headerName(name), undefined, harmless(value));
}

/** A header list with these lines, in this order. */
export function headerList(lines: Iterable<readonly [name: string, value: string]> = []): SipHeaders {
  const list = new HeaderList();
  for (const [name, value] of lines) list.append(name, value);
  return list;
}
