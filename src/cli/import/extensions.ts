// extensions.conf into the options of `dialplan`: contexts, includes, hints, globals, priorities with labels.
import type { ConfFile, ConfLine, ConfRemark, ConfSection } from "./conf.ts";

/** The dialplan as the manifest writes it. */
export interface ImportedDialplan {
  readonly globals: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, ImportedContext>>;
  readonly remarks: readonly ConfRemark[];
}

export interface ImportedContext {
  readonly include: readonly string[];
  readonly hints: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, readonly string[]>>;
}

/** [general] options that say what we do anyway. */
const asWeDo = new Set([
  "static",
  "writeprotect",
  "autofallthrough",
  "clearglobalvars",
  "extenpatternmatchnew",
  "priorityjumping",
]);
/** A priority beyond this is a mistake, not a dialplan. */
const MAX_PRIORITY = 1000;

export function importExtensions(conf: ConfFile): ImportedDialplan {
  const remarks = [...conf.remarks];
  const globals: Record<string, string> = {};
  const contexts = new Map<string, ContextDraft>();
  for (const section of conf.sections) {
    if (section.template) continue;
    const name = section.name.toLowerCase();
    if (name === "general") takeGeneral(section, remarks);
    else if (name === "globals") { for (const line of section.lines) globals[line.name] = line.value; }
    else {
      const draft = contexts.get(section.name) ?? new ContextDraft(section.name, remarks);
      contexts.set(section.name, draft);
      for (const line of section.lines) draft.take(line);
    }
  }
  return {
    globals,
    contexts: Object.fromEntries([...contexts].map(([name, draft]) => [name, draft.finish()])),
    remarks,
  };
}

function takeGeneral(section: ConfSection, remarks: ConfRemark[]): void {
  for (const line of section.lines) {
    if (!asWeDo.has(line.name.toLowerCase())) remark(remarks, line, `[general] ${line.name} has no counterpart`);
  }
}

const remark = (remarks: ConfRemark[], line: ConfLine, text: string, changed?: true): void => {
  remarks.push({ file: line.file, line: line.line, text, ...(changed ? { changed } : {}) });
};

interface Draft {
  readonly steps: Map<number, string>;
  last: number; // the priority before
  readonly first: ConfLine;
}

class ContextDraft {
  readonly include: string[] = [];
  readonly hints: Record<string, string> = {};
  readonly #extensions = new Map<string, Draft>();
  #same: string | undefined; // what "same" means

  constructor(readonly name: string, readonly remarks: ConfRemark[]) {}

  take(line: ConfLine): void {
    switch (line.name.toLowerCase()) {
      case "exten":
        this.#exten(line, undefined);
        break;
      case "same":
        if (this.#same === undefined) remark(this.remarks, line, `"same" without an extension before it`);
        else this.#exten(line, this.#same);
        break;
      case "include":
        this.#include(line);
        break;
      default:
        remark(this.remarks, line, `[${this.name}] ${line.name} => ${line.value} has no counterpart`);
    }
  }

  #include(line: ConfLine): void {
    const [context, ...times] = line.value.split(/[|,]/).map((part) => part.trim());
    if (times.length > 0) {
      remark(this.remarks, line, `include of ${context} at certain times is not carried out; left out`);
      return;
    }
    if (context && !this.include.includes(context)) this.include.push(context);
  }

  #exten(line: ConfLine, same: string | undefined): void {
    const parts = splitHead(line.value, same === undefined ? 2 : 1);
    if (parts === undefined) {
      remark(this.remarks, line, `expected "extension,priority,application", found "${line.value}"`);
      return;
    }
    const key = same ?? parts[0] ?? "";
    const [priorityText = "", application = ""] = same === undefined ? parts.slice(1) : parts;
    if (key.includes("/") && !key.startsWith("_") || /^_.*\/[\d_]/.test(key)) {
      remark(this.remarks, line, `extension ${key} asks for a certain caller number, which is not supported; left out`);
      return;
    }
    this.#same = key;
    const priority = /^\s*(hint|n|s|\d+)\s*(?:\+\s*(\d+))?\s*(?:\(([^)]*)\))?\s*$/i.exec(priorityText);
    if (priority === null) {
      remark(this.remarks, line, `priority "${priorityText}" of ${key} is not understood`);
      return;
    }
    const [, word = "", plus, label] = priority;
    if (word.toLowerCase() === "hint") {
      this.hints[key] = application.trim();
      return;
    }
    const draft = this.#extensions.get(key) ?? { steps: new Map<number, string>(), last: 0, first: line };
    this.#extensions.set(key, draft);
    const base = word.toLowerCase() === "n" ? draft.last + 1 : word.toLowerCase() === "s" ? draft.last : Number(word);
    const number = base + Number(plus ?? 0);
    if (number < 1 || number > MAX_PRIORITY) {
      remark(this.remarks, line, `priority ${number} of ${key} is outside 1 to ${MAX_PRIORITY}`);
      return;
    }
    if (draft.steps.has(number)) {
      remark(this.remarks, line, `priority ${number} of ${key} is there already; the first one stays`);
    } else draft.steps.set(number, (label === undefined ? "" : `${label.trim()}: `) + stepOf(application));
    draft.last = number;
  }

  finish(): ImportedContext {
    const extensions: Record<string, readonly string[]> = {};
    for (const [key, draft] of this.#extensions) extensions[key] = this.#steps(key, draft);
    return { include: this.include, hints: this.hints, extensions };
  }

  /** Steps by priority. Asterisk ends a call that reaches a missing priority; so does the step we put there. */
  #steps(key: string, draft: Draft): readonly string[] {
    const steps: string[] = [];
    const missing: number[] = [];
    for (let priority = 1; priority <= Math.max(0, ...draft.steps.keys()); priority++) {
      const step = draft.steps.get(priority);
      if (step === undefined) missing.push(priority);
      steps.push(step ?? "Hangup()");
    }
    if (missing.length > 0) {
      remark(
        this.remarks,
        draft.first,
        `${key} has no priority ${missing.slice(0, 5).join(", ")}; a Hangup() stands there`,
        true,
      );
    }
    return steps;
  }
}

/** Splits off `count` comma-separated parts outside parentheses; the rest is the last one. */
function splitHead(text: string, count: number): readonly string[] | undefined {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length && parts.length < count; at++) {
    const c = text[at];
    if (c === "(" || c === "[") depth++;
    else if (c === ")" || c === "]") depth--;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts.length === count ? [...parts, text.slice(start)] : undefined;
}

/** `App(args)`, a bare `App`, or the old `App,args` and `App|args`. */
function stepOf(application: string): string {
  const text = application.trim();
  const old = /^([A-Za-z_]\w*)\s*[,|](.*)$/s.exec(text);
  if (old) return `${old[1]}(${(old[2] ?? "").replaceAll("|", ",")})`;
  return text === "" ? "NoOp()" : text;
}
