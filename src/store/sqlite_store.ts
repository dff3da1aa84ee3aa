import type { Change, Lookup, Store, StoredRow, Written } from "../kernel/store.ts";
import type { World } from "../world/world.ts";
import { isDamage, NewerStore, salvage, setAside, sqliteCode, StoreFile } from "./store_file.ts";

export interface SqliteStoreOptions {
  /** The file; its folder is made when missing. */
  readonly path: string;
  readonly world: Pick<World, "after" | "now" | "wallClock">;
  /** Told once when the store goes away, and when a damaged file was set aside: the event "store.fault". */
  fault(why: string): void;
  /** A call that could not be served by then answers "unavailable". */
  readonly deadlineMs?: number; // 2000
  /** Writes within this time share one transaction and one sync. */
  readonly commitMs?: number; // 10
  /** Over it a write answers "unavailable", as with a full disk. */
  readonly maxOctets?: number; // 4 GiB
}

const LOCK_RETRY_MS = 20;
const SWEEP_MS = 60_000;
const MAX_WAITING = 100_000; // changes; what comes on top is refused at once

interface Waiting {
  readonly changes: readonly Change[];
  readonly deadline: number;
  done(written: Written): void;
}

/**
 * `Store` over one SQLite file: write-ahead log, group commit, one sync per group off the event loop. What was answered
 * "stored" survives kill -9 and power loss. A locked file is waited for until the deadline, a full disk is answered at once; both heal without a restart.
 */
export class SqliteStore implements Store {
  #file: StoreFile | undefined;
  #waiting: Waiting[] = [];
  #waitingChanges = 0;
  #scheduled = false;
  /** The group whose sync is under way. */
  #syncing: readonly Waiting[] = [];
  #away = false;
  #closed = false;
  #sweepAt: number;

  /** Throws only `NewerStore`; any other trouble is a store that is unavailable for now. */
  constructor(readonly options: SqliteStoreOptions) {
    this.#sweepAt = options.world.now();
    try {
      this.#open();
    } catch (error) {
      if (error instanceof NewerStore) throw error;
      this.#failed(error);
    }
  }

  async get(table: string, key: string): Promise<Lookup<StoredRow>> {
    const read = await this.#read((file) => file.get(table, key));
    if (read.kind !== "found") return read;
    const row = read.value;
    return row && !this.#expired(row) ? { kind: "found", value: row } : { kind: "absent" };
  }

  async list(table: string, prefix = ""): Promise<Lookup<readonly StoredRow[]>> {
    const read = await this.#read((file) => file.list(table, prefix));
    if (read.kind !== "found") return read;
    return { kind: "found", value: read.value.filter((row) => !this.#expired(row)) };
  }

  write(changes: readonly Change[]): Promise<Written> {
    if (this.#closed) return Promise.resolve({ kind: "unavailable", why: "closed" });
    if (this.#waitingChanges + changes.length > MAX_WAITING) {
      return Promise.resolve({ kind: "unavailable", why: "too many writes are waiting" });
    }
    return new Promise((done) => {
      this.#waiting.push({ changes, deadline: this.#deadline(), done });
      this.#waitingChanges += changes.length;
      this.#schedule(this.options.commitMs ?? 10);
    });
  }

  /** Writes what waits, then closes the file: that syncs it. */
  close(): void {
    if (this.#closed) return;
    const written = this.#transact();
    this.#closed = true;
    this.#file?.close();
    this.#file = undefined;
    const stored: Written = { kind: "stored" };
    answer(this.#syncing, stored);
    answer(this.#take(), written ? stored : { kind: "unavailable", why: "closed" });
  }

  #deadline(): number {
    return this.options.world.now() + (this.options.deadlineMs ?? 2000);
  }

  #expired(row: StoredRow): boolean {
    return row.expiresAt !== undefined && row.expiresAt <= this.options.world.wallClock();
  }

  async #read<T>(run: (file: StoreFile) => T): Promise<Lookup<T>> {
    const deadline = this.#deadline();
    while (!this.#closed) {
      try {
        const value = run(this.#open());
        this.#healed();
        return { kind: "found", value };
      } catch (error) {
        const why = this.#failed(error);
        if (!worthWaiting(error) || this.options.world.now() >= deadline) return { kind: "unavailable", why };
      }
      await new Promise<void>((go) => this.options.world.after(LOCK_RETRY_MS, go));
    }
    return { kind: "unavailable", why: "closed" };
  }

  #schedule(ms: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.options.world.after(ms, () => {
      this.#scheduled = false;
      if (!this.#closed) this.#commit();
    });
  }

  /** One transaction and one sync for all that waits; a sync under way is waited for, and more gather meanwhile. */
  #commit(): void {
    if (this.#waiting.length === 0 || this.#syncing.length > 0) return;
    const file = this.#transact();
    if (!file) return;
    const group = this.#take();
    this.#syncing = group;
    const late = this.options.world.after(this.options.deadlineMs ?? 2000, () => {
      answer(group, { kind: "unavailable", why: "the disk does not answer" });
    });
    file.sync().then(
      () => answer(group, { kind: "stored" }),
      (error: unknown) => {
        if (!this.#closed) answer(group, { kind: "unavailable", why: this.#failed(error) });
      },
    ).finally(() => {
      late.cancel();
      this.#syncing = [];
      if (this.#waiting.length > 0) this.#schedule(0);
    });
  }

  /** Puts all that waits into the file; undefined when it cannot, and then whoever may wait no longer was answered. */
  #transact(): StoreFile | undefined {
    try {
      const file = this.#open();
      file.transaction(() => {
        for (const { changes } of this.#waiting) changes.forEach((change) => file.apply(change));
        this.#sweep(file);
      });
      this.#healed();
      return file;
    } catch (error) {
      const why = this.#failed(error);
      if (worthWaiting(error)) {
        this.#giveUpLate(why);
        if (this.#waiting.length > 0) this.#schedule(LOCK_RETRY_MS);
      } else answer(this.#take(), { kind: "unavailable", why });
      return undefined;
    }
  }

  #take(): readonly Waiting[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#waitingChanges = 0;
    return taken;
  }

  #sweep(file: StoreFile): void {
    if (this.options.world.now() < this.#sweepAt) return;
    this.#sweepAt = this.options.world.now() + SWEEP_MS;
    file.dropExpired(this.options.world.wallClock());
  }

  #giveUpLate(why: string): void {
    const now = this.options.world.now();
    const late = this.#waiting.filter((w) => w.deadline <= now);
    this.#waiting = this.#waiting.filter((w) => w.deadline > now);
    for (const { changes, done } of late) {
      this.#waitingChanges -= changes.length;
      done({ kind: "unavailable", why });
    }
  }

  #open(): StoreFile {
    if (this.#file) return this.#file;
    const { path, maxOctets = 4 * 2 ** 30 } = this.options;
    try {
      this.#file = new StoreFile(path, maxOctets);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#file = this.#replaceDamaged(path, maxOctets);
    }
    return this.#file;
  }

  #replaceDamaged(path: string, maxOctets: number): StoreFile {
    const aside = setAside(path, this.options.world.wallClock());
    const fresh = new StoreFile(path, maxOctets);
    let kept = 0;
    fresh.transaction(() => kept = salvage(aside, (change) => fresh.apply(change)));
    this.options.fault(`the store was damaged and set aside as ${aside}; ${kept} entries could be read and were kept`);
    return fresh;
  }

  /** Notes the failure, and lets go of a file that will not recover by itself; answers why. */
  #failed(error: unknown): string {
    const code = sqliteCode(error);
    const why = `${code || "store"}: ${error instanceof Error ? error.message : String(error)}`;
    if (!isLock(error) && code !== "SQLITE_FULL") {
      this.#file?.close();
      this.#file = undefined; // opened anew by the next call
    }
    if (!this.#away && !isDamage(error)) {
      this.#away = true;
      this.options.fault(why);
    }
    return why;
  }

  #healed(): void {
    this.#away = false;
  }
}

/** A promise keeps its first answer: late ones change nothing. */
function answer(group: readonly Waiting[], written: Written): void {
  for (const { done } of group) done(written);
}

function isLock(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/** A lock ends; a damaged file is set aside by the next try. */
function worthWaiting(error: unknown): boolean {
  return isLock(error) || isDamage(error);
}
