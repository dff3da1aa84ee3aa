// What became of every line of an imported configuration.

export type Outcome = "taken" | "changed" | "missing";

/** Where a line stands. */
export interface Where {
  readonly file: string;
  readonly line: number; // from 1
}

export interface ReportEntry extends Where {
  readonly outcome: Outcome;
  /** In the operator's words; never a secret. */
  readonly text: string;
}

/** Collects what was taken, what was changed and why, and what has no counterpart. */
export class Report {
  readonly #entries = new Map<string, ReportEntry>();
  readonly #places = new Set<string>();

  taken(where: Where, text: string): void {
    this.#add("taken", where, text);
  }

  changed(where: Where, text: string): void {
    this.#add("changed", where, text);
  }

  /** Has no counterpart, or cannot be used. */
  missing(where: Where, text: string): void {
    this.#add("missing", where, text);
  }

  #add(outcome: Outcome, { file, line }: Where, text: string): void {
    this.#places.add(`${file}:${line}`);
    this.#entries.set(`${file}:${line}:${text}`, { outcome, file, line, text });
  }

  /** Whether anything was said of the line. */
  knows({ file, line }: Where): boolean {
    return this.#places.has(`${file}:${line}`);
  }

  /** By file, then by line. */
  get entries(): readonly ReportEntry[] {
    return [...this.#entries.values()].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
  }

  count(outcome: Outcome): number {
    let found = 0;
    for (const entry of this.#entries.values()) if (entry.outcome === outcome) found++;
    return found;
  }

  /** The whole report as text: three parts, each entry with its place. */
  text(outcomes: readonly Outcome[] = ["missing", "changed", "taken"]): string {
    const parts = outcomes.map((outcome) => {
      const entries = this.entries.filter((entry) => entry.outcome === outcome);
      const lines = entries.map(({ file, line, text }) => `  ${file}:${line}: ${text}`);
      return [`${headings[outcome]} (${entries.length})`, ...lines].join("\n");
    });
    return parts.join("\n\n") + "\n";
  }
}

const headings: Readonly<Record<Outcome, string>> = {
  taken: "Taken",
  changed: "Changed",
  missing: "No counterpart, left out",
};
