import { parseTemplate, splitArguments, type Template, TemplateFault } from "./template.ts";

/** One line of an extension: `app(arg, arg)`, `label: app(...)` or a bare `app`. */
export interface Step {
  readonly source: string;
  readonly label: string | undefined;
  /** Lower case: names of applications have no case. */
  readonly app: string;
  readonly args: readonly Template[];
  /** All arguments as one text. */
  readonly text: Template;
}

/** A string says what is wrong and where. Arguments are split before anything is expanded: a comma in a value is no comma. */
export function parseStep(source: string): Step | string {
  const head = /^\s*(?:([A-Za-z_][\w-]*)\s*:\s*)?([A-Za-z_]\w*)\s*/.exec(source);
  if (head === null) return `expected "app(arguments)" or "label: app(arguments)", found ${JSON.stringify(source)}`;
  const start = head[0].length;
  let inner = "";
  if (start < source.length) {
    if (source.charAt(start) !== "(") return `column ${start + 1}: expected "(" after "${head[2]}"`;
    const end = source.trimEnd().length - 1;
    if (source.charAt(end) !== ")" || end <= start) return `column ${start + 1}: "(" is not closed`;
    inner = source.slice(start + 1, end);
  }
  try {
    return {
      source,
      label: head[1],
      app: (head[2] ?? "").toLowerCase(),
      args: splitArguments(inner).map((a) => parseTemplate(a)),
      text: parseTemplate(inner),
    };
  } catch (fault) {
    if (fault instanceof TemplateFault) return `column ${start + 2 + fault.at}: ${fault.message}`;
    throw fault;
  }
}

/** Calls `visit` for each function named in the templates of a step. */
export function functionsOf(step: Step, visit: (name: string) => void): void {
  const walk = (template: Template | undefined): void => {
    for (const part of template ?? []) {
      if (part.kind === "function") {
        visit(part.name);
        part.args.forEach(walk);
      }
      if (part.kind === "variable") walk(part.name);
      if (part.kind === "expression") walk(part.body);
      if (part.kind === "function" || part.kind === "variable") {
        walk(part.cut?.offset);
        walk(part.cut?.length);
      }
    }
  };
  walk(step.text);
}
