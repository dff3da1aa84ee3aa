import type { Change, Lookup, Store, StoredRow, Written } from "../kernel/store.ts";
import type { World } from "../world/world.ts";

/** A `Store` that forgets: for tests, and for a server that is told to keep nothing. Faults can be switched on. */
export class MemoryStore implements Store {
  /** What every call answers while it is set. */
  unavailable: string | undefined;
  /** How long each call takes; 0: answers on the next microtask. */
  delayMs = 0;
  /** Transactions so far. */
  writes = 0;
  readonly #tables = new Map<string, Map<string, StoredRow>>();

  constructor(readonly world: Pick<World, "after" | "wallClock">) {}

  async get(table: string, key: string): Promise<Lookup<StoredRow>> {
    await this.#wait();
    if (this.unavailable !== undefined) return { kind: "unavailable", why: this.unavailable };
    const row = this.#tables.get(table)?.get(key);
    return row && !this.#expired(row) ? { kind: "found", value: row } : { kind: "absent" };
  }

  async list(table: string, prefix = ""): Promise<Lookup<readonly StoredRow[]>> {
    await this.#wait();
    if (this.unavailable !== undefined) return { kind: "unavailable", why: this.unavailable };
    const rows = [...this.#tables.get(table)?.values() ?? []]
      .filter((row) => row.key.startsWith(prefix) && !this.#expired(row))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    return { kind: "found", value: rows };
  }

  async write(changes: readonly Change[]): Promise<Written> {
    await this.#wait();
    if (this.unavailable !== undefined) return { kind: "unavailable", why: this.unavailable };
    for (const change of changes) this.#apply(change);
    this.writes++;
    return { kind: "stored" };
  }

  #apply(change: Change): void {
    const table = this.#tables.get(change.table) ?? new Map<string, StoredRow>();
    this.#tables.set(change.table, table);
    if (change.kind === "delete") table.delete(change.key);
    else table.set(change.key, { key: change.key, value: change.value, expiresAt: change.expiresAt });
  }

  #expired(row: StoredRow): boolean {
    return row.expiresAt !== undefined && row.expiresAt <= this.world.wallClock();
  }

  #wait(): Promise<void> {
    if (this.delayMs === 0) return Promise.resolve();
    return new Promise((go) => this.world.after(this.delayMs, go));
  }
}
