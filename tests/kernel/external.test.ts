import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExternalModules } from "../../src/kernel/external.ts";
import { bootKernel } from "../../src/kernel/kernel.ts";
import { core, host } from "./fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "patchbay-modules-"));
afterAll(() => rm(folder, { recursive: true }));

const external = new ExternalModules(async (path) => {
  const file = Bun.file(path);
  return await file.exists() ? await file.bytes() : undefined;
});
const boot = (manifest: Record<string, unknown>) =>
  bootKernel({
    world: host(),
    manifest,
    folder,
    modules: [core],
    importModule: (path, fresh) => external.load(path, fresh),
  });

const greeter = (text: string, word = "hello") => `
  import { defineModule, v } from "patchbay";
  import { punctuation } from "./punctuation.ts";
  export default defineModule({
    name: "greeter", summary: "says ${text}", requires: ["core"], options: v.object({ to: v.string() }),
    setup(ctx) { ctx.metrics.count("${word}_" + ctx.options.to + punctuation); },
  });`;

test("a module in a file is loaded with its own imports, and read again on reload", async () => {
  await writeFile(join(folder, "punctuation.ts"), 'export const punctuation = "_mark";');
  await writeFile(join(folder, "greeter.ts"), greeter("one thing"));
  const kernel = await boot({ core: {}, "./greeter.ts": { to: "you" } });
  expect(kernel.host.metrics.counters.get("greeter.hello_you_mark")).toBe(1);
  await writeFile(join(folder, "greeter.ts"), greeter("another", "bye"));
  await kernel.reloadModule("greeter");
  expect(kernel.host.metrics.counters.get("greeter.bye_you_mark")).toBe(1);
  expect(kernel.modules.find(({ name }) => name === "greeter")).toMatchObject({
    summary: "says another",
    file: join(folder, "greeter.ts"),
  });
});

test("a module that does not compile leaves the old one running and says why", async () => {
  await writeFile(join(folder, "greeter.ts"), greeter("well"));
  const kernel = await boot({ core: {}, "./greeter.ts": { to: "you" } });
  await writeFile(join(folder, "greeter.ts"), "const x = 1;\nexport default {");
  await expect(kernel.reloadModule("greeter")).rejects.toThrow(
    /cannot be loaded: it does not compile\n.*greeter\.ts:2:\d+: /,
  );
  await writeFile(join(folder, "greeter.ts"), 'import "./nowhere.ts";');
  await expect(kernel.reloadModule("greeter")).rejects.toThrow("nowhere.ts");
  await writeFile(join(folder, "greeter.ts"), "export const x = 1;");
  await expect(kernel.reloadModule("greeter")).rejects.toThrow("it has no default export made with defineModule");
  expect(kernel.modules.find(({ name }) => name === "greeter")?.summary).toBe("says well");
});

test("the example in docs/ is a module whose options are checked", async () => {
  await writeFile(
    join(folder, "block_prefix.ts"),
    await readFile(join(import.meta.dir, "../../docs/examples/block_prefix.ts")),
  );
  const kernel = await boot({ core: {}, "./block_prefix.ts": { prefixes: ["0900"] } });
  expect(kernel.modules.map(({ name }) => name)).toEqual(["core", "block_prefix"]);
  await expect(boot({ core: {}, "./block_prefix.ts": { prefix: "0900" } })).rejects.toThrow(
    './block_prefix.ts: unknown key "prefix"; did you mean "prefixes"?',
  );
});
