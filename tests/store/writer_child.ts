// Writes without end into the store at argv[2] and says each key that was answered "stored". Its test kills it.
import { SqliteStore } from "../../src/store/sqlite_store.ts";
import { realTime } from "./real_time.ts";

const store = new SqliteStore({ path: process.argv[2] ?? "", world: realTime, fault: (why) => console.error(why) });
for (let i = 0;; i++) {
  const keys = [0, 1, 2].map((part) => `${i}.${part}`);
  const written = await store.write(keys.map((key) => ({ kind: "put", table: "t", key, value: '"v"' })));
  if (written.kind === "stored") process.stdout.write(`${i}\n`);
}
