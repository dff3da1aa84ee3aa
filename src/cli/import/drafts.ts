// Objects of an import while they are put together: fields that fit, references that lead somewhere, then the manifest.
import * as v from "valibot";
import { isSecretAt, referencesIn } from "../../kernel/schema_walk.ts";
import type { ConfLine } from "./conf.ts";
import type { Report, Where } from "./report.ts";
import { plainName, type Target, type TargetType } from "./target.ts";
import { fit, fitList } from "./values.ts";

/** A manifest as a value: modules, their options and objects. */
export type Manifest = Record<string, Record<string, unknown>>;

export interface Draft {
  readonly id: string;
  readonly target: TargetType;
  readonly where: Where;
  readonly values: Record<string, unknown>;
  /** Where a field was written. */
  readonly places: Map<string, Where>;
}

/** What nobody may pass: stands in for an access list that is missing or broken. */
const CLOSED = ["deny 0.0.0.0/0", "deny ::/0"];

export class ObjectDrafts {
  readonly #all = new Map<string, Draft>(); // by type and id

  /** `written` is what this executable could do if every module were loaded: to say why a field is left out. */
  constructor(readonly target: Target, readonly written: Target, readonly report: Report) {}

  find(type: string, id: string): Draft | undefined {
    return this.#all.get(`${type} ${id}`);
  }

  /** The objects of a type, by its name here. */
  all(type: string): readonly Draft[] {
    return [...this.#all.values()].filter((draft) => draft.target.type === type);
  }

  /** Starts an object; undefined when its type is unknown, or there is one of that name already. */
  open(typeName: string, id: string, where: Where): Draft | undefined {
    const target = this.target.type(typeName);
    if (!target) {
      const known = this.written.type(typeName);
      const why = known ? `the module ${known.module} is not loaded` : "there is no such object here";
      this.report.missing(where, `[${id}] type=${typeName}: ${why}`);
      return undefined;
    }
    const name = target.declaration.singleton ? "" : id;
    if (this.find(target.type, name)) {
      this.report.missing(where, `[${id}] type=${typeName} is there already; the first one stays`);
      return undefined;
    }
    return this.#add({ id: name, target, where, values: {}, places: new Map() });
  }

  #add(draft: Draft): Draft {
    this.#all.set(`${draft.target.type} ${draft.id}`, draft);
    return draft;
  }

  /** Gives an object the fields of these lines. */
  fill(draft: Draft, lines: readonly ConfLine[]): void {
    const byName = new Map<string, ConfLine[]>();
    for (const line of lines) {
      const name = plainName(line.name);
      byName.set(name, [...byName.get(name) ?? [], line]);
    }
    for (const same of byName.values()) this.#field(draft, same);
  }

  #field(draft: Draft, lines: readonly ConfLine[]): void {
    const last = lines.at(-1);
    if (!last) return;
    const { type } = draft.target;
    const { name } = last;
    const field = this.target.field(type, name);
    if (!field) {
      const known = this.written.field(type, name);
      const why = known ? "its module is not loaded" : "there is no such option here";
      for (const line of lines) this.report.missing(line, `${label(draft)} ${name}: ${why}`);
      return;
    }
    const added = accumulates.has(plainName(name)) ? lines : [last];
    const list = fitList(field.schema, added.map((line) => line.value), plainName(name) !== "setvar");
    const fitted = list && "value" in list ? list : fit(field.schema, last.value, name);
    if ("why" in fitted && last.value === "") {
      for (const line of lines) this.report.changed(line, `${label(draft)} ${name}: empty, so the default counts`);
      return;
    }
    if ("why" in fitted) {
      for (const line of lines) this.report.missing(line, `${label(draft)} ${name}: ${fitted.why}`);
      return;
    }
    this.set(draft, field.key, fitted.value, last);
    for (const line of lines) {
      if (line === last || (fitted === list && added.includes(line))) {
        this.report.taken(line, `${label(draft)} ${name}`);
      } else this.report.changed(line, `${label(draft)} ${name}: line ${last.line} says otherwise and comes later`);
    }
  }

  set(draft: Draft, key: string, value: unknown, where: Where): void {
    draft.values[key] = value;
    draft.places.set(key, where);
  }

  /** Makes every reference lead somewhere, and leaves out what is not valid as a whole. `contexts` may grow. */
  settle(contexts: Record<string, unknown>): void {
    this.#dropInvalid();
    for (const draft of [...this.#all.values()]) this.#settleOne(draft, contexts);
    this.#dropInvalid();
  }

  #dropInvalid(): void {
    for (const [key, draft] of [...this.#all]) {
      const result = v.safeParse(this.target.schema(draft.target.type), draft.values);
      if (result.success) continue;
      const [issue] = result.issues;
      const at = (issue.path ?? []).map((item) => String(item.key)).join(".");
      const what = issue.received === "undefined" ? `"${at}" is missing` : `"${at}" is not valid`;
      this.report.missing(draft.where, `${label(draft)} is left out: ${what}`);
      this.#all.delete(key);
    }
  }

  #settleOne(draft: Draft, contexts: Record<string, unknown>): void {
    for (const found of referencesIn(this.target.schema(draft.target.type), draft.values)) {
      const [field = ""] = found.path;
      const where = draft.places.get(field) ?? draft.where;
      if (this.#leads(found.type, found.id, contexts)) continue;
      const what = `${label(draft)} ${field}: there is no ${found.type} "${found.id}"`;
      if (found.type === "context") {
        contexts[found.id] = {};
        this.report.changed(where, `${what}; an empty one was made`);
      } else if (found.type === "auth" && field === "auth") {
        this.#stand("auth", found.id, where, {
          password: `\${generated:missing-${found.id.replaceAll(/[^\w.-]/g, "-")}}`,
        });
        this.report.changed(where, `${what}; one was made whose password nobody knows, so that nobody gets in`);
      } else if (found.type === "aclList") {
        this.#stand("aclList", found.id, where, { rules: CLOSED });
        this.report.changed(where, `${what}; one was made that lets nobody in`);
      } else {
        const value = draft.values[field];
        if (Array.isArray(value)) draft.values[field] = value.filter((item) => item !== found.id);
        else if (typeof value === "string" && value.includes(",")) {
          draft.values[field] = value.split(",").map((item) => item.trim()).filter((item) => item !== found.id);
        } else delete draft.values[field];
        this.report.missing(where, what);
      }
    }
  }

  #leads(type: string, id: string, contexts: Record<string, unknown>): boolean {
    if (type === "context") return !this.target.has("dialplan") || Object.hasOwn(contexts, id);
    return this.target.type(type) === undefined ? false : this.find(type, id) !== undefined;
  }

  #stand(typeName: string, id: string, where: Where, values: Record<string, unknown>): void {
    const target = this.target.type(typeName);
    if (target) this.#add({ id, target, where, values, places: new Map() });
  }

  /** A list that lets nobody in, under a name of its own. */
  closedList(name: string, where: Where): void {
    this.#stand("aclList", name, where, { rules: CLOSED });
  }

  /** Puts the objects where the manifest has them. */
  write(manifest: Manifest): void {
    for (const { id, target, values } of this.#all.values()) {
      const module = manifest[target.module] ??= {};
      if (target.declaration.singleton) module[target.declaration.at] = values;
      else {
        const collection = (module[target.declaration.at] ??= {}) as Record<string, unknown>; // made here, nowhere else
        collection[id] = values;
      }
    }
  }

  /** Whether a field must not be shown. */
  isSecret(type: string, key: string): boolean {
    return isSecretAt(this.target.schema(type), [key]);
  }
}

/** Options whose lines add up; of all others the last line counts. */
const accumulates = new Set([
  "match",
  "contact",
  "permit",
  "deny",
  "acl",
  "contactpermit",
  "contactdeny",
  "contactacl",
  "auth",
  "outboundauth",
  "localnet",
  "passworddigest",
  "setvar",
  "listitem",
  "cipher",
  "clienturi",
]);

const label = (draft: Draft): string => `[${draft.id || draft.target.type}] ${draft.target.type}`;
