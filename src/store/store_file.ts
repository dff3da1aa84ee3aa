// The SQLite file itself: opened, migrated, checked, set aside when it is damaged. `sqlite_store.ts` decides when it is
// called. All but `sync` is synchronous and takes microseconds: waiting for the disk happens off the event loop.
import { Database } from "bun:sqlite";
import { closeSync, existsSync, fdatasync, mkdirSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import type { Change, StoredRow } from "../kernel/store.ts";

/** One step per released layout; `user_version` counts how many ran. Steps are never edited, only appended. */
const MIGRATIONS = [
  `CREATE TABLE entry (
     place TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expiresAt INTEGER,
     PRIMARY KEY (place, key)
   ) WITHOUT ROWID;
   CREATE INDEX entryExpiry ON entry (expiresAt) WHERE expiresAt IS NOT NULL;`,
];

const PAGE_OCTETS = 4096;

/** The file was written by a later version of the program: it is neither read nor touched. */
export class NewerStore extends Error {}

/** SQLite's name of a failure, "SQLITE_BUSY"; "" for anything else. */
export function sqliteCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** The content cannot be trusted any more. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error));
}

interface EntryRow {
  readonly place: string;
  readonly key: string;
  readonly value: string;
  readonly expiresAt: number | null;
}

export class StoreFile {
  readonly #database: Database;
  readonly #get;
  readonly #list;
  readonly #put;
  readonly #delete;
  readonly #expired;
  readonly #log: number; // descriptor of the write-ahead log

  /** Throws SQLite's error when it cannot be opened, `NewerStore` when we are too old for it. */
  constructor(readonly path: string, maxOctets: number) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = new Database(path, { create: true, strict: true });
    try {
      // No busy time-out: it would hold the event loop. Whoever waits for a lock does so above.
      this.#database.run("PRAGMA busy_timeout = 0");
      this.#database.run("PRAGMA journal_mode = WAL");
      // Commits do not wait for the disk, `sync` does; checkpoints still do, so the file is whole after a power loss.
      this.#database.run("PRAGMA synchronous = NORMAL");
      this.#database.run(`PRAGMA max_page_count = ${Math.ceil(maxOctets / PAGE_OCTETS)}`);
      this.#checkWhole();
      this.#migrate();
      this.#log = openSync(`${path}-wal`, "r"); // SQLite holds no lock on it that closing this could release
      this.#get = this.#database.query<EntryRow, [string, string]>("SELECT * FROM entry WHERE place = ? AND key = ?");
      this.#list = this.#database.query<EntryRow, [string, string, string]>(
        "SELECT * FROM entry WHERE place = ? AND key >= ? AND key < ? ORDER BY key",
      );
      this.#put = this.#database.query<null, [string, string, string, number | null]>(
        "INSERT INTO entry VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, expiresAt = excluded.expiresAt",
      );
      this.#delete = this.#database.query<null, [string, string]>("DELETE FROM entry WHERE place = ? AND key = ?");
      this.#expired = this.#database.query<null, [number]>("DELETE FROM entry WHERE expiresAt <= ?");
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #checkWhole(): void {
    const first = this.#database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (first?.quick_check === "ok") return;
    throw Object.assign(new Error(first?.quick_check ?? "no answer"), { code: "SQLITE_CORRUPT" });
  }

  #migrate(): void {
    const version = this.#database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (version > MIGRATIONS.length) {
      throw new NewerStore(`${this.path} has layout ${version}, this program knows ${MIGRATIONS.length}`);
    }
    MIGRATIONS.slice(version).forEach((step, i) => {
      this.transaction(() => {
        this.#database.run(step);
        this.#database.run(`PRAGMA user_version = ${version + i + 1}`);
      });
    });
  }

  /** Survives the process when it returns, and power loss after `sync`; nothing happened when it throws. */
  transaction(run: () => void): void {
    this.#database.run("BEGIN IMMEDIATE");
    try {
      run();
      this.#database.run("COMMIT");
    } catch (error) {
      if (this.#database.inTransaction) this.#database.run("ROLLBACK");
      throw error;
    }
  }

  /** Resolves when every transaction so far is on the disk; rejects when the disk refuses. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => fdatasync(this.#log, (error) => error ? reject(error) : resolve()));
  }

  /** Inside `transaction`. */
  apply(change: Change): void {
    if (change.kind === "put") this.#put.run(change.table, change.key, change.value, change.expiresAt ?? null);
    else this.#delete.run(change.table, change.key);
  }

  /** Inside `transaction`: drops what expired at or before `at`. */
  dropExpired(at: number): void {
    this.#expired.run(at);
  }

  get(table: string, key: string): StoredRow | undefined {
    const row = this.#get.get(table, key);
    return row ? stored(row) : undefined;
  }

  list(table: string, prefix: string): readonly StoredRow[] {
    return this.#list.all(table, prefix, prefix + "\u{10FFFF}").map(stored);
  }

  close(): void {
    closeSync(this.#log);
    this.#database.close();
  }
}

function stored(row: EntryRow): StoredRow {
  return { key: row.key, value: row.value, expiresAt: row.expiresAt ?? undefined };
}

/** Renames a damaged file and its log; answers the new name. */
export function setAside(path: string, at: number): string {
  const aside = `${path}.damaged-${new Date(at).toISOString().replaceAll(":", "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return aside;
}

/** Calls `row` for each entry of a damaged file that can still be read; answers how many. */
export function salvage(path: string, row: (change: Change) => void): number {
  let count = 0;
  let database: Database | undefined;
  try {
    database = new Database(path, { readwrite: true, strict: true });
    for (const entry of database.query<EntryRow, []>("SELECT * FROM entry").iterate()) {
      const { place: table, key, value, expiresAt } = entry;
      row({ kind: "put", table, key, value, ...(expiresAt === null ? {} : { expiresAt }) });
      count++;
    }
  } catch (error) {
    if (sqliteCode(error) === "") throw error; // SQLite says where reading ends: that is the answer
  } finally {
    database?.close();
  }
  return count;
}
