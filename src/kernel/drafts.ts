import * as v from "valibot";
import type { AnyModule } from "./configuration.ts";
import { type JsonEntry, type JsonNode, jsonNode, type Place } from "./jsonc.ts";
import type { Implied, ObjectDeclaration, SharedObject } from "./module.ts";
import { applyTemplates, type ObjectNode } from "./templates.ts";
import { type AnySchema, entriesOf } from "./validation.ts";

/** One module of a manifest, every text expanded. */
export interface Entry {
  readonly key: string;
  readonly place: Place;
  readonly node: ObjectNode;
  readonly definition: AnyModule;
  readonly file: string | undefined;
}

export interface ObjectDraft {
  readonly type: string;
  readonly id: string;
  readonly module: string;
  readonly declaration: ObjectDeclaration;
  node: ObjectNode;
}

/** The objects of a manifest while templates and shorthands are worked out. */
export class Drafts {
  readonly all: ObjectDraft[] = [];
  readonly #ids = new Map<string, Set<string>>(); // by type
  readonly #schemas = new Map<string, AnySchema>();
  readonly #declarations = new Map<string, { module: string; declaration: ObjectDeclaration }>();

  constructor(
    readonly entries: readonly Entry[],
    readonly catalog: readonly AnyModule[],
    readonly report: (place: Place, message: string) => void,
  ) {
    for (const { definition } of entries) {
      for (const [type, declaration] of Object.entries(definition.objects ?? {})) {
        this.#declarations.set(type, { module: definition.name, declaration });
      }
    }
    for (const entry of entries) this.#collect(entry);
  }

  #collect(entry: Entry): void {
    const templates = entry.node.entries.get("templates")?.node;
    const named = templates?.kind === "object" ? templates.entries : new Map<string, JsonEntry>();
    for (const [type, declaration] of Object.entries(entry.definition.objects ?? {})) {
      const module = entry.definition.name;
      const written = entry.node.entries.get(declaration.at);
      const empty: ObjectNode = { kind: "object", place: entry.node.place, entries: new Map() };
      const collection = written?.node ?? empty;
      const subject = `${entry.key}.${declaration.at}`;
      const add = (id: string, node: JsonNode) => {
        if (node.kind !== "object") this.report(node.place, `${subject}: expected an object in {}`);
        else this.#add({ type, id, module, declaration, node: applyTemplates(node, named, this.report) });
      };
      if (declaration.singleton) add("", collection);
      else if (collection.kind !== "object") this.report(collection.place, `${subject}: expected an object in {}`);
      else for (const [id, { node }] of collection.entries) add(id, node);
    }
  }

  /** Works out the shorthands: an endpoint with a password has an auth of its own. */
  imply(): void {
    for (const draft of [...this.all]) {
      for (const implied of draft.declaration.implies ?? []) this.#implyOne(draft, implied);
    }
  }

  #implyOne(draft: ObjectDraft, implied: Implied): void {
    const target = this.#declarations.get(implied.type);
    if (!target || draft.node.entries.has(implied.field)) return;
    const own = entriesOf(this.schema(draft.type)) ?? {};
    const theirs = entriesOf(this.schema(implied.type)) ?? {};
    const moved = [...draft.node.entries].filter(([key]) => key in theirs && !(key in own));
    if (moved.length === 0 && !implied.when.some((field) => this.#had(draft, field))) return;
    const exists = this.#ids.get(implied.type)?.has(draft.id) === true;
    if (exists && moved.length > 0) {
      const where = `${target.module}.${target.declaration.at}.${draft.id}`;
      for (const [key, entry] of moved) this.report(entry.key, `"${key}" belongs to ${where}, which is written too`);
    }
    const { place } = draft.node;
    const more = Object.entries(implied.values?.(draft.id) ?? {});
    const defaults = more.map((
      [key, value],
    ): [string, JsonEntry] => [key, { key: place, node: jsonNode(value, place) }]);
    if (!exists) {
      this.#add({
        type: implied.type,
        id: draft.id,
        module: target.module,
        declaration: target.declaration,
        node: { kind: "object", place, entries: new Map([...defaults, ...moved]) },
      });
    }
    const entries = new Map(draft.node.entries);
    for (const [key] of moved) entries.delete(key);
    entries.set(implied.field, { key: place, node: jsonNode([draft.id], place) });
    this.#moved.set(draft, new Set([...this.#moved.get(draft) ?? [], ...moved.map(([key]) => key)]));
    draft.node = { ...draft.node, entries };
  }

  /** Fields an object was written with that moved to an implied one. */
  readonly #moved = new Map<ObjectDraft, ReadonlySet<string>>();

  #had(draft: ObjectDraft, field: string): boolean {
    return draft.node.entries.has(field) || this.#moved.get(draft)?.has(field) === true;
  }

  /** The whole schema of a type: its owner's, and the fields other modules add. */
  schema(type: string): AnySchema {
    const known = this.#schemas.get(type);
    if (known) return known;
    const base = this.#declarations.get(type)?.declaration.schema ?? v.object({});
    let entries: v.ObjectEntries = entriesOf(base) ?? {};
    for (const { definition, place } of this.entries) {
      const more = definition.fields?.[type as SharedObject]; // undefined for a type nobody shares
      for (const field of Object.keys(more ?? {}).filter((name) => name in entries)) {
        this.report(place, `"${definition.name}" declares the field ${type}.${field}, and so does another module`);
      }
      entries = { ...entries, ...more };
    }
    const schema = v.object(entries);
    this.#schemas.set(type, schema);
    return schema;
  }

  /** The module of the catalog that adds a field to a type, or to one its objects imply. */
  owner(type: string, field: string): string | undefined {
    const implied = this.#declarations.get(type)?.declaration.implies?.map((one) => one.type) ?? [];
    const types = [type as SharedObject, ...implied]; // a type nobody shares has no further fields
    return this.catalog.find(({ fields }) => types.some((one) => field in (fields?.[one] ?? {})))?.name;
  }

  #add(draft: ObjectDraft): void {
    this.all.push(draft);
    const ids = this.#ids.get(draft.type) ?? new Set();
    this.#ids.set(draft.type, ids.add(draft.id));
  }

  /** Ids of all objects of a type; undefined when no module declares it. */
  ids(type: string): ReadonlySet<string> | undefined {
    return this.#declarations.has(type) ? this.#ids.get(type) ?? new Set() : undefined;
  }

  path(draft: ObjectDraft, byName: ReadonlyMap<string, Entry>): string {
    const key = byName.get(draft.module)?.key ?? draft.module;
    return [key, draft.declaration.at, ...(draft.declaration.singleton ? [] : [draft.id])].join(".");
  }
}
