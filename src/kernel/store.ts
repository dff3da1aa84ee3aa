/** The three outcomes of a read. Unavailable is never "not found". */
export type Lookup<T> =
  | { readonly kind: "found"; readonly value: T }
  | { readonly kind: "absent" }
  | { readonly kind: "unavailable"; readonly why: string };

export type Written = { readonly kind: "stored" } | { readonly kind: "unavailable"; readonly why: string };

export interface StoredRow {
  readonly key: string;
  readonly value: string; // JSON text
  readonly expiresAt: number | undefined; // wall-clock ms
}

export type Change =
  | {
    readonly kind: "put";
    readonly table: string;
    readonly key: string;
    readonly value: string;
    readonly expiresAt?: number;
  }
  | { readonly kind: "delete"; readonly table: string; readonly key: string };

/**
 * Durable state. Every call is asynchronous, has a deadline (default 2 s) and says what happened; none throws. State may
 * live on another machine: nobody may assume that it is local or answers at once.
 */
export interface Store {
  get(table: string, key: string): Promise<Lookup<StoredRow>>;
  /** Rows of a table whose key starts with `prefix`, by key; expired ones are left out. */
  list(table: string, prefix?: string): Promise<Lookup<readonly StoredRow[]>>;
  /** All or nothing; durable (survives kill -9) when "stored". */
  write(changes: readonly Change[]): Promise<Written>;
}
