import type { Endpoint } from "./endpoint.ts";

/** Where a configuration object comes from. The manifest wins over the store and says so. */
export type ObjectOrigin = "manifest" | "store" | "module";

export interface ConfigObject {
  readonly type: string;
  readonly id: string;
  readonly origin: ObjectOrigin;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Configuration objects, all validated: endpoint, aor, auth, identify, acl, transport ... Reads come from memory. */
export interface ObjectStore {
  get(type: string, id: string): ConfigObject | undefined;
  all(type: string): readonly ConfigObject[]; // in the order of the manifest, then of the store
  endpoint(id: string): Endpoint | undefined;
  endpoints(): readonly Endpoint[];
  /** Called after objects of the type were added, changed or removed; taken back at unload. */
  onChange(type: string, listener: (ids: readonly string[]) => void): void;
}
