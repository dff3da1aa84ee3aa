// A manifest becomes a configuration: every module with its options, every object with its fields, or all faults at once.
import { isAbsolute, join } from "node:path";
import { Drafts, type Entry, type ObjectDraft } from "./drafts.ts";
import { ConfigError, type ConfigFault } from "./errors.ts";
import { setupOrder } from "./graph.ts";
import { type JsonEntry, type JsonNode, jsonNode, jsonValue, type Place, placeAt, readJsonc } from "./jsonc.ts";
import type { CheckContext, FieldSchemas, ModuleDefinition, OptionsSchema } from "./module.ts";
import { suggestion } from "./nearest.ts";
import type { ConfigObject } from "./objects.ts";
import { isSecretAt, referencesIn } from "./schema_walk.ts";
import type { ServiceToken } from "./token.ts";
import type { ObjectNode } from "./templates.ts";
import { expandTexts, textFrom, type TextSources } from "./text_sources.ts";
import { type AnySchema, entriesOf, validate } from "./validation.ts";

/** A module of any options and fields. */
export type AnyModule = ModuleDefinition<OptionsSchema, FieldSchemas>;

export interface ModuleConfig {
  readonly definition: AnyModule;
  /** The key in the manifest: the module's name, or the path of an external one. */
  readonly key: string;
  readonly place: Place;
  /** Absolute path of an external module. */
  readonly file: string | undefined;
  readonly options: unknown;
  /** As written, after templates and texts: what a reload compares. */
  readonly written: Readonly<Record<string, unknown>>;
}

export interface ObjectConfig extends ConfigObject {
  readonly module: string;
  readonly written: unknown;
}

/** A whole valid configuration. */
export interface Configuration {
  /** In the order of set-up. */
  readonly modules: readonly ModuleConfig[];
  readonly objects: readonly ObjectConfig[];
}

/** What configuring needs of its surroundings. */
export interface Surroundings {
  readonly catalog: readonly AnyModule[];
  readonly sources: TextSources;
  /** Reads an external module; rejects with the reason. */
  importModule(path: string): Promise<AnyModule>;
  use: CheckContext["use"];
}

/** A module that was loaded or unloaded at run time. */
export type Override = "unload" | { readonly options: unknown };
type Overrides = ReadonlyMap<string, Override>;

/** Reads, expands and checks a manifest. Rejects with a ConfigError that has every fault. */
export async function configure(
  text: string,
  file: string,
  around: Surroundings,
  overrides: Overrides,
): Promise<Configuration> {
  const { root, faults } = readJsonc(text, file);
  const reading = new Reading(file, around);
  for (const fault of faults) reading.report(fault.place, fault.message);
  if (!root) throw reading.error();
  return await reading.configure(root, overrides);
}

/** The same for a manifest that is a value: tests, and modules loaded over HTTP. */
export async function configureValue(
  value: unknown,
  file: string,
  around: Surroundings,
  overrides: Overrides,
): Promise<Configuration> {
  return await new Reading(file, around).configure(jsonNode(value, { file, line: 1, column: 1 }), overrides);
}

/** One pass over one manifest. */
class Reading {
  readonly #faults = new Map<string, ConfigFault>();

  constructor(readonly file: string, readonly around: Surroundings) {}

  report(place: Place, message: string, module?: string): void {
    const { file, line, column } = place;
    // A template's fault is found once in every object that uses it.
    const key = `${file}:${line}:${column}:${message.replace(/^\S+: /, "")}`;
    if (!this.#faults.has(key)) this.#faults.set(key, { file, line, column, message, ...(module ? { module } : {}) });
  }

  error(): ConfigError {
    const faults = [...this.#faults.values()];
    const others = (fault: ConfigFault) => fault.file === this.file ? 0 : 1; // files of modules come last
    return new ConfigError(faults.sort((a, b) => others(a) - others(b) || a.line - b.line || a.column - b.column));
  }

  async configure(written: JsonNode, overrides: Overrides): Promise<Configuration> {
    if (written.kind !== "object") {
      this.report(written.place, "a manifest is an object in {} with one key per module");
      throw this.error();
    }
    const root = overridden(written, overrides);
    const entries = await this.#entries(root);
    const { order, faults } = setupOrder(
      entries.map((entry) => entry.definition),
      (name) => this.around.catalog.some((module) => module.name === name),
    );
    const byName = new Map(entries.map((entry) => [entry.definition.name, entry]));
    for (const fault of faults) {
      this.report(byName.get(fault.module)?.place ?? root.place, fault.message, fault.module);
    }
    const drafts = new Drafts(entries, this.around.catalog, (place, message) => this.report(place, message));
    drafts.imply();

    const modules: ModuleConfig[] = [];
    for (const definition of order) {
      const entry = byName.get(definition.name);
      if (entry) modules.push(await this.#module(entry));
    }
    const objects: ObjectConfig[] = [];
    for (const draft of drafts.all) objects.push(await this.#object(draft, drafts, byName));
    const sound = this.#faults.size === 0;
    const names = this.#names(modules);
    this.#references(byName, drafts, names);
    // A check may rely on what schemas promise.
    if (sound) this.#checks(modules, byName, names);
    if (this.#faults.size > 0) throw this.error();
    return { modules, objects };
  }

  /** The modules named by the keys, with every text expanded. */
  async #entries(root: ObjectNode): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (const [key, { key: place, node }] of root.entries) {
      if (key.startsWith("$")) continue;
      const definition = await this.#definition(key, place);
      if (!definition) continue;
      const same = entries.find((entry) => entry.definition.name === definition.name);
      if (same) {
        this.report(place, `"${key}" is a module named "${definition.name}", and so is "${same.key}"`);
        continue;
      }
      const expanded = await expandTexts(node, this.around.sources, (at, message) => this.report(at, message, key));
      if (expanded.kind !== "object") this.report(node.place, `${key}: expected an object in {} with its options`);
      else {
        const file = isPath(key) ? absolute(key, this.around.sources.folder) : undefined;
        entries.push({ key, place, node: expanded, definition, file });
      }
    }
    return entries;
  }

  async #definition(key: string, place: Place): Promise<AnyModule | undefined> {
    if (!isPath(key)) {
      const found = this.around.catalog.find((module) => module.name === key);
      const names = this.around.catalog.map((module) => module.name);
      if (!found) this.report(place, `there is no module "${key}"${suggestion(key.replace(/^res_pjsip_/, ""), names)}`);
      return found;
    }
    try {
      return await this.around.importModule(absolute(key, this.around.sources.folder));
    } catch (error) {
      if (error instanceof ConfigError) { for (const fault of error.faults) this.report(fault, fault.message, key); }
      this.report(place, `"${key}" cannot be loaded: ${firstLine(error)}`);
      return undefined;
    }
  }

  async #module(entry: Entry): Promise<ModuleConfig> {
    const { definition, key, file } = entry;
    const schema = definition.options;
    const node = await this.#secrets(optionsNode(entry), schema);
    const written = jsonValue(node);
    const objectKeys = Object.values(definition.objects ?? {}).map((declaration) => declaration.at);
    const result = validate(schema, written, (name, path) => {
      if (path.length > 0) return undefined;
      const known = [...Object.keys(entriesOf(schema) ?? {}), ...objectKeys];
      return `unknown key "${name}"${suggestion(name, known)}`;
    });
    if (result.kind === "invalid") this.#reportAll(result.faults, node, key, definition.name);
    return {
      definition,
      key,
      place: entry.place,
      file,
      options: result.kind === "valid" ? result.output : undefined,
      written: written as Record<string, unknown>, // of an object node
    };
  }

  async #object(draft: ObjectDraft, drafts: Drafts, byName: ReadonlyMap<string, Entry>): Promise<ObjectConfig> {
    const schema = drafts.schema(draft.type);
    draft.node = await this.#secrets(draft.node, schema);
    const written = jsonValue(draft.node);
    const result = validate(schema, written, (name, path) => {
      const owner = path.length === 0 ? drafts.owner(draft.type, name) : undefined;
      if (!owner) return undefined;
      return `"${name}" belongs to the module "${owner}", which is not in the manifest: add "${owner}": {}`;
    });
    const path = drafts.path(draft, byName);
    if (result.kind === "invalid") this.#reportAll(result.faults, draft.node, path, draft.module);
    const values = result.kind === "valid" ? result.output as Record<string, unknown> : {}; // of an object schema
    return { type: draft.type, id: draft.id, origin: "manifest", values, module: draft.module, written };
  }

  #reportAll(
    faults: readonly { path: readonly string[]; message: string; atKey: boolean }[],
    node: JsonNode,
    subject: string,
    module: string,
  ): void {
    for (const fault of faults) {
      const place = placeAt(node, fault.path, fault.atKey ? "key" : "value");
      const path = [subject, ...(fault.atKey ? fault.path.slice(0, -1) : fault.path)].join(".");
      this.report(place, `${path}: ${fault.message}`, module);
    }
  }

  /** `{ "env": name }` and `{ "file": path }` where a secret is expected. */
  async #secrets<N extends JsonNode>(node: N, schema: AnySchema): Promise<N> {
    return await this.#secretsBelow(node, schema, []) as N; // the root is no secret: its kind stays
  }

  async #secretsBelow(node: JsonNode, schema: AnySchema, path: readonly string[]): Promise<JsonNode> {
    if (node.kind !== "object") return node;
    const [only] = node.entries;
    if (only && node.entries.size === 1 && (only[0] === "env" || only[0] === "file") && isSecretAt(schema, path)) {
      const name = jsonValue(only[1].node);
      if (typeof name === "string") {
        const value = await textFrom(only[0], name, this.around.sources, (message) => this.report(node.place, message));
        return { kind: "scalar", place: node.place, value };
      }
    }
    const entries = new Map<string, JsonEntry>();
    for (const [key, entry] of node.entries) {
      entries.set(key, { key: entry.key, node: await this.#secretsBelow(entry.node, schema, [...path, key]) });
    }
    return { ...node, entries };
  }

  /** What the modules declare with `names`, by kind. A module whose options are wrong makes its kinds unknown. */
  #names(modules: readonly ModuleConfig[]): ReadonlyMap<string, ReadonlySet<string>> {
    const names = new Map<string, Set<string>>();
    for (const module of modules) {
      const { definition, options } = module;
      if (options === undefined || !definition.names) continue;
      for (const [kind, list] of Object.entries(this.#ask(module, () => definition.names?.(options)) ?? {})) {
        const known = names.get(kind) ?? new Set();
        for (const name of list) known.add(name);
        names.set(kind, known);
      }
    }
    return names;
  }

  /** What a module answers; that it threw is a fault at its key. */
  #ask<T>({ key, place, definition }: ModuleConfig, ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.report(place, `${key}: its check of the options failed: ${firstLine(error)}`, definition.name);
      return undefined;
    }
  }

  #references(
    byName: ReadonlyMap<string, Entry>,
    drafts: Drafts,
    names: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    const check = (node: JsonNode, schema: AnySchema, subject: string, module: string) => {
      for (const { type, id, path } of referencesIn(schema, jsonValue(node))) {
        const ids = drafts.ids(type) ?? names.get(type);
        if (!ids || ids.has(id)) continue;
        const near = suggestion(id, [...ids]);
        this.report(placeAt(node, path), `${[subject, ...path].join(".")}: there is no ${type} "${id}"${near}`, module);
      }
    };
    for (const entry of byName.values()) {
      check(optionsNode(entry), entry.definition.options, entry.key, entry.definition.name);
    }
    for (const draft of drafts.all) {
      check(draft.node, drafts.schema(draft.type), drafts.path(draft, byName), draft.module);
    }
  }

  #checks(
    modules: readonly ModuleConfig[],
    byName: ReadonlyMap<string, Entry>,
    names: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    const context: CheckContext = {
      use: <T>(token: ServiceToken<T>) => this.around.use(token),
      names: (kind) => [...names.get(kind) ?? []].sort(),
    };
    for (const module of modules) {
      const { definition, key, options } = module;
      const node = byName.get(definition.name)?.node;
      if (!node) continue;
      for (const fault of this.#ask(module, () => definition.check?.(options, context)) ?? []) {
        this.report(placeAt(node, fault.path), `${[key, ...fault.path].join(".")}: ${fault.message}`, definition.name);
      }
    }
  }
}

function overridden(root: ObjectNode, overrides: Overrides): ObjectNode {
  const entries = new Map(root.entries);
  for (const [key, override] of overrides) {
    if (override === "unload") entries.delete(key);
    else entries.set(key, { key: root.place, node: jsonNode(override.options, root.place) });
  }
  return { ...root, entries };
}

/** A module's entry without its objects and templates. */
function optionsNode(entry: Entry): ObjectNode {
  const objects = Object.values(entry.definition.objects ?? {});
  const others = new Set(objects.map((declaration) => declaration.at));
  if (objects.length > 0) others.add("templates");
  return { ...entry.node, entries: new Map([...entry.node.entries].filter(([key]) => !others.has(key))) };
}

function firstLine(error: unknown): string {
  if (error instanceof ConfigError) return "it does not compile";
  return error instanceof Error ? error.message.split("\n")[0] ?? "" : String(error);
}

const isPath = (key: string): boolean => /^(\.{0,2}\/)/.test(key);

const absolute = (path: string, folder: string): string => isAbsolute(path) ? path : join(folder, path);
