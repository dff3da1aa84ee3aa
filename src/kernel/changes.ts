import { isDeepStrictEqual } from "node:util";
import type { Configuration, ModuleConfig, ObjectConfig } from "./configuration.ts";
import type { ConfigChange } from "./services.ts";

type Effect = ConfigChange["effect"];

/** What differs between the configuration that runs and a new one, in the order of the new modules. */
export function changesBetween(running: Configuration, next: Configuration): readonly ConfigChange[] {
  const before = new Map(running.modules.map((module) => [module.definition.name, module]));
  const changes: ConfigChange[] = [];
  for (const module of next.modules) {
    const name = module.definition.name;
    const old = before.get(name);
    before.delete(name);
    if (!old) changes.push({ module: name, what: "module", name: "", change: "added", effect: "live" });
    else changes.push(...moduleChanges(old, module));
  }
  for (const name of before.keys()) {
    changes.push({ module: name, what: "module", name: "", change: "removed", effect: "live" });
  }
  return [...changes, ...objectChanges(running.objects, next)];
}

function moduleChanges(old: ModuleConfig, next: ModuleConfig): ConfigChange[] {
  const module = next.definition.name;
  const changes = differences(old.written, next.written).map(({ name, change }): ConfigChange => ({
    module,
    what: "option",
    name,
    change,
    effect: optionEffect(next, name),
  }));
  if (old.definition !== next.definition) {
    changes.unshift({ module, what: "module", name: "", change: "changed", effect: "live" });
  }
  return changes;
}

/** `effect` of a module may name "*" for all keys it does not name. */
function optionEffect(module: ModuleConfig, option: string): Effect {
  const { effect = {} } = module.definition;
  return effect[option] ?? effect["*"] ?? "live";
}

function objectChanges(old: readonly ObjectConfig[], next: Configuration): ConfigChange[] {
  const key = (object: ObjectConfig) => `${object.type} ${object.id}`;
  const table = (objects: readonly ObjectConfig[]) =>
    Object.fromEntries(objects.map((object) => [key(object), { written: object.written }]));
  const all = new Map([...old, ...next.objects].map((object) => [key(object), object]));
  const owners = new Map(next.modules.map((module) => [module.definition.name, module.definition]));
  return differences(table(old), table(next.objects)).flatMap(({ name, change }) => {
    const object = all.get(name);
    const owner = object && owners.get(object.module);
    if (!object || !owner) return []; // its module was removed: that is the change
    const effect = owner.objects?.[object.type]?.effect ?? "live";
    return [{ module: object.module, what: object.type, name: object.id, change, effect }];
  });
}

interface Difference {
  readonly name: string;
  readonly change: ConfigChange["change"];
}

function differences(
  old: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): readonly Difference[] {
  return [...new Set([...Object.keys(old), ...Object.keys(next)])].flatMap((name): Difference[] => {
    if (!Object.hasOwn(old, name)) return [{ name, change: "added" }];
    if (!Object.hasOwn(next, name)) return [{ name, change: "removed" }];
    return isDeepStrictEqual(old[name], next[name]) ? [] : [{ name, change: "changed" }];
  });
}

/** The new configuration as it may run now: what needs a restart stays as it was. */
export function withoutRestarts(running: Configuration, next: Configuration): Configuration {
  const modules = new Map(running.modules.map((module) => [module.definition.name, module]));
  const definitions = new Map(next.modules.map(({ definition }) => [definition.name, definition]));
  return {
    modules: next.modules.map((module) => {
      const old = modules.get(module.definition.name);
      return old ? withheld(old, module) : module;
    }),
    objects: next.objects.map((object) => {
      if (definitions.get(object.module)?.objects?.[object.type]?.effect !== "restart") return object;
      return running.objects.find((old) => old.type === object.type && old.id === object.id) ?? object;
    }),
  };
}

function withheld(old: ModuleConfig, next: ModuleConfig): ModuleConfig {
  const held = differences(old.written, next.written)
    .filter(({ name }) => optionEffect(next, name) === "restart")
    .map(({ name }) => name);
  if (held.length === 0) return next;
  return { ...next, options: keep(old.options, next.options, held), written: keep(old.written, next.written, held) };
}

function keep<T>(old: unknown, next: T, names: readonly string[]): T {
  if (typeof old !== "object" || old === null) return next;
  const kept = Object.entries(next as object).filter(([name]) => !names.includes(name)); // options are objects
  const held = Object.entries(old).filter(([name]) => names.includes(name));
  return Object.fromEntries([...kept, ...held]) as T;
}
