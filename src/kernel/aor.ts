import type { ObjectStore } from "./objects.ts";

/** Where an address of record may be reached and how it may register; `core` owns the objects, as for endpoints. */
export interface Aor {
  /** Permanent contacts: SIP URIs. */
  readonly contact: readonly string[];
  /** Registered contacts allowed at a time; 0 forbids registration. */
  readonly maxContacts: number;
  readonly removeExisting: boolean;
  readonly removeUnavailable: boolean;
  readonly minimumExpiration: number; // seconds, as those below
  readonly maximumExpiration: number;
  readonly defaultExpiration: number;
  readonly expirationTooShort: "clamp" | "reject";
  readonly supportPath: boolean;
  readonly pathRefresh: "replace" | "keep";
}

/** The aor of this id; undefined when there is none. */
export function aorOf(objects: Pick<ObjectStore, "get">, id: string): Aor | undefined {
  return objects.get("aor", id)?.values as Aor | undefined; // validated by core's schema, which is checked against Aor
}
