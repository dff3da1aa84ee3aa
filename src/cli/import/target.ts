// What an imported option may become: the objects, fields and options that the modules of this executable declare.
import * as v from "valibot";
import type { AnyModule } from "../../kernel/configuration.ts";
import type { ObjectDeclaration, SharedObject } from "../../kernel/module.ts";
import { type AnySchema, entriesOf } from "../../kernel/validation.ts";

export interface TargetType {
  readonly type: string;
  readonly module: string;
  readonly declaration: ObjectDeclaration;
}

/** `max_contacts`, `maxContacts` and `MaxContacts` are one name. */
export const plainName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** The modules an import may write for. */
export class Target {
  readonly #schemas = new Map<string, AnySchema>();

  constructor(readonly modules: readonly AnyModule[]) {}

  has(module: string): boolean {
    return this.modules.some((one) => one.name === module);
  }

  /** The object type a `type=` names: "domain_alias" is `domainAlias`. */
  type(name: string): TargetType | undefined {
    const wanted = plainName(name);
    for (const module of this.modules) {
      for (const [type, declaration] of Object.entries(module.objects ?? {})) {
        if (plainName(type) === wanted) return { type, module: module.name, declaration };
      }
    }
    return undefined;
  }

  /** The schema of an object type with the fields of every module. */
  schema(type: string): AnySchema {
    const known = this.#schemas.get(type);
    if (known) return known;
    let entries: v.ObjectEntries = {};
    for (const { objects, fields } of this.modules) {
      const base = objects?.[type]?.schema;
      entries = { ...entries, ...base && entriesOf(base), ...fields?.[type as SharedObject] }; // or undefined
    }
    const schema = v.object(entries);
    this.#schemas.set(type, schema);
    return schema;
  }

  /** A field of an object type, by any spelling of its name. */
  field(type: string, name: string): { readonly key: string; readonly schema: AnySchema } | undefined {
    return entryOf(entriesOf(this.schema(type)), name);
  }

  /** An option of a module, by any spelling of its name. */
  option(module: string, name: string): { readonly key: string; readonly schema: AnySchema } | undefined {
    const found = this.modules.find((one) => one.name === module);
    return found && entryOf(entriesOf(found.options), name);
  }
}

const indexes = new WeakMap<
  v.ObjectEntries,
  ReadonlyMap<string, { readonly key: string; readonly schema: AnySchema }>
>();

function entryOf(entries: v.ObjectEntries | undefined, name: string) {
  if (!entries) return undefined;
  let index = indexes.get(entries);
  if (!index) {
    // Without async parts, as every module's schema.
    const all = Object.entries(entries).map(([key, schema]) => ({ key, schema: schema as AnySchema }));
    index = new Map(all.toReversed().map((entry) => [plainName(entry.key), entry]));
    indexes.set(entries, index);
  }
  return index.get(plainName(name));
}
