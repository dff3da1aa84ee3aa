import { suggestion } from "../kernel/nearest.ts";
import type { OptionFault } from "../kernel/module.ts";
import type { DialplanOptions, DialplanTarget } from "../kernel/dialplan.ts";
import type { Application } from "./application.ts";
import { readBranches, readTarget } from "./apps/flow.ts";
import { type Context, Contexts, type Extension, placeOf } from "./contexts.ts";
import { isPattern } from "./pattern.ts";
import { functionsOf, parseStep, type Step } from "./step.ts";
import { constantText, type Template } from "./template.ts";

/** Every fault that can be known before a call comes. */
export function checkOptions(
  options: DialplanOptions,
  apps: readonly Application[],
  functions: ReadonlySet<string>,
  otherApps: readonly string[],
): readonly OptionFault[] {
  const faults: OptionFault[] = [];
  const contexts = new Contexts(options.contexts, faults);
  const known = new Map<string, Application | undefined>(otherApps.map((name) => [name.toLowerCase(), undefined]));
  for (const app of apps) known.set(app.name, app);
  for (const [name, source] of Object.entries(options.contexts)) {
    source.include.forEach((include, at) => {
      if (contexts.get(include)) return;
      const message = `there is no context "${include}"${suggestion(include, contexts.names)}`;
      faults.push({ path: [name, "include", String(at)], message });
    });
    const context = contexts.get(name);
    if (context === undefined) continue;
    for (const [key, lines] of Object.entries(source.extensions)) {
      lines.forEach((line, at) => {
        const step = parseStep(line);
        if (typeof step === "string") return; // told when the contexts were built
        const path = placeOf(name, key, lines, at);
        for (const message of faultsOf(step, { options, contexts, context, key, known, functions })) {
          faults.push({ path, message });
        }
      });
    }
  }
  return faults;
}

interface Around {
  readonly options: DialplanOptions;
  readonly contexts: Contexts;
  readonly context: Context;
  readonly key: string;
  readonly known: ReadonlyMap<string, Application | undefined>;
  readonly functions: ReadonlySet<string>;
}

function faultsOf(step: Step, around: Around): readonly string[] {
  const { options, known, functions } = around;
  const faults: string[] = [];
  if (!options.general.imported) {
    functionsOf(step, (name) => {
      if (!functions.has(name.toUpperCase())) {
        faults.push(`there is no function "${name}"${suggestion(name.toUpperCase(), [...functions])}`);
      }
    });
  }
  if (!known.has(step.app)) {
    if (!options.general.imported) {
      faults.push(`there is no application "${step.app}"${suggestion(step.app, [...known.keys()])}`);
    }
    return faults;
  }
  const app = known.get(step.app);
  if (app === undefined || options.general.imported) return faults;
  const [least, most] = app.args ?? [0, Infinity];
  if (step.args.length < least || step.args.length > most) {
    const wanted = most === Infinity ? `at least ${least}` : least === most ? `${least}` : `${least} to ${most}`;
    faults.push(`"${app.name}" takes ${wanted} argument${wanted === "1" ? "" : "s"}, found ${step.args.length}`);
    return faults;
  }
  const wrong = app.check?.(step.args.map(constantText));
  if (wrong !== undefined) faults.push(wrong);
  for (const target of targetsOf(step)) {
    const missing = missingTarget(target, around);
    if (missing) faults.push(missing);
  }
  return faults;
}

/** Places a step goes to, as far as they are written out. */
function targetsOf(step: Step): readonly DialplanTarget[] {
  const read = (text: string | undefined) => {
    const target = text === undefined || text === "" ? undefined : readTarget(text.replace(/\(.*$/s, ""));
    return target ? [target] : [];
  };
  if (step.app === "goto" || step.app === "gosub") return read(constantText(step.text));
  if (step.app !== "gotoif" && step.app !== "gosubif") return [];
  const tail = lastText(step.text);
  if (tail === undefined || !tail.includes("?")) return [];
  const { yes, no } = readBranches(tail);
  return [...read(yes), ...read(no)];
}

const lastText = (template: Template): string | undefined => {
  const last = template.at(-1);
  return last?.kind === "text" ? last.text : undefined;
};

function missingTarget(target: DialplanTarget, { contexts, context, key }: Around): string | undefined {
  const into = target.context ?? context.name;
  if (!contexts.get(into)) return `there is no context "${into}"${suggestion(into, contexts.names)}`;
  const extension = target.extension ?? (isPattern(key) ? undefined : key);
  const found: Extension | undefined = extension === undefined
    ? context.patterns.find((p) => p.key === key)
    : contexts.find(into, extension)?.extension;
  if (found === undefined) return `context "${into}" has no extension "${extension}"`;
  const label = target.label?.replace(/\+\d+$/, "");
  if (label === undefined || label === "n" || found.labels.has(label)) return undefined;
  const priority = Number(label);
  if (Number.isInteger(priority) && priority >= 1 && priority <= found.steps.length) return undefined;
  return `extension "${found.key}" has no label "${label}"${suggestion(label, [...found.labels.keys()])}`;
}
