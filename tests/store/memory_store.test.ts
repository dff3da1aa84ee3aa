import { expect, test } from "bun:test";
import { MemoryStore } from "../../src/store/memory_store.ts";

const world = { now: 1000, run: [] as (() => void)[] };
const store = () =>
  new MemoryStore({
    wallClock: () => world.now,
    after: (_ms, run) => {
      world.run.push(run);
      return { cancel: () => undefined };
    },
  });

test("it keeps rows until they expire", async () => {
  const memory = store();
  await memory.write([
    { kind: "put", table: "t", key: "b", value: "2" },
    { kind: "put", table: "t", key: "a", value: "1", expiresAt: 1500 },
  ]);
  expect(await memory.list("t")).toMatchObject({ kind: "found", value: [{ key: "a" }, { key: "b" }] });
  world.now = 1500;
  expect(await memory.get("t", "a")).toEqual({ kind: "absent" });
  expect(await memory.get("t", "b")).toMatchObject({ kind: "found", value: { value: "2" } });
});

test("unavailable is never absent", async () => {
  const memory = store();
  memory.unavailable = "away";
  expect(await memory.get("t", "a")).toEqual({ kind: "unavailable", why: "away" });
  expect(await memory.list("t")).toEqual({ kind: "unavailable", why: "away" });
  expect(await memory.write([])).toEqual({ kind: "unavailable", why: "away" });
});

test("a slow store answers when its time has come", async () => {
  const memory = store();
  memory.delayMs = 50;
  let answered = false;
  const written = memory.write([]).then(() => answered = true);
  await Promise.resolve();
  expect(answered).toBe(false);
  world.run.splice(0).forEach((run) => run());
  await written;
  expect(answered).toBe(true);
});
