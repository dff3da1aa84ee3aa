import { expect, test } from "bun:test";
import { rig } from "./rig.ts";

test("the typed face names what the core exports, and nothing that it does not", async () => {
  const { core } = await rig();
  const source = await Bun.file(new URL("../../src/worker/core.ts", import.meta.url)).text();
  const named = [...source.matchAll(/^ {2}(\w+)\([^)]*\): (?:number|void);$/gm)].map((match) => match[1] ?? "");
  const exported = new Set(Object.keys(core));
  expect(named.filter((name) => !exported.has(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(40);
});
