// Extension patterns, with Asterisk's rules: X 0-9, Z 1-9, N 2-9, [a-c5] a set, "." one or more of anything, "!" none or more.

export interface Pattern {
  /** As written in the manifest. */
  readonly text: string;
  /** What each position may hold. */
  readonly cells: readonly ReadonlySet<string>[];
  readonly tail: "" | "." | "!";
}

const range = (from: string, to: string): string[] => {
  const all: string[] = [];
  for (let c = from.charCodeAt(0); c <= to.charCodeAt(0); c++) all.push(String.fromCharCode(c));
  return all;
};
const letters: Readonly<Record<string, ReadonlySet<string>>> = {
  X: new Set(range("0", "9")),
  Z: new Set(range("1", "9")),
  N: new Set(range("2", "9")),
};

/**
 * True when the key of an extension is a pattern: it begins with "_", or it has at least one of `X Z N [set]` (or ends in
 * "." or "!") and besides only digits, `*`, `#` and `+`. So "1XX" and "_alice!" are patterns, "alice" and "600" are not.
 */
export function isPattern(key: string): boolean {
  if (key.startsWith("_")) return true;
  return /^(?:[0-9*#+XZN]|\[[^\]]+\])+[.!]?$/.test(key) && /[XZN[.!]/.test(key);
}

/** The pattern of a key for which `isPattern` holds; a string says what is wrong with it. */
export function parsePattern(key: string): Pattern | string {
  const text = key.startsWith("_") ? key.slice(1) : key;
  const loose = key.startsWith("_"); // only there small letters stand for X, Z, N
  if (text === "") return "an empty pattern";
  const cells: ReadonlySet<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === "." || c === "!") {
      if (at !== text.length - 1) return `"${c}" may only stand at the end of a pattern`;
      return { text: key, cells, tail: c };
    }
    if (c === "[") {
      const end = text.indexOf("]", at);
      if (end < 0) return 'a "[" without "]"';
      const set = parseSet(text.slice(at + 1, end));
      if (typeof set === "string") return set;
      cells.push(set);
      at = end;
      continue;
    }
    if (c === "-" && loose) continue; // dashes are for the eye
    cells.push(letters[loose ? c.toUpperCase() : c] ?? new Set([c]));
  }
  return { text: key, cells, tail: "" };
}

function parseSet(text: string): ReadonlySet<string> | string {
  const set = new Set<string>();
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at + 1) === "-" && at + 2 < text.length) {
      const [from, to] = [text.charAt(at), text.charAt(at + 2)];
      if (to < from) return `the range ${from}-${to} runs backwards`;
      for (const c of range(from, to)) set.add(c);
      at += 2;
    } else set.add(text.charAt(at));
  }
  return set.size === 0 ? 'an empty set "[]"' : set;
}

/** "partial": more digits could make it match. */
export function matchPattern(pattern: Pattern, extension: string): "match" | "partial" | "no" {
  const { cells, tail } = pattern;
  const length = Math.min(cells.length, extension.length);
  for (let at = 0; at < length; at++) if (!cells[at]?.has(extension.charAt(at))) return "no";
  if (extension.length < cells.length) return "partial";
  if (extension.length === cells.length) return tail === "." ? "partial" : "match";
  return tail === "" ? "no" : "match";
}

/** Sorts the more specific pattern first: position by position the smaller set wins, then the end, then ".", then "!". */
export function comparePatterns(a: Pattern, b: Pattern): number {
  const length = Math.max(a.cells.length, b.cells.length) + 1;
  for (let at = 0; at < length; at++) {
    const difference = weight(a, at) - weight(b, at);
    if (difference !== 0) return difference;
    const [first, second] = [smallest(a, at), smallest(b, at)];
    if (first !== second) return first < second ? -1 : 1;
  }
  return 0;
}

function weight(pattern: Pattern, at: number): number {
  const cell = pattern.cells[at];
  if (cell) return cell.size;
  if (at > pattern.cells.length) return 0;
  return pattern.tail === "" ? 0 : pattern.tail === "." ? 1000 : 1001;
}

const smallest = (pattern: Pattern, at: number): string => [...pattern.cells[at] ?? []].sort()[0] ?? "";
