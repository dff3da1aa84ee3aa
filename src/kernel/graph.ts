import type { ModuleDefinition } from "./module.ts";

export interface GraphFault {
  readonly module: string;
  readonly message: string;
}

/**
 * The modules so that each comes after all it requires; modules that do not depend on each other stand by name, so the
 * order of keys in a manifest means nothing. Missing and circular needs are faults.
 */
export function setupOrder<M extends Pick<ModuleDefinition, "name" | "requires">>(
  modules: readonly M[],
  available: (name: string) => boolean,
): { readonly order: readonly M[]; readonly faults: readonly GraphFault[] } {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const order: M[] = [];
  const faults: GraphFault[] = [];
  const done = new Set<string>();
  const visit = (module: M, chain: readonly string[]): void => {
    if (done.has(module.name)) return;
    if (chain.includes(module.name)) {
      const circle = [...chain.slice(chain.indexOf(module.name)), module.name].join(" → ");
      faults.push({ module: module.name, message: `modules require each other in a circle: ${circle}` });
      return;
    }
    for (const name of module.requires.toSorted()) {
      const required = byName.get(name);
      if (required) visit(required, [...chain, module.name]);
      else faults.push({ module: module.name, message: missing(module.name, name, available(name)) });
    }
    if (!done.has(module.name)) order.push(module);
    done.add(module.name);
  };
  for (const module of modules.toSorted((a, b) => a.name < b.name ? -1 : 1)) visit(module, []);
  return { order, faults };
}

function missing(module: string, required: string, exists: boolean): string {
  return exists
    ? `"${module}" requires "${required}", which is not in the manifest: add "${required}": {}`
    : `"${module}" requires "${required}", and there is no such module`;
}

/** The names a module requires, directly or through others. */
export function closure(name: string, byName: ReadonlyMap<string, Pick<ModuleDefinition, "requires">>): Set<string> {
  const found = new Set<string>();
  const queue = [name];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const required of byName.get(next)?.requires ?? []) {
      if (!found.has(required)) {
        found.add(required);
        queue.push(required);
      }
    }
  }
  return found;
}
