import { expect, test } from "bun:test";
import { server, statusOf, wire, type WireServer } from "../wire.ts";

let serial = 0;
const publish = (from: string) =>
  wire`
    PUBLISH sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <${from}>;tag=b
    To: <sip:192.0.2.4>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 PUBLISH
  `;

const start = (core: Readonly<Record<string, unknown>>) =>
  server({
    core: { transports: { udp: { bind: "udp:0.0.0.0:5060", domain: "t.example" } }, ...core },
    endpoint_identifier_user: {},
    endpoint_identifier_anonymous: {},
    authenticator_digest: {},
  });

async function takenFor(running: WireServer, from: string): Promise<string | undefined> {
  const peer = await running.peer("192.0.2.9", 5000 + ++serial);
  await peer.ask(publish(from));
  return running.told("request.refused").at(-1)?.endpoint;
}

test("a stranger is the endpoint anonymous of the domain, its alias, the transport's domain, or anonymous", async () => {
  const endpoints = { "anonymous@a.example": {}, anonymous: { context: "public" }, alice: { password: "x" } };
  const running = await start({ endpoints, domainAliases: { "b.example": { domain: "a.example" } } });
  expect(await takenFor(running, "sip:who@a.example")).toBe("anonymous@a.example");
  expect(await takenFor(running, "sip:who@b.example")).toBe("anonymous@a.example");
  expect(await takenFor(running, "sip:who@c.example")).toBe("anonymous");
  const domain = await start({ endpoints: { "anonymous@t.example": {}, anonymous: {} } });
  expect(await takenFor(domain, "sip:who@192.0.2.4")).toBe("anonymous@t.example");
  const single = await start({ endpoints, global: { disableMultiDomain: true } });
  expect(await takenFor(single, "sip:who@a.example")).toBe("anonymous");
});

test("without such an endpoint a stranger gets 401; with credentials on it too; a known user stays who they are", async () => {
  const running = await start({ endpoints: { alice: {} } });
  const peer = await running.peer();
  expect(statusOf(await peer.ask(publish("sip:who@a.example")))).toBe(401);
  const guarded = await start({ endpoints: { alice: {}, anonymous: { password: "x" } } });
  expect(statusOf(await (await guarded.peer()).ask(publish("sip:who@a.example")))).toBe(401);
  expect(await takenFor(guarded, "sip:alice@a.example")).toBe("alice");
});

test("an open door into a context of known peers, and an order that hides others, are warned of", async () => {
  const running = await start({
    endpoints: { alice: { password: "x", identifyBy: ["auth_username"] }, anonymous: {} },
    global: { endpointIdentifierOrder: ["anonymous", "ip", "username"] },
  });
  await running.advance(10);
  const warnings = running.log.filter(({ level, module }) => level === "warning" && module.includes("anonymous"));
  expect(warnings.map(({ text }) => text)).toEqual([
    'endpoint "anonymous" lets strangers into context "default", which known peers use too',
    'with endpoint "anonymous", identifiers after "anonymous" never match: username, auth_username',
  ]);
});
