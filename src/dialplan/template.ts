// Texts with `${variable}`, `${FUNC(args)}`, `${NAME:1:2}` and `$[ expression ]`, nested to any depth, parsed once at load.

export type Template = readonly Part[];
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: Template; readonly cut: Cut | undefined }
  | {
    readonly kind: "function";
    readonly name: string;
    readonly args: readonly Template[];
    readonly cut: Cut | undefined;
  }
  | { readonly kind: "expression"; readonly body: Template };

/** `:offset` or `:offset:length`, each a template that must come out as a number. */
export interface Cut {
  readonly offset: Template;
  readonly length: Template | undefined;
}

/** What is wrong with a text, and where in it. */
export class TemplateFault extends Error {
  constructor(readonly at: number, what: string) {
    super(what);
  }
}

const DEPTH = 16;

/** Throws `TemplateFault`. */
export function parseTemplate(text: string, depth = 0): Template {
  if (depth > DEPTH) throw new TemplateFault(0, `more than ${DEPTH} nested \${...}`);
  const parts: Part[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") parts.push({ kind: "text", text: plain });
    plain = "";
  };
  for (let at = 0; at < text.length; at++) {
    const open = text.charAt(at) === "$" ? text.charAt(at + 1) : "";
    if (open !== "{" && open !== "[") {
      plain += text.charAt(at);
      continue;
    }
    const end = closing(text, at + 1);
    if (end < 0) throw new TemplateFault(at, `"$${open}" is not closed`);
    flush();
    const inner = text.slice(at + 2, end);
    parts.push(
      open === "["
        ? { kind: "expression", body: parseTemplate(inner, depth + 1) }
        : reference(inner, at + 2, depth + 1),
    );
    at = end;
  }
  flush();
  return parts;
}

/** The text when nothing in it is to be expanded. */
export function constantText(template: Template): string | undefined {
  if (template.length === 0) return "";
  const [only] = template;
  return template.length === 1 && only?.kind === "text" ? only.text : undefined;
}

const pairs: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };

/** Index of the bracket that closes the one at `at`; brackets of its own kind and `${` `$[` are counted. -1: none. */
export function closing(text: string, at: number): number {
  const open = text.charAt(at);
  const close = pairs[open];
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === "\\") i++;
    else if (c === close) return i;
    else if (c === open || (c === "$" && (text.charAt(i + 1) === "{" || text.charAt(i + 1) === "["))) {
      i = closing(text, c === open ? i : i + 1);
      if (i < 0) return -1;
    }
  }
  return -1;
}

/** Splits at commas outside of brackets and double quotes; a backslash keeps the next character as it is. */
export function splitArguments(text: string): readonly string[] {
  if (text.trim() === "") return [];
  const parts: string[] = [];
  let part = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === "\\" && at + 1 < text.length) {
      part += text.charAt(++at);
      continue;
    }
    if (c === '"') quoted = !quoted;
    if (c === "," && !quoted) {
      parts.push(part);
      part = "";
      continue;
    }
    const end = !quoted && c in pairs ? closing(text, at) : -1;
    part += end < 0 ? c : text.slice(at, end + 1);
    if (end >= 0) at = end;
  }
  parts.push(part);
  return parts.map((p) => p.trim()).map((p) => /^"[^"]*"$/.test(p) ? p.slice(1, -1) : p);
}

/** What stands inside `${ }`. */
function reference(inner: string, at: number, depth: number): Part {
  const open = outside(inner, "(");
  const colon = outside(inner, ":");
  if (open >= 0 && (colon < 0 || open < colon)) {
    const end = closing(inner, open);
    if (end < 0) throw new TemplateFault(at + open, '"(" is not closed');
    const name = inner.slice(0, open).trim();
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new TemplateFault(at, `"${name}" is not a function's name`);
    const rest = inner.slice(end + 1);
    if (rest !== "" && !rest.startsWith(":")) throw new TemplateFault(at + end, `"${rest}" after the function`);
    const args = splitArguments(inner.slice(open + 1, end)).map((a) => parseTemplate(a, depth));
    return { kind: "function", name, args, cut: cut(rest, depth) };
  }
  const name = colon < 0 ? inner : inner.slice(0, colon);
  if (name.trim() === "") throw new TemplateFault(at, "a variable without a name");
  return {
    kind: "variable",
    name: parseTemplate(name.trim(), depth),
    cut: colon < 0 ? undefined : cut(inner.slice(colon), depth),
  };
}

/** Index of a character that does not stand inside a nested `${ }` or `$[ ]`; -1: none. */
function outside(text: string, wanted: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at) === wanted) return at;
    if (text.charAt(at) === "$" && (text.charAt(at + 1) === "{" || text.charAt(at + 1) === "[")) {
      const end = closing(text, at + 1);
      if (end < 0) return -1;
      at = end;
    }
  }
  return -1;
}

function cut(text: string, depth: number): Cut | undefined {
  if (text === "") return undefined;
  const body = text.slice(1);
  const second = outside(body, ":");
  return {
    offset: parseTemplate(second < 0 ? body : body.slice(0, second), depth),
    length: second < 0 ? undefined : parseTemplate(body.slice(second + 1), depth),
  };
}

/** Where the values come from; both may be asked often. */
export interface Scope {
  variable(name: string): string | undefined;
  call(name: string, args: readonly string[]): Promise<string>;
  evaluate(expression: string): string;
}

export async function expand(template: Template, scope: Scope): Promise<string> {
  let out = "";
  for (const part of template) {
    switch (part.kind) {
      case "text":
        out += part.text;
        break;
      case "variable":
        out += await shorten(scope.variable(await expand(part.name, scope)) ?? "", part.cut, scope);
        break;
      case "function": {
        const args: string[] = [];
        for (const arg of part.args) args.push(await expand(arg, scope));
        out += await shorten(await scope.call(part.name, args), part.cut, scope);
        break;
      }
      case "expression":
        out += scope.evaluate(await expand(part.body, scope));
        break;
      default:
        part satisfies never;
    }
  }
  return out;
}

async function shorten(value: string, how: Cut | undefined, scope: Scope): Promise<string> {
  if (how === undefined) return value;
  const offset = Number.parseInt(await expand(how.offset, scope)) || 0;
  const rest = value.slice(offset < 0 ? Math.max(0, value.length + offset) : offset);
  if (how.length === undefined) return rest;
  const length = Number.parseInt(await expand(how.length, scope)) || 0;
  return length < 0 ? rest.slice(0, Math.max(0, rest.length + length)) : rest.slice(0, length);
}
