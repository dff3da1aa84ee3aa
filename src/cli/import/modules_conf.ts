// modules.conf: which modules of ours appear in the manifest.
import * as v from "valibot";
import type { AnyModule } from "../../kernel/configuration.ts";
import type { ConfFile, ConfLine } from "./conf.ts";
import type { Report } from "./report.ts";
import { readBool } from "./values.ts";

/** Modules an import never takes by itself: another file asks for them. */
const onDemand = new Set(["management", "hep"]);

/** Modules of Asterisk without which one of ours has nothing to do. */
const needed: Readonly<Record<string, string>> = { hep: "res_hep" };

/** "res_pjsip_nat.so" and "res_pjsip_nat" are one. */
const moduleName = (text: string): string => text.trim().replace(/\.so$/, "").toLowerCase();

/** Whether a line of modules.conf names this module. */
export const isModule = (text: string, name: string): boolean => moduleName(text) === name;

/** Name of the Asterisk module whose job it does. */
const replaced = (module: AnyModule): string => /^\w+/.exec(module.replaces ?? "")?.[0] ?? "";

/** The modules that are loaded, `asked` those of the modules on demand that other files ask for. */
export function chooseModules(
  catalog: readonly AnyModule[],
  conf: ConfFile,
  asked: ReadonlySet<string>,
  report: Report,
): readonly AnyModule[] {
  const lines = conf.sections.filter((one) => one.name.toLowerCase() === "modules").flatMap((one) => one.lines);
  const autoload = lines.findLast((line) => line.name.toLowerCase() === "autoload");
  const everything = conf.sections.length === 0 || (autoload !== undefined && readBool(autoload.value) === true);
  const named = (...words: readonly string[]) =>
    new Set(lines.filter((line) => words.includes(line.name.toLowerCase())).map((line) => moduleName(line.value)));
  const without = named("noload");
  const loaded = named("load", "require", "preload", "preload-require");
  const wanted = (module: AnyModule): boolean => {
    const name = replaced(module);
    if (without.has(name) || without.has(needed[module.name] ?? "")) return false;
    if (onDemand.has(module.name)) return asked.has(module.name);
    if (!v.safeParse(module.options, {}).success) return false;
    return name === "" || everything || loaded.has(name);
  };
  let chosen = catalog.filter(wanted);
  for (let before = -1; before !== chosen.length;) {
    before = chosen.length;
    const names = new Set(chosen.map((module) => module.name));
    chosen = chosen.filter((module) => module.requires.every((name) => names.has(name)));
  }
  for (const line of lines) tell(line, catalog, chosen, report);
  return chosen;
}

function tell(line: ConfLine, catalog: readonly AnyModule[], chosen: readonly AnyModule[], report: Report): void {
  const word = line.name.toLowerCase();
  if (word === "autoload") return report.taken(line, "autoload");
  if (!["load", "noload", "require", "preload", "preload-require"].includes(word)) {
    return report.missing(line, `${line.name} has no counterpart`);
  }
  const name = moduleName(line.value);
  if (name === "res_srtp") return report.taken(line, `${word} ${name}: part of sdp_rtp`);
  const ours = catalog.filter((module) => replaced(module) === name || needed[module.name] === name);
  if (ours.length === 0) return report.missing(line, `${word} ${name}: there is no such module here`);
  const names = ours.map((module) => module.name).join(", ");
  const absent = ours.filter((module) => !chosen.includes(module));
  if (word === "noload") report.taken(line, `without ${names}`);
  else if (absent.length === 0) report.taken(line, `with ${names}`);
  else report.missing(line, `${word} ${name}: what it needs is not loaded`);
}
