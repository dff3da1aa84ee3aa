import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteStore } from "../../src/store/sqlite_store.ts";
import { NewerStore } from "../../src/store/store_file.ts";
import { realTime } from "./real_time.ts";

const folders: string[] = [];
const stores: SqliteStore[] = [];
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), "patchbay-store-"));
  folders.push(folder);
  return join(folder, "state", "patchbay.db");
}

function open(path: string, more: { deadlineMs?: number; maxOctets?: number; world?: typeof realTime } = {}) {
  const faults: string[] = [];
  const store = new SqliteStore({ path, world: realTime, fault: (why) => faults.push(why), ...more });
  stores.push(store);
  return { store, faults };
}

const put = (key: string, value = '"v"', expiresAt?: number) =>
  ({ kind: "put", table: "t", key, value, ...(expiresAt === undefined ? {} : { expiresAt }) }) as const;

test("what was written is found, what was not is absent", async () => {
  const { store } = open(place());
  expect(await store.write([put("a"), put("b", "2")])).toEqual({ kind: "stored" });
  expect(await store.get("t", "b")).toEqual({ kind: "found", value: { key: "b", value: "2", expiresAt: undefined } });
  expect(await store.get("t", "c")).toEqual({ kind: "absent" });
  expect(await store.get("other", "a")).toEqual({ kind: "absent" });
  await store.write([{ kind: "delete", table: "t", key: "a" }, put("b", "3")]);
  expect(await store.list("t")).toEqual({ kind: "found", value: [{ key: "b", value: "3", expiresAt: undefined }] });
});

test("a list has the rows of its prefix, by key, without the expired", async () => {
  const { store } = open(place());
  const soon = Date.now() + 60_000;
  await store.write([put("x;2"), put("x;1", "1", soon), put("x;0", "0", Date.now() - 1), put("y;1"), put("x")]);
  const listed = await store.list("t", "x;");
  expect(listed).toMatchObject({ kind: "found", value: [{ key: "x;1", expiresAt: soon }, { key: "x;2" }] });
  expect(await store.get("t", "x;0")).toEqual({ kind: "absent" });
});

test("writes that come together share one transaction", async () => {
  const path = place();
  const { store } = open(path);
  await store.write([put("first")]);
  const log = () => statSync(path + "-wal").size;
  const before = log();
  await Promise.all(Array.from({ length: 500 }, (_, i) => store.write([put(`k${i}`)])));
  // 500 transactions would put at least one 4 KiB page each into the log.
  expect(log() - before).toBeLessThan(200 * 4096);
});

test("what was answered stored survives kill -9, whole", async () => {
  const path = place();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "writer_child.ts"), path], { stdout: "pipe" });
  let said = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    said += decoder.decode(bytes);
    if (said.split("\n").length > 20) child.kill("SIGKILL");
  }
  await child.exited;
  const answered = said.split("\n").slice(0, -1);
  expect(answered.length).toBeGreaterThanOrEqual(20);
  const { store, faults } = open(path);
  const listed = await store.list("t");
  const keys = new Set(listed.kind === "found" ? listed.value.map((row) => row.key) : []);
  for (const i of answered) for (const part of [0, 1, 2]) expect(keys.has(`${i}.${part}`)).toBe(true);
  expect(keys.size % 3).toBe(0); // all or nothing
  expect(faults).toEqual([]);
});

/** Its deadline is short in this test, and a disk may be slow: a few tries are its right. */
async function storedAgain(store: ReturnType<typeof open>["store"], key: string) {
  let outcome = await store.write([put(key)]);
  for (let tries = 0; outcome.kind !== "stored" && tries < 50; tries++) outcome = await store.write([put(key)]);
  return outcome;
}

test("a locked store is unavailable at the deadline, and back when the lock is gone", async () => {
  const path = place();
  const { store, faults } = open(path, { deadlineMs: 100 });
  await store.write([put("a")]);
  const other = new Database(path);
  other.run("BEGIN IMMEDIATE");
  expect(await store.write([put("b")])).toMatchObject({ kind: "unavailable" });
  expect(await store.get("t", "a")).toMatchObject({ kind: "found" }); // readers are not locked out
  expect(faults).toHaveLength(1);
  other.run("ROLLBACK");
  expect(await storedAgain(store, "b")).toEqual({ kind: "stored" });
  other.close();
});

test("a short lock is waited for", async () => {
  const path = place();
  let waits = 0; // the commit, then one for each look at the lock
  const after: typeof realTime.after = (ms, run) => {
    if (++waits === 4) other.close();
    return realTime.after(ms, run);
  };
  const { store } = open(path, { world: { ...realTime, after } });
  const other = new Database(path);
  other.run("BEGIN IMMEDIATE");
  expect(await store.write([put("b")])).toEqual({ kind: "stored" });
  expect(waits).toBeGreaterThanOrEqual(4);
});

test("a full store is unavailable, keeps what it has, and takes writes again when there is room", async () => {
  const { store, faults } = open(place(), { maxOctets: 20 * 4096 });
  const big = JSON.stringify("x".repeat(20_000));
  expect(await store.write([put("a", big)])).toEqual({ kind: "stored" });
  expect(await store.write([put("b", big), put("c", big), put("d", big), put("e", big)])).toMatchObject({
    kind: "unavailable",
    why: expect.stringContaining("SQLITE_FULL"),
  });
  expect(await store.get("t", "b")).toEqual({ kind: "absent" });
  expect(faults).toHaveLength(1);
  expect(await store.write([put("b", big)])).toEqual({ kind: "stored" });
});

test("a damaged file is set aside under a new name, with an event; what can be read is kept", async () => {
  const path = place();
  const first = open(path).store;
  await first.write(Array.from({ length: 3000 }, (_, i) => put(`k${String(i).padStart(5, "0")}`, "1".repeat(100))));
  first.close();
  truncateSync(path, Math.floor(statSync(path).size / 4096 / 2) * 4096);
  const { store, faults } = open(path);
  expect(faults[0]).toContain("set aside as");
  expect(readdirSync(join(path, "..")).some((name) => name.includes(".damaged-"))).toBe(true);
  expect(await store.write([put("after")])).toEqual({ kind: "stored" });
});

test("a file that is no database is set aside too", async () => {
  const path = place();
  open(path).store.close();
  writeFileSync(path, "certainly no database, ".repeat(1000));
  const { store, faults } = open(path);
  expect(faults).toHaveLength(1);
  expect(await store.list("t")).toEqual({ kind: "found", value: [] });
});

test("a file of a later version is left alone", () => {
  const path = place();
  open(path).store.close();
  const later = new Database(path);
  later.run("PRAGMA user_version = 99");
  later.close();
  expect(() => open(path)).toThrow(NewerStore);
});

test("a folder that cannot be written makes it unavailable, not dead", async () => {
  const path = place();
  rmSync(join(path, ".."), { recursive: true, force: true });
  writeFileSync(join(path, ".."), "in the way");
  const { store, faults } = open(path, { deadlineMs: 50 });
  expect(await store.write([put("a")])).toMatchObject({ kind: "unavailable" });
  expect(faults).toHaveLength(1);
  rmSync(join(path, ".."));
  expect(await storedAgain(store, "a")).toEqual({ kind: "stored" });
});
