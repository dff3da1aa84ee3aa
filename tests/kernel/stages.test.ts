import { expect, test } from "bun:test";
import * as v from "valibot";
import type { AnyModule } from "../../src/kernel/configuration.ts";
import { SipError } from "../../src/kernel/errors.ts";
import { bootKernel, type Kernel } from "../../src/kernel/kernel.ts";
import type { LogRecord } from "../../src/kernel/log.ts";
import { defineModule } from "../../src/kernel/module.ts";
import { type Stages, stages } from "../../src/kernel/services.ts";
import type { InboundContext, InboundHandler, InboundStage } from "../../src/kernel/stages.ts";
import type { SipRequest } from "../../src/sip/message/message.ts";
import { parseMessage } from "../../src/sip/message/parser.ts";
import type { Flow } from "../../src/sip/transport/flow.ts";
import { VirtualUniverse } from "../virtual_world.ts";

const bytes = new TextEncoder().encode(
  [
    "OPTIONS sip:192.0.2.1 SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK776",
    "From: <sip:bob@example.org>;tag=b",
    "To: <sip:alice@example.org>",
    "Call-ID: 1@192.0.2.9",
    "CSeq: 7 OPTIONS",
    "Max-Forwards: 70",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n"),
);

const flow: Flow = {
  id: "udp 192.0.2.9:5060",
  transport: "udp",
  protocol: "udp",
  reliable: false,
  secure: false,
  local: { host: "192.0.2.1", port: 5060 },
  remote: { host: "192.0.2.9", port: 5060 },
  open: true,
  send: () => true,
  onClose: () => () => {},
  trust() {},
};

function context(): InboundContext {
  const parsed = parseMessage(bytes);
  if (parsed.kind !== "request") throw new Error("no request");
  const request: SipRequest = parsed;
  return {
    incoming: {
      request,
      flow,
      state: "pending",
      reply() {},
      drop() {},
      accept() {
        throw new Error("nobody accepts here");
      },
    },
    request,
    flow,
    endpoint: undefined,
    artificial: false,
    authenticated: false,
    tried: [],
  };
}

function handler(name: string, stage: InboundStage, run: InboundHandler, place?: "first" | "last"): AnyModule {
  return defineModule({
    name,
    summary: "",
    requires: [],
    options: v.object({}),
    setup: (ctx) => ctx.inbound(stage, run, place),
  });
}

async function house(...modules: AnyModule[]): Promise<{ kernel: Kernel; stages: Stages; log: LogRecord[] }> {
  const log: LogRecord[] = [];
  const kernel = await bootKernel({
    world: new VirtualUniverse().host("192.0.2.1"),
    manifest: Object.fromEntries(modules.map(({ name }) => [name, {}])),
    modules,
    log: (record) => log.push(record),
  });
  const table = kernel.find(stages);
  if (!table) throw new Error("no stages");
  return { kernel, stages: table, log };
}

test("stages run in their order, and in a stage first, then the others, then last", async () => {
  const seen: string[] = [];
  const note = (text: string) => () => void seen.push(text);
  const { stages } = await house(
    handler("a", "method", note("method"), "last"),
    handler("b", "authenticate", note("authenticate")),
    handler("c", "method", note("method, before")),
    handler("d", "method", note("method, first"), "first"),
    handler("e", "filter", async () => void seen.push("filter")),
  );
  expect(await stages.inbound(context())).toBeUndefined();
  expect(seen).toEqual(["filter", "authenticate", "method, first", "method, before", "method"]);
});

test("a SipError is answered as it says and is nobody's fault", async () => {
  const { kernel, stages } = await house(handler("a", "nat", () => {
    throw new SipError(416, "Unsupported URI Scheme");
  }));
  expect(await stages.inbound(context())).toMatchObject({ status: 416, reason: "Unsupported URI Scheme" });
  expect(kernel.modules[0]?.faults).toBe(0);
});

test("a handler that throws fails that request with 500, is counted, logged and told by name", async () => {
  const { kernel, stages, log } = await house(handler("a", "nat", () => Promise.reject(new Error('no "way"\r\nout'))));
  const told: unknown[] = [];
  kernel.host.events.all((name, data) => void told.push([name, data]));
  expect(await stages.inbound(context())).toMatchObject({ status: 500 });
  expect(kernel.host.metrics.counters.get("a.faults")).toBe(1);
  expect(log[0]).toMatchObject({ level: "error", module: "a", text: 'stage nat failed: no "way"\\x0d\\x0aout' });
  expect(told[0]).toEqual(["module.fault", { module: "a", where: "stage nat", error: 'no "way"\r\nout' }]);
  expect(told[1]).toMatchObject(["security", { event: "ModuleFault", fields: { Module: "a" } }]);
});

test("five faults within a minute disable the module until it is reloaded; other modules go on", async () => {
  const { kernel, stages } = await house(
    handler("a", "nat", () => {
      throw new Error("again");
    }),
    handler("b", "method", ({ request }) => ({
      kind: "response",
      status: 200,
      reason: "OK",
      headers: request.headers,
      body: new Uint8Array(),
    })),
  );
  for (let fault = 0; fault < 5; fault++) expect(await stages.inbound(context())).toMatchObject({ status: 500 });
  expect(await stages.inbound(context())).toMatchObject({ status: 200 });
  expect(kernel.modules.map(({ state }) => state)).toEqual(["disabled", "running"]);
  await kernel.reloadModule("a");
  expect(kernel.modules.map(({ state }) => state)).toEqual(["running", "running"]);
});

test("a disabled module that guards the door does not leave it open", async () => {
  const { stages } = await house(handler("a", "authenticate", () => {
    throw new Error("again");
  }));
  for (let fault = 0; fault < 5; fault++) await stages.inbound(context());
  expect(await stages.inbound(context())).toMatchObject({ status: 503 });
});

test("a request that comes while modules are exchanged waits and meets a whole set", async () => {
  const begun = Promise.withResolvers<void>();
  const slow = Promise.withResolvers<void>();
  let setUps = 0;
  const module = defineModule({
    name: "slow",
    summary: "",
    requires: [],
    options: v.object({}),
    async setup(ctx) {
      if (setUps++ > 0) {
        begun.resolve();
        await slow.promise;
      }
      const own = setUps;
      ctx.inbound("method", () => {
        throw new SipError(600 + own, "who answered");
      });
    },
  });
  const { kernel, stages } = await house(module);
  const reloading = kernel.reloadModule("slow");
  await begun.promise;
  const answer = stages.inbound(context());
  slow.resolve();
  await reloading;
  expect(await answer).toMatchObject({ status: 602 });
});
