import type { DialplanContext } from "../kernel/dialplan.ts";
import type { OptionFault } from "../kernel/module.ts";
import { comparePatterns, isPattern, matchPattern, parsePattern, type Pattern } from "./pattern.ts";
import { parseStep, type Step } from "./step.ts";

export interface Extension {
  readonly key: string;
  readonly pattern: Pattern | undefined; // undefined: the key itself
  readonly steps: readonly Step[];
  /** Index of a step by its label. */
  readonly labels: ReadonlyMap<string, number>;
}

export interface Context {
  readonly name: string;
  readonly include: readonly string[];
  readonly literals: ReadonlyMap<string, Extension>;
  /** The most specific first. */
  readonly patterns: readonly Extension[];
  readonly hints: Readonly<Record<string, string>>;
}

export interface Found {
  readonly context: string;
  readonly extension: Extension;
}

/** All contexts, read-only once built. */
export class Contexts {
  readonly #contexts = new Map<string, Context>();

  /** Faults go to `faults`; what is wrong is left out. */
  constructor(contexts: Readonly<Record<string, DialplanContext>>, faults: OptionFault[]) {
    for (const [name, source] of Object.entries(contexts)) {
      this.#contexts.set(name, compile(name, source, faults));
    }
  }

  get names(): readonly string[] {
    return [...this.#contexts.keys()];
  }

  get all(): readonly Context[] {
    return [...this.#contexts.values()];
  }

  get(name: string): Context | undefined {
    return this.#contexts.get(name);
  }

  /** The extension that an asked-for number means: literal, then pattern, then the included contexts in order. */
  find(context: string, extension: string): Found | undefined {
    return this.#walk(context, (c) => {
      const literal = c.literals.get(extension);
      const found = literal ?? c.patterns.find((p) => p.pattern && matchPattern(p.pattern, extension) === "match");
      return found && { context: c.name, extension: found };
    });
  }

  /** True when more digits could make it an extension. */
  couldMatch(context: string, extension: string): boolean {
    const found = this.#walk(context, (c) => {
      for (const key of c.literals.keys()) if (key.length > extension.length && key.startsWith(extension)) return true;
      return c.patterns.some((p) => p.pattern && matchPattern(p.pattern, extension) === "partial") || undefined;
    });
    return found ?? false;
  }

  hint(context: string, extension: string): string | undefined {
    return this.#walk(context, (c) => {
      const literal = c.hints[extension];
      if (literal !== undefined) return literal;
      for (const [key, hint] of Object.entries(c.hints)) {
        const pattern = isPattern(key) ? parsePattern(key) : "";
        if (typeof pattern !== "string" && matchPattern(pattern, extension) === "match") return hint;
      }
      return undefined;
    });
  }

  #walk<T>(name: string, look: (context: Context) => T | undefined): T | undefined {
    const seen = new Set<string>();
    const visit = (at: string): T | undefined => {
      const context = this.#contexts.get(at);
      if (context === undefined || seen.has(at)) return undefined;
      seen.add(at);
      const own = look(context);
      if (own !== undefined) return own;
      for (const include of context.include) {
        const found = visit(include);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return visit(name);
  }
}

function compile(name: string, source: DialplanContext, faults: OptionFault[]): Context {
  const literals = new Map<string, Extension>();
  const patterns: Extension[] = [];
  for (const [key, lines] of Object.entries(source.extensions)) {
    const pattern = isPattern(key) ? parsePattern(key) : undefined;
    if (typeof pattern === "string") {
      faults.push({ path: [name, key], message: `pattern "${key}": ${pattern}` });
      continue;
    }
    const extension = readExtension(name, key, pattern, lines, faults);
    if (pattern === undefined) literals.set(key, extension);
    else patterns.push(extension);
  }
  patterns.sort((a, b) => a.pattern && b.pattern ? comparePatterns(a.pattern, b.pattern) : 0);
  return { name, include: source.include, literals, patterns, hints: source.hints };
}

function readExtension(
  context: string,
  key: string,
  pattern: Pattern | undefined,
  lines: readonly string[],
  faults: OptionFault[],
): Extension {
  const steps: Step[] = [];
  const labels = new Map<string, number>();
  lines.forEach((line, index) => {
    const path = placeOf(context, key, lines, index);
    const step = parseStep(line);
    if (typeof step === "string") {
      faults.push({ path, message: step });
      return;
    }
    if (step.label !== undefined && labels.has(step.label)) {
      faults.push({ path, message: `label "${step.label}" stands twice in this extension` });
    }
    if (step.label !== undefined) labels.set(step.label, steps.length);
    steps.push(step);
  });
  return { key, pattern, steps, labels };
}

/** Path of a step below the module's key: a lone step may be written without the list. */
export function placeOf(context: string, key: string, lines: readonly unknown[], index: number): readonly string[] {
  return lines.length === 1 ? [context, key] : [context, key, String(index)];
}
