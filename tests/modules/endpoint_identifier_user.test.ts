import { expect, test } from "bun:test";
import { type Peer, server, statusOf, wire, type WireServer } from "../wire.ts";

let serial = 0;
const options = (from: string, ...more: string[]) =>
  wire`
    OPTIONS sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: ${from};tag=b
    To: <sip:192.0.2.4>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 OPTIONS
    ${["Subject: x", ...more].join("\n")}
  `;

interface Setting {
  readonly endpoints: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** Nobody has credentials to show, so 200 says who was recognised: the endpoint's name is told by a refusal's event. */
const start = ({ endpoints, ...core }: Setting, more: Readonly<Record<string, unknown>> = {}) =>
  server({
    core: { transports: { udp: { bind: "udp:0.0.0.0:5060" } }, endpoints, ...core },
    endpoint_identifier_user: {},
    authenticator_digest: {},
    ...more,
  });

/** Which endpoint a request is taken for: a method nobody answers is refused by an event that names it. */
async function takenFor(running: WireServer, peer: Peer, from: string, ...more: string[]): Promise<string | undefined> {
  await peer.ask(options(from, ...more).replaceAll("OPTIONS", "PUBLISH"));
  const refusal = running.told("request.refused").at(-1);
  return refusal?.endpoint;
}

test("user@domain comes before user, unless domains are off", async () => {
  const endpoints = { "alice@a.example": {}, alice: {} };
  const running = await start({ endpoints });
  const peer = await running.peer();
  expect(await takenFor(running, peer, "<sip:alice@a.example>")).toBe("alice@a.example");
  expect(await takenFor(running, peer, "<sip:alice@b.example>")).toBe("alice");
  const single = await start({ endpoints, global: { disableMultiDomain: true } });
  expect(await takenFor(single, await single.peer(), "<sip:alice@a.example>")).toBe("alice");
});

test("an alias of a domain, and the domain of the transport, stand for the domain", async () => {
  const running = await start({
    transports: { udp: { bind: "udp:0.0.0.0:5060", domain: "t.example" } },
    endpoints: { "alice@a.example": {}, "bob@t.example": {} },
    domainAliases: { "b.example": { domain: "a.example" } },
  });
  const peer = await running.peer();
  expect(await takenFor(running, peer, "<sip:alice@b.example>")).toBe("alice@a.example");
  expect(await takenFor(running, peer, "<sip:bob@192.0.2.4>")).toBe("bob@t.example");
});

test("escapes in the user are undone; letter case counts; 300 characters match nobody", async () => {
  const running = await start({ endpoints: { "10": {} } });
  const peer = await running.peer();
  expect(statusOf(await peer.ask(options("<sip:%31%30@a.example>")))).toBe(200);
  expect(statusOf(await peer.ask(options("<sip:1O@a.example>")))).toBe(401);
  expect(statusOf(await peer.ask(options(`<sip:${"1".repeat(250)}@a.example>`)))).toBe(401);
  expect(statusOf(await peer.ask(options(`<sip:${"1".repeat(300)}@a.example>`)))).toBe(400);
});

test("From with another scheme matches nobody and breaks nothing", async () => {
  const running = await start({ endpoints: { "+1555": {} } });
  const peer = await running.peer();
  expect([401, 416]).toContain(statusOf(await peer.ask(options("<tel:+1555>"))));
  expect(running.told("module.fault")).toEqual([]);
});

test("identifyBy without username refuses a match by From, and the refusal says so", async () => {
  const running = await start({ endpoints: { alice: { identifyBy: ["ip"] } } });
  const peer = await running.peer();
  expect(statusOf(await peer.ask(options("<sip:alice@a.example>")))).toBe(401);
  expect(running.told("request.refused").at(-1)?.tried).toContainEqual({
    identifier: "username",
    looked: "alice@a.example, alice",
    result: 'identifyBy has no "username"',
  });
});

test("auth_username finds the endpoint by the credentials' user, behind schemes it does not know", async () => {
  const running = await start({ endpoints: { alice: { identifyBy: ["auth_username"] } } });
  const peer = await running.peer();
  expect(statusOf(await peer.ask(options("<sip:other@a.example>")))).toBe(401);
  const value = 'Digest username="alice", realm="r", nonce="n", uri="sip:192.0.2.4", response="0"';
  expect(await takenFor(running, peer, "<sip:other@a.example>", "Authorization: Bearer x", `Authorization: ${value}`))
    .toBe("alice");
});

test("the order of identifiers decides, and a reload turns it round", async () => {
  const manifest = (order: readonly string[]) => ({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { alice: {}, trunk: {} },
      global: { endpointIdentifierOrder: order },
    },
    endpoint_identifier_user: {},
    endpoint_identifier_ip: { identifies: { trunk: { endpoint: "trunk", match: "192.0.2.9" } } },
    authenticator_digest: {},
  });
  const running = await server(manifest(["username", "ip"]));
  const peer = await running.peer();
  expect(await takenFor(running, peer, "<sip:alice@a.example>")).toBe("alice");
  await running.reload(manifest(["ip", "username"]));
  expect(await takenFor(running, peer, "<sip:alice@a.example>")).toBe("trunk");
});
