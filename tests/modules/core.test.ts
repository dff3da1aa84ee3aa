import { expect, test } from "bun:test";
import * as v from "valibot";
import { defineModule } from "../../src/kernel/module.ts";
import { authenticator, stack } from "../../src/kernel/services.ts";
import { parseUri } from "../../src/sip/message/uri.ts";
import { headerList } from "../../src/sip/message/header_list.ts";
import { reply } from "../../src/sip/message/reply.ts";
import type { SipRequest } from "../../src/sip/message/message.ts";
import { headerOf, server, statusOf, wire } from "../wire.ts";

let serial = 0;
const request = (method: string, more = "", uri = "sip:192.0.2.4", from = "sip:bob@example.org") =>
  wire`
    ${method} ${uri} SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <${from}>;tag=b
    To: <sip:alice@example.org>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 ${method}
    ${more === "" ? "Subject: none" : more}
  `;

/** Challenges everybody; "Authorization: right" is right. */
const doorman = defineModule({
  name: "doorman",
  summary: "authenticates for a test",
  requires: ["core"],
  options: v.object({}),
  setup(ctx) {
    ctx.provide(authenticator, {
      check({ request }, endpoint) {
        const shown = request.headers.text("Authorization");
        if (shown === "right" && endpoint) return { kind: "success" };
        const response = reply(request, 401, "Unauthorized", { "WWW-Authenticate": "Digest realm=x" });
        return { kind: shown === undefined ? "challenge" : "failed", response, why: "no credentials" };
      },
    });
  },
});

const core = {
  transports: { udp: { bind: "udp:0.0.0.0:5060" }, tcp: { bind: "tcp:0.0.0.0:5060" } },
  endpoints: { peer: {} },
};
const known = (more: Readonly<Record<string, unknown>> = {}) => server({ core: { ...core, ...more } });
const guarded = (more: Readonly<Record<string, unknown>> = {}) =>
  server({ core: { ...core, endpoints: { peer: { password: "secret" } }, ...more }, doorman: {} }, [doorman]);

test("OPTIONS is answered with what we can, and leaves no transaction (RFC 3261 §11)", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  const answer = await peer.ask(request("OPTIONS")) ?? "";
  expect(statusOf(answer)).toBe(200);
  expect(headerOf(answer, "Allow")).toBe("OPTIONS");
  expect(headerOf(answer, "Server")).toBe("patchbay");
  expect(headerOf(answer, "Accept-Encoding")).toBe("identity");
  expect(headerOf(answer, "Via")).toContain("received=192.0.2.9");
  expect(headerOf(answer, "Via")).toContain("rport=5060");
  expect(headerOf(answer, "To")).toContain(";tag=");
  expect(patchbay.universe.pending).toBe(0);
});

test("a method nobody answers gets 405 when it is known and 501 when it is not, with Allow", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  const register = await peer.ask(request("REGISTER")) ?? "";
  expect(statusOf(register)).toBe(405);
  expect(headerOf(register, "Allow")).toBe("OPTIONS");
  expect(statusOf(await peer.ask(request("METHODX")))).toBe(501);
  expect(statusOf(await peer.ask(request("OPTIONS")))).toBe(200);
});

test("what cannot be treated is refused before anybody asks who sent it", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  const status = async (message: string) => statusOf(await peer.ask(message));
  expect(await status(request("INVITE"))).toBe(400); // no Contact
  expect(await status(request("OPTIONS", "", "sip:192.0.2.4", "http://example.org"))).toBe(416);
  expect(await status(request("SUBSCRIBE", "Contact: <sip:bob@192.0.2.9>", "tel:+1234"))).toBe(416);
  expect(await status(request("INVITE", "Contact: <mailto:bob@example.org>"))).toBe(416);
  expect(await status(request("MESSAGE").replace("Max-Forwards: 70", "Max-Forwards: 0"))).toBe(483);
  const bad = await peer.ask(request("OPTIONS", "Require: nothing-you-know")) ?? "";
  expect(statusOf(bad)).toBe(420);
  expect(headerOf(bad, "Unsupported")).toBe("nothing-you-know");
});

test("an in-dialog request that belongs to no dialog gets 481", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  const bye = request("BYE").replace("<sip:alice@example.org>", "<sip:alice@example.org>;tag=gone");
  expect(statusOf(await peer.ask(bye))).toBe(481);
});

test("a stranger is challenged like a known user with a wrong password, and the event says who was asked", async () => {
  const patchbay = await guarded();
  const stranger = await patchbay.peer("192.0.2.66");
  const peer = await patchbay.peer();
  const shape = (text: string | undefined) => text?.replaceAll(/tag=\w+|bK\d+|\d+@|192\.0\.2\.\d+/g, "x");
  const wrong = "Authorization: wrong";
  expect(shape(await stranger.ask(request("MESSAGE", wrong)))).toBe(shape(await peer.ask(request("MESSAGE", wrong))));
  const [refused] = patchbay.told("request.refused");
  expect(refused).toMatchObject({
    method: "MESSAGE",
    status: 401,
    source: "udp:192.0.2.66:5060",
    tried: [{ identifier: "ip", looked: "192.0.2.66", result: "no match" }, { identifier: "authenticate" }],
  });
  expect(patchbay.told("security")[0]?.event).toBe("InvalidAccountID");
  expect(patchbay.counter("core_server_transactions")).toBe(0);
});

test("right credentials let the request through; the first challenge is no event", async () => {
  const patchbay = await guarded();
  const peer = await patchbay.peer();
  expect(statusOf(await peer.ask(request("OPTIONS")))).toBe(401);
  expect(patchbay.told("request.refused")).toEqual([]);
  expect(statusOf(await peer.ask(request("OPTIONS", "Authorization: right")))).toBe(200);
});

test("ten wrong credentials within a minute silence a source for five minutes", async () => {
  const patchbay = await guarded();
  const peer = await patchbay.peer();
  for (let count = 0; count < 10; count++) await peer.ask(request("OPTIONS", "Authorization: wrong"));
  expect(await peer.ask(request("OPTIONS", "Authorization: right"))).toBeUndefined();
  expect(patchbay.told("security").map(({ event }) => event)).toEqual(["SourceBlocked"]);
  await patchbay.advance(300_000);
  expect(statusOf(await peer.ask(request("OPTIONS", "Authorization: right")))).toBe(200);
});

test("a flooding stranger is dropped after its burst, with one event; others are heard", async () => {
  const patchbay = await guarded();
  const stranger = await patchbay.peer("192.0.2.66");
  for (let count = 0; count < 300; count++) await stranger.send(request("OPTIONS"), 0);
  await patchbay.advance(10);
  expect(stranger.heard.length).toBe(200);
  expect(patchbay.told("security").filter(({ event }) => event === "RateLimited").length).toBe(1);
  expect(patchbay.told("request.refused").length).toBeLessThanOrEqual(20);
  const peer = await patchbay.peer();
  expect(statusOf(await peer.ask(request("OPTIONS", "Authorization: right")))).toBe(200);
  await patchbay.advance(1000);
  const before = stranger.heard.length;
  for (let count = 0; count < 100; count++) await stranger.send(request("OPTIONS"), 0);
  await patchbay.advance(10);
  expect(stranger.heard.length - before).toBe(40);
});

test("a malformed request is told what is wrong with it, junk is not answered", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  expect(statusOf(await peer.ask(request("OPTIONS").replace(/^Call-ID.*\r\n/m, "")))).toBe(400);
  expect(await peer.ask("\r\n\r\n")).toBeUndefined();
  expect(await peer.ask("hello world, this is not SIP\r\n\r\n")).toBeUndefined();
  expect(await peer.ask(new Uint8Array(600).fill(0xff))).toBeUndefined();
});

test("a reload changes endpoints and transports while the sockets that stay go on", async () => {
  const patchbay = await known();
  const peer = await patchbay.peer();
  const wait = peer.ask(request("OPTIONS"));
  await patchbay.reload({
    core: {
      ...core,
      transports: { udp: { bind: "udp:0.0.0.0:5070" }, second: { bind: "udp:192.0.2.4:5080" } },
      endpoints: { peer: {}, more: {} },
      limits: { strangerRate: 50 },
    },
    by_address: {},
  });
  await patchbay.advance(10);
  expect(statusOf(await wait)).toBe(200);
  expect(statusOf(await peer.ask(request("OPTIONS")))).toBe(200); // the old port stays without allowReload
  await peer.send(request("OPTIONS"), 10, { host: "192.0.2.4", port: 5080 });
  expect(statusOf(peer.heard.at(-1))).toBe(200);
  expect(patchbay.log.some(({ text }) => text.includes("keeps its old address"))).toBe(true);
  expect(patchbay.told("transport.closed")).toEqual([{ transport: "tcp" }]);
});

test("a port that is taken is an error of that transport; a server with none does not start", async () => {
  const twice = { one: { bind: "udp:192.0.2.4:5060" }, two: { bind: "udp:192.0.2.4:5060" } };
  const patchbay = await server({ core: { transports: twice } });
  expect(patchbay.log.some(({ text }) => text.includes("transport two cannot listen"))).toBe(true);
  await expect(server({ core: { transports: { one: { bind: "udp:198.51.100.1:5060" } } } })).rejects.toThrow(
    "EADDRNOTAVAIL",
  );
});

// ---- going out -----------------------------------------------------------------------------------------------------

/** A module that sends, for the tests of failover. */
function sender() {
  const seen: string[] = [];
  let send: (uri: string, endpoint?: string) => void = () => {};
  const module = defineModule({
    name: "sender",
    summary: "sends for a test",
    requires: ["core"],
    options: v.object({}),
    setup(ctx) {
      send = (text, id = "peer") => {
        const uri = parseUri(text);
        if (!uri) throw new Error(text);
        const headers = headerList([
          ["From", "<sip:a@192.0.2.4>;tag=1"],
          ["To", `<${text}>`],
          ["Call-ID", "out"],
          ["CSeq", "1 OPTIONS"],
        ]);
        const message: SipRequest = { kind: "request", method: "OPTIONS", uri, headers, body: new Uint8Array(0) };
        ctx.use(stack).send(message, ctx.objects.endpoint(id), {
          response: ({ status }) => seen.push(String(status)),
          failed: (why) => seen.push(why),
        });
      };
    },
  });
  return { module, seen, send: (uri: string, endpoint?: string) => send(uri, endpoint) };
}

const answering = (text: string, status: string) =>
  [`SIP/2.0 ${status}`, ...text.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line)), "", ""].join(
    "\r\n",
  );

test("a 503 makes the request go to the next address with a new branch and the same Call-ID (RFC 3263 §4.3)", async () => {
  const { module, seen, send } = sender();
  const patchbay = await server({ core, sender: {} }, [module]);
  patchbay.universe.names.pointer("example.org", {
    order: 1,
    preference: 1,
    flags: "s",
    service: "SIP+D2U",
    regexp: "",
    replacement: "_sip._udp.example.org",
  });
  patchbay.universe.names.service("_sip._udp.example.org", {
    priority: 1,
    weight: 0,
    port: 5070,
    target: "a.example.org",
  });
  patchbay.universe.names.address("a.example.org", "192.0.2.31", "192.0.2.32");
  const first = await patchbay.peer("192.0.2.31", 5070);
  const second = await patchbay.peer("192.0.2.32", 5070);
  send("sip:bob@example.org");
  await patchbay.advance(10);
  await first.send(answering(first.heard[0] ?? "", "503 Busy"));
  await second.send(answering(second.heard[0] ?? "", "200 OK"));
  expect(seen).toEqual(["200"]);
  const [one, two] = [first.heard[0] ?? "", second.heard[0] ?? ""];
  expect(headerOf(one, "Call-ID")).toBe(headerOf(two, "Call-ID") ?? "");
  expect(headerOf(one, "Via")).not.toBe(headerOf(two, "Via") ?? "");
  expect(headerOf(one, "Max-Forwards")).toBe("70");
  expect(headerOf(one, "User-Agent")).toBe("patchbay");
});

test("a silent address is left after six seconds, the last one is waited for", async () => {
  const { module, seen, send } = sender();
  const patchbay = await server({ core, sender: {} }, [module]);
  patchbay.universe.names.address("example.org", "192.0.2.31", "192.0.2.32");
  const second = await patchbay.peer("192.0.2.32");
  send("sip:bob@example.org");
  await patchbay.advance(5900);
  expect(second.heard).toEqual([]);
  await patchbay.advance(200);
  expect(second.heard.length).toBe(1);
  await patchbay.advance(32_000);
  expect(seen).toEqual(["timeout"]);
});

test("a name nobody knows is unresolved, a dead port is a transport failure", async () => {
  const { module, seen, send } = sender();
  const patchbay = await server({ core, sender: {} }, [module]);
  send("sip:bob@nowhere.example");
  await patchbay.advance(10);
  await patchbay.peer("192.0.2.31", 9);
  send("sip:bob@192.0.2.31:5999");
  await patchbay.advance(10);
  expect(seen).toEqual(["unresolved", "transport"]);
});

test("the endpoint's proxy is the first hop and its transport the way there", async () => {
  const { module, send } = sender();
  const proxied = { peer: { outboundProxy: "sip:192.0.2.40:5080;lr", transport: "udp" } };
  const patchbay = await server({ core: { ...core, endpoints: proxied }, sender: {} }, [module]);
  const proxy = await patchbay.peer("192.0.2.40", 5080);
  send("sip:bob@203.0.113.1");
  await patchbay.advance(10);
  expect(proxy.heard[0]).toStartWith("OPTIONS sip:bob@203.0.113.1 SIP/2.0\r\n");
  expect(headerOf(proxy.heard[0] ?? "", "Route")).toBe("<sip:192.0.2.40:5080;lr>");
});
