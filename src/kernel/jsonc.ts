/** Where something stands in a file; both from 1, columns in UTF-16 units as editors count. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface JsonEntry {
  readonly key: Place;
  readonly node: JsonNode;
}

/** JSON that remembers where every key and value was written. */
export type JsonNode =
  | { readonly kind: "object"; readonly place: Place; readonly entries: ReadonlyMap<string, JsonEntry> }
  | { readonly kind: "array"; readonly place: Place; readonly items: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly place: Place; readonly value: string | number | boolean | null };

/** What is wrong with the text, at its place. */
export interface JsonFault {
  readonly place: Place;
  readonly message: string;
}

const MAX_DEPTH = 64;

class Stop extends Error {}

/**
 * Reads JSON with comments (`//`, `/* *\/`) and trailing commas. A syntax error ends the reading: `root` is undefined;
 * a key written twice is a fault, and the first one stays.
 */
export function readJsonc(text: string, file: string): { root: JsonNode | undefined; faults: readonly JsonFault[] } {
  const reader = new Reader(text, file);
  try {
    return { root: reader.document(), faults: reader.faults };
  } catch (error) {
    if (error instanceof Stop) return { root: undefined, faults: reader.faults };
    throw error;
  }
}

/** The plain value of a tree. Objects have no prototype: no key of a file is special. */
export function jsonValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "array":
      return node.items.map(jsonValue);
    case "object": {
      const value: Record<string, unknown> = Object.create(null);
      for (const [key, entry] of node.entries) value[key] = jsonValue(entry.node);
      return value;
    }
    default:
      return node satisfies never;
  }
}

/** A tree for a value that was not read from a file. */
export function jsonNode(value: unknown, place: Place): JsonNode {
  if (Array.isArray(value)) return { kind: "array", place, items: value.map((item) => jsonNode(item, place)) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return {
      kind: "object",
      place,
      entries: new Map(entries.map(([key, item]) => [key, { key: place, node: jsonNode(item, place) }])),
    };
  }
  const scalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
  return { kind: "scalar", place, value: scalar };
}

/** Where the value at `path` was written; of a key that is not there, where its object begins. */
export function placeAt(node: JsonNode, path: readonly string[], at: "key" | "value" = "value"): Place {
  let current = node;
  let place = node.place;
  for (const [depth, step] of path.entries()) {
    if (current.kind === "object") {
      const entry = current.entries.get(step);
      if (!entry) return place;
      place = at === "key" && depth === path.length - 1 ? entry.key : entry.node.place;
      current = entry.node;
    } else if (current.kind === "array") {
      const item = current.items[Number(step)];
      if (!item) return place;
      place = item.place;
      current = item;
    } else return place;
  }
  return place;
}

class Reader {
  readonly faults: JsonFault[] = [];
  readonly #lineStarts: number[] = [0];
  #at = 0;

  constructor(readonly text: string, readonly file: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lineStarts.push(at + 1);
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  document(): JsonNode {
    this.#space();
    const root = this.#value(0);
    this.#space();
    if (this.#at < this.text.length) this.#stop(`expected the end of the file, found ${this.#found()}`);
    return root;
  }

  #place(at = this.#at): Place {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1 };
  }

  #stop(message: string, at = this.#at): never {
    this.faults.push({ place: this.#place(at), message });
    throw new Stop();
  }

  #found(): string {
    const char = this.text[this.#at];
    return char === undefined ? "the end of the file" : JSON.stringify(char);
  }

  #space(): void {
    const { text } = this;
    for (;;) {
      const char = text[this.#at];
      if (char === " " || char === "\t" || char === "\n" || char === "\r") this.#at++;
      else if (char === "/" && text[this.#at + 1] === "/") {
        const end = text.indexOf("\n", this.#at);
        this.#at = end < 0 ? text.length : end;
      } else if (char === "/" && text[this.#at + 1] === "*") {
        const end = text.indexOf("*/", this.#at + 2);
        if (end < 0) this.#stop("this comment has no end");
        this.#at = end + 2;
      } else return;
    }
  }

  #value(depth: number): JsonNode {
    if (depth > MAX_DEPTH) this.#stop(`values are nested deeper than ${MAX_DEPTH}`);
    const char = this.text[this.#at];
    if (char === "{") return this.#object(depth);
    if (char === "[") return this.#array(depth);
    const place = this.#place();
    if (char === '"') return { kind: "scalar", place, value: this.#string() };
    const word = /[-+.\w]*/y;
    word.lastIndex = this.#at;
    const token = word.exec(this.text)?.[0] ?? "";
    const value = { true: true, false: false, null: null }[token] as boolean | null | undefined;
    if (value !== undefined) {
      this.#at += token.length;
      return { kind: "scalar", place, value };
    }
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(token)) {
      this.#at += token.length;
      return { kind: "scalar", place, value: Number(token) };
    }
    if (token !== "") return this.#stop(`expected a value, found ${token}; text stands in double quotes`);
    return this.#stop(`expected a value, found ${this.#found()}`);
  }

  #object(depth: number): JsonNode {
    const place = this.#place();
    const entries = new Map<string, JsonEntry>();
    this.#at++;
    for (;;) {
      this.#space();
      if (this.text[this.#at] === "}") break;
      if (this.text[this.#at] !== '"') this.#stop(`expected a key in double quotes or "}", found ${this.#found()}`);
      const key = this.#place();
      const name = this.#string();
      this.#space();
      if (this.text[this.#at] !== ":") this.#stop(`expected ":" after the key "${name}", found ${this.#found()}`);
      this.#at++;
      this.#space();
      const node = this.#value(depth + 1);
      const first = entries.get(name);
      if (!first) entries.set(name, { key, node });
      else this.faults.push({ place: key, message: `"${name}" is written twice, first in line ${first.key.line}` });
      if (!this.#comma("}")) break;
    }
    this.#at++;
    return { kind: "object", place, entries };
  }

  #array(depth: number): JsonNode {
    const place = this.#place();
    const items: JsonNode[] = [];
    this.#at++;
    for (;;) {
      this.#space();
      if (this.text[this.#at] === "]") break;
      items.push(this.#value(depth + 1));
      if (!this.#comma("]")) break;
    }
    this.#at++;
    return { kind: "array", place, items };
  }

  /** True when another element follows; false at the closing bracket. */
  #comma(close: string): boolean {
    const end = this.#at;
    this.#space();
    if (this.text[this.#at] === ",") {
      this.#at++;
      return true;
    }
    if (this.text[this.#at] === close) return false;
    return this.#stop(
      `expected "," or "${close}", found ${this.#found()}`,
      this.#at < this.text.length ? this.#at : end,
    );
  }

  #string(): string {
    const start = this.#at;
    const literal = /"(?:[^"\\\n\r]|\\.)*"/y;
    literal.lastIndex = start;
    const found = literal.exec(this.text)?.[0];
    if (found === undefined) return this.#stop('this text has no closing "', start);
    this.#at += found.length;
    try {
      const value: unknown = JSON.parse(found);
      return String(value);
    } catch {
      return this.#stop("this text has a control character or a wrong escape: write \\\\ for one backslash", start);
    }
  }
}
