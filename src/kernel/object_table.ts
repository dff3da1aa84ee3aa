import { isDeepStrictEqual } from "node:util";
import { type Endpoint, toEndpoint } from "./endpoint.ts";
import type { ConfigObject } from "./objects.ts";

/** All configuration objects of a server, in memory. Objects of the manifest win over those of the same id elsewhere. */
export class ObjectTable {
  #byType = new Map<string, Map<string, ConfigObject>>();
  #endpoints = new Map<string, Endpoint>();
  readonly #listeners = new Map<string, Set<(ids: readonly string[]) => void>>();

  get(type: string, id: string): ConfigObject | undefined {
    return this.#byType.get(type)?.get(id);
  }

  all(type: string): readonly ConfigObject[] {
    return [...this.#byType.get(type)?.values() ?? []];
  }

  endpoint(id: string): Endpoint | undefined {
    return this.#endpoints.get(id);
  }

  endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()];
  }

  onChange(type: string, listener: (ids: readonly string[]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Puts a whole new set in place. An object that did not change stays the same value. The answer tells the listeners. */
  replace(objects: readonly ConfigObject[]): () => void {
    const before = this.#byType;
    const endpointsBefore = this.#endpoints;
    this.#byType = new Map();
    this.#endpoints = new Map();
    const changed = new Map<string, Set<string>>();
    const mark = (type: string, id: string) => changed.set(type, (changed.get(type) ?? new Set()).add(id));
    for (const origin of ["manifest", "store", "module"]) {
      for (const object of objects) if (object.origin === origin) this.#put(object, before, endpointsBefore, mark);
    }
    for (const [type, old] of before) {
      for (const id of old.keys()) if (!this.#byType.get(type)?.has(id)) mark(type, id);
    }
    return () => {
      for (const [type, ids] of changed) {
        for (const listener of this.#listeners.get(type) ?? []) listener([...ids]);
      }
    };
  }

  #put(
    object: ConfigObject,
    before: ReadonlyMap<string, ReadonlyMap<string, ConfigObject>>,
    endpointsBefore: ReadonlyMap<string, Endpoint>,
    mark: (type: string, id: string) => void,
  ): void {
    const { type, id } = object;
    const table = this.#byType.get(type) ?? new Map<string, ConfigObject>();
    this.#byType.set(type, table);
    if (table.has(id)) return; // the manifest has it
    const old = before.get(type)?.get(id);
    const same = old !== undefined && old.origin === object.origin && isDeepStrictEqual(old.values, object.values);
    const kept = same ? old : object;
    table.set(id, kept);
    if (!same) mark(type, id);
    if (type === "endpoint") {
      this.#endpoints.set(id, (same ? endpointsBefore.get(id) : undefined) ?? toEndpoint(kept));
    }
  }
}
