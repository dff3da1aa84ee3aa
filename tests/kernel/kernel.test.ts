import { expect, test } from "bun:test";
import * as v from "valibot";
import type { AnyModule } from "../../src/kernel/configuration.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { bootKernel, type KernelOptions } from "../../src/kernel/kernel.ts";
import { defineModule } from "../../src/kernel/module.ts";
import type { ServiceToken } from "../../src/kernel/token.ts";
import { VirtualUniverse } from "../virtual_world.ts";

interface Counter {
  readonly add: () => void;
}
const counter: ServiceToken<Counter> = { name: "counter" };

/** A module that writes its life into a list. */
function recorder(name: string, requires: readonly string[], life: string[]): AnyModule {
  return defineModule({
    name,
    summary: "writes down what happens to it",
    requires,
    options: v.object({ mood: v.optional(v.string(), "fine"), later: v.optional(v.string(), "") }),
    effect: { later: "restart" },
    setup(ctx) {
      if (ctx.options.mood === "broken") throw new Error("no sun today");
      life.push(`${name} up ${ctx.options.mood}`);
      ctx.onUnload(() => void life.push(`${name} down`));
    },
  });
}

const kernel = (options: Partial<KernelOptions> & Pick<KernelOptions, "manifest" | "modules">) =>
  bootKernel({ world: new VirtualUniverse().host("192.0.2.1"), ...options });

const refusal = async (running: Promise<unknown>): Promise<ConfigError> => {
  try {
    await running;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

test("modules are set up in the order of their needs, whatever the order of keys", async () => {
  const life: string[] = [];
  const modules = [recorder("a", ["c"], life), recorder("b", [], life), recorder("c", ["b"], life)];
  await kernel({ manifest: { a: {}, c: {}, b: {} }, modules });
  expect(life).toEqual(["b up fine", "c up fine", "a up fine"]);
});

test("a missing and a circular need are faults that name both modules", async () => {
  const life: string[] = [];
  const modules = [
    recorder("a", ["b"], life),
    recorder("b", ["a"], life),
    recorder("c", ["d"], life),
    recorder("d", [], life),
  ];
  const error = await refusal(kernel({ manifest: { a: {}, b: {}, c: {} }, modules }));
  expect(error.message).toContain("a → b → a");
  expect(error.message).toContain('"c" requires "d", which is not in the manifest');
  expect(life).toEqual([]);
});

test("a module that fails in setup stops the start; what was set up is taken back", async () => {
  const life: string[] = [];
  const modules = [recorder("a", [], life), recorder("b", ["a"], life)];
  const error = await refusal(kernel({ manifest: { a: {}, b: { mood: "broken" } }, modules }));
  expect(error.message).toContain("b could not start: no sun today");
  expect(life).toEqual(["a up fine", "a down"]);
});

test("a reload sets up anew what changed and what requires it, and says what each change means", async () => {
  const life: string[] = [];
  const modules = ["a", "b", "c"].map((name) => recorder(name, name === "c" ? ["b"] : [], life));
  let manifest = '{ "a": {}, "b": {}, "c": {} }';
  const running = await kernel({ manifest, modules, readManifest: () => Promise.resolve(manifest) });
  life.length = 0;
  manifest = '{ "a": { "later": "x" }, "b": { "mood": "good" }, "c": {} }';
  expect(await running.plan()).toEqual([
    { module: "a", what: "option", name: "later", change: "added", effect: "restart" },
    { module: "b", what: "option", name: "mood", change: "added", effect: "live" },
  ]);
  expect(life).toEqual([]);
  await running.reload();
  expect(life).toEqual(["c down", "b down", "b up good", "c up fine"]);
});

test("a reload that cannot be set up leaves the old set running", async () => {
  const life: string[] = [];
  const modules = [recorder("a", [], life), recorder("b", ["a"], life)];
  let manifest = '{ "a": {}, "b": {} }';
  const running = await kernel({ manifest, modules, readManifest: () => Promise.resolve(manifest) });
  life.length = 0;
  manifest = '{ "a": { "mood": "new" }, "b": { "mood": "broken" } }';
  const error = await refusal(running.reload());
  expect(error.faults[0]).toMatchObject({ line: 1, module: "b" });
  expect(life).toEqual(["b down", "a down", "a up new", "a down", "a up fine", "b up fine"]);
  manifest = '{ "a": {}, "b": { "mod": 1 } }';
  expect((await refusal(running.reload())).message).toContain('unknown key "mod"; did you mean "mood"?');
  expect(running.modules.map((module) => module.name)).toEqual(["a", "b"]);
});

test("modules are loaded and unloaded at run time; an unload that others need is refused", async () => {
  const life: string[] = [];
  const modules = [recorder("a", [], life), recorder("b", ["a"], life)];
  const running = await kernel({ manifest: { a: {} }, modules });
  await running.loadModule("b", { mood: "late" });
  expect(life).toEqual(["a up fine", "b up late"]);
  expect((await refusal(running.unloadModule("a"))).message).toContain('"b" requires "a"');
  await running.unloadModule("b");
  expect(running.modules.map((module) => module.name)).toEqual(["a"]);
});

test("a module hands its state over its own reload", async () => {
  const seen: unknown[] = [];
  const keeper = defineModule({
    name: "keeper",
    summary: "keeps a number",
    requires: [],
    options: v.object({}),
    setup(ctx) {
      seen.push(ctx.restored);
      ctx.save(() => seen.length);
    },
  });
  const running = await kernel({ manifest: { keeper: {} }, modules: [keeper] });
  await running.reloadModule("keeper");
  expect(seen).toEqual([undefined, 1]);
});

test("what a module took through ctx is given back: services, timers, listeners, routes, gauges", async () => {
  const world = new VirtualUniverse().host("192.0.2.1");
  const heard: string[] = [];
  const user = defineModule({
    name: "user",
    summary: "takes one of each",
    requires: ["offerer"],
    options: v.object({}),
    setup(ctx) {
      ctx.use(counter).add();
      ctx.events.on("module.loaded", ({ module }) => void heard.push(module));
      ctx.world.after(1000, () => void heard.push("timer"));
      ctx.metrics.gauge("size", () => 1);
      ctx.http.route({
        method: "GET",
        path: "/x",
        summary: "x",
        scope: "read",
        run: () => ({ status: 200, body: {} }),
      });
    },
  });
  let taken = 0;
  const offerer = defineModule({
    name: "offerer",
    summary: "counts what is taken",
    requires: [],
    options: v.object({}),
    setup(ctx) {
      ctx.provideEach(counter, (by) => ({
        add() {
          taken++;
          by.onRelease(() => void taken--);
        },
      }));
    },
  });
  const other = recorder("other", [], []);
  const running = await bootKernel({ world, manifest: { user: {}, offerer: {} }, modules: [user, offerer, other] });
  expect(taken).toBe(1);
  expect(running.routes).toHaveLength(1);
  await running.unloadModule("user");
  await running.loadModule("other", {});
  await world.advance(2000);
  expect(taken).toBe(0);
  expect(running.routes).toHaveLength(0);
  expect(running.metrics()).not.toContain("user_size");
  expect(heard).toEqual(["user"]);
});

test("using a service without requiring its module is an error that names both", async () => {
  const offerer = defineModule({
    name: "offerer",
    summary: "",
    requires: [],
    options: v.object({}),
    setup: (ctx) => ctx.provide(counter, { add() {} }),
  });
  const user = defineModule({
    name: "user",
    summary: "",
    requires: [],
    options: v.object({}),
    setup: (ctx) => ctx.use(counter).add(),
  });
  const error = await refusal(kernel({ manifest: { user: {}, offerer: {} }, modules: [offerer, user] }));
  expect(error.message).toContain('"user" uses the service "counter" of "offerer", but does not require "offerer"');
});

test("sockets a module opened are closed when it goes, and those it closed itself are forgotten", async () => {
  const universe = new VirtualUniverse();
  const [world, peer] = [universe.host("192.0.2.1"), universe.host("192.0.2.9")];
  await peer.network.listenStream({ host: "192.0.2.9", port: 9060 }, {
    accepted: (connection) => connection.listen({ received() {}, drained() {}, closed() {} }),
    failed() {},
  });
  const user = defineModule({
    name: "user",
    summary: "",
    requires: [],
    options: v.object({}),
    async setup(ctx) {
      const { network } = ctx.world;
      const listener = { received() {}, unreachable() {} };
      await network.bindDatagram({ host: "192.0.2.1", port: 5060 }, listener);
      (await network.bindDatagram({ host: "192.0.2.1", port: 5062 }, listener)).close();
      await network.listenStream({ host: "192.0.2.1", port: 5060 }, { accepted() {}, failed() {} });
      const connection = await network.connectStream({ host: "192.0.2.9", port: 9060, timeoutMs: 1000 });
      connection.listen({ received() {}, drained() {}, closed() {} });
    },
  });
  const booting = bootKernel({ world, manifest: { user: {} }, modules: [user] });
  await universe.advance(100);
  const running = await booting;
  expect([world.datagrams.size, world.listeners.size, world.connections.size]).toEqual([1, 1, 1]);
  await running.stop();
  await universe.advance(100);
  expect([world.datagrams.size, world.listeners.size, world.connections.size]).toEqual([0, 0, 0]);
});

test("a module whose own check throws is a fault at its key", async () => {
  const broken = defineModule({
    name: "broken",
    summary: "",
    requires: [],
    options: v.object({}),
    check: () => {
      throw new TypeError("nothing there");
    },
    setup() {},
  });
  const error = await refusal(kernel({ manifest: '{\n  "broken": {}\n}', modules: [broken] }));
  expect(error.message).toBe("modules.json:2:3: broken: its check of the options failed: nothing there");
});

test("a reload that fails half way hands the state back to the old modules", async () => {
  const engines: unknown[] = [];
  let [stopped, failures] = [0, 0];
  const engine = defineModule({
    name: "engine",
    summary: "outlives its module",
    requires: [],
    options: v.object({}),
    setup(ctx) {
      const own = ctx.restored ?? { calls: 7 };
      let handedOver = false;
      engines.push(own);
      ctx.save(() => {
        handedOver = true;
        return own;
      });
      ctx.onUnload(() => void (stopped += handedOver ? 0 : 1));
    },
  });
  const fragile = defineModule({
    name: "fragile",
    summary: "fails when it is told to",
    requires: ["engine"],
    options: v.object({}),
    setup() {
      if (failures-- > 0) throw new Error("not now");
    },
  });
  const modules = [engine, fragile, recorder("other", [], [])];
  const running = await kernel({ manifest: { engine: {}, fragile: {}, other: {} }, modules });
  failures = 1;
  expect((await refusal(running.reloadModule("engine"))).message).toContain("fragile could not start: not now");
  expect(running.modules.map(({ name }) => name)).toEqual(["engine", "fragile", "other"]);
  expect(stopped).toBe(0);
  expect(new Set(engines).size).toBe(1);

  failures = 2; // the old one does not come back either: the others do, and the next reload brings it back
  expect((await refusal(running.reloadModule("engine"))).faults).toHaveLength(2);
  expect(running.modules.map(({ name }) => name)).toEqual(["engine", "other"]);
  await running.reload();
  expect(running.modules.map(({ name }) => name)).toEqual(["engine", "fragile", "other"]);
  expect(stopped).toBe(0);
});

test("a path of the API belongs to one module: a second one does not start, and both are named", async () => {
  const world = new VirtualUniverse().host("192.0.2.1");
  const at = (name: string, method: "GET" | "POST", path: string) =>
    defineModule({
      name,
      summary: "has a path",
      requires: [],
      options: v.object({}),
      setup: (ctx) =>
        ctx.http.route({ method, path, summary: path, scope: "read", run: () => ({ status: 200, body: {} }) }),
    });
  const modules = [
    at("one", "GET", "/things/:id"),
    at("two", "POST", "/things/:id"),
    at("three", "GET", "/things/:name"),
  ];
  const running = await bootKernel({ world, manifest: { one: {}, two: {} }, modules });
  expect(running.routes).toHaveLength(2);
  await running.reloadModule("one"); // its own path is no conflict
  const why = await running.loadModule("three", {}).then(() => "", String);
  expect(why).toContain('GET /things/:name belongs to module "one"');
  expect(running.routes).toHaveLength(2);
});
