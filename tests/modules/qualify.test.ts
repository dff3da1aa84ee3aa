import { expect, test } from "bun:test";
import { headerOf, type Peer, server, wire } from "../wire.ts";

/** bob's aor has permanent contacts at the addresses; the peer is one of them. */
async function qualifying(aor: Readonly<Record<string, unknown>>, contacts: readonly string[], more = {}) {
  const patchbay = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { bob: { aors: ["bob"], fromUser: "pbx", fromDomain: "pbx.example.org" } },
      aors: { bob: { contact: contacts, maxContacts: 5, ...aor } },
      ...more,
    },
    endpoint_identifier_ip: { identifies: { bob: { endpoint: "bob", match: ["192.0.2.0/24"] } } },
    registrar: {},
    qualify: {},
  });
  return { patchbay, phone: await patchbay.peer("192.0.2.9") };
}

const answer = (request: string, status: string) =>
  wire`
    SIP/2.0 ${status}
    Via: ${headerOf(request, "Via")}
    From: ${headerOf(request, "From")}
    To: ${headerOf(request, "To")};tag=t
    Call-ID: ${headerOf(request, "Call-ID")}
    CSeq: ${headerOf(request, "CSeq")}
    Content-Length: 0
  `;

const asked = (phone: Peer) => phone.heard.filter((message) => message.startsWith("OPTIONS "));
const callIds = (phone: Peer) => new Set(asked(phone).map((message) => headerOf(message, "Call-ID")));
const CONTACT = "sip:bob@192.0.2.9:5060";

test("any final answer is reachable, with its round trip; silence is unreachable; both are events", async () => {
  const { patchbay, phone } = await qualifying({ qualifyFrequency: "10s" }, [CONTACT]);
  await patchbay.universe.until(() => asked(phone).length > 0, 10_100);
  const [options = ""] = asked(phone);
  expect(options).toStartWith(`OPTIONS ${CONTACT} SIP/2.0\r\n`);
  expect(headerOf(options, "From")).toStartWith("<sip:pbx@pbx.example.org>;tag=");
  expect(headerOf(options, "To")).toBe(`<${CONTACT}>`);
  await patchbay.advance(40);
  await phone.send(answer(options, "404 Not Found"));
  expect(patchbay.told("contact.status").at(-1)).toMatchObject({ uri: CONTACT, status: "reachable" });
  expect(patchbay.told("contact.status").at(-1)?.roundTripMicros).toBeWithin(40_000, 60_000);
  await patchbay.advance(13_500); // the next question, and three seconds without an answer
  expect(patchbay.told("contact.status").at(-1)).toMatchObject({ uri: CONTACT, status: "unreachable" });
  expect(patchbay.told("endpoint.status").at(-1)).toEqual({ endpoint: "bob", online: false });
  await patchbay.universe.until(() => callIds(phone).size === 3, 10_100);
  await phone.send(answer(asked(phone).at(-1) ?? "", "200 OK"));
  expect(patchbay.told("contact.status").at(-1)?.status).toBe("reachable");
  expect(patchbay.told("endpoint.status").at(-1)).toEqual({ endpoint: "bob", online: true });
});

test("with qualify2xxOnly a 404 is unreachable, and an answer after the time-out counts for nothing", async () => {
  const { patchbay, phone } = await qualifying(
    { qualifyFrequency: "10s", qualify2xxOnly: true, qualifyTimeout: "1s" },
    [CONTACT],
  );
  await patchbay.universe.until(() => asked(phone).length > 0, 10_100);
  await phone.send(answer(asked(phone)[0] ?? "", "404 Not Found"));
  expect(patchbay.told("contact.status").at(-1)?.status).toBe("unreachable");
  await patchbay.universe.until(() => callIds(phone).size === 2, 10_100);
  await patchbay.advance(1500);
  await phone.send(answer(asked(phone).at(-1) ?? "", "200 OK"));
  expect(patchbay.told("contact.status").at(-1)?.status).toBe("unreachable");
});

test("a contact that registers is asked at once, and over its Path", async () => {
  const { patchbay, phone } = await qualifying({ qualifyFrequency: "60s", supportPath: true }, []);
  const edge = await patchbay.peer("192.0.2.70");
  await phone.send(
    wire`
    REGISTER sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1
    Max-Forwards: 70
    From: <sip:bob@192.0.2.4>;tag=f
    To: <sip:bob@192.0.2.4>
    Call-ID: reg@192.0.2.9
    CSeq: 1 REGISTER
    Contact: <sip:bob@10.1.2.3:5060>
    Path: <sip:192.0.2.70;lr>
    Supported: path
    Content-Length: 0
  `,
    50,
  );
  expect(asked(edge)).toHaveLength(1);
  expect(asked(edge)[0]).toStartWith("OPTIONS sip:bob@10.1.2.3:5060 SIP/2.0\r\n");
  expect(headerOf(asked(edge)[0] ?? "", "Route")).toBe("<sip:192.0.2.70;lr>");
});

test("fifty contacts are first asked within maxInitialQualifyTime, spread", async () => {
  const addresses = Array.from({ length: 50 }, (_, i) => `sip:bob@192.0.2.${i + 100}:5060`);
  const { patchbay } = await qualifying({ qualifyFrequency: "60s" }, addresses, {
    global: { maxInitialQualifyTime: 1 },
  });
  const times = new Map<string, number>();
  patchbay.universe.watch = (_from, to) => void (times.has(to.host) || times.set(to.host, patchbay.universe.now()));
  await patchbay.advance(1100);
  expect(times.size).toBe(50);
  const early = [...times.values()].filter((at) => at < 500).length;
  expect(early).toBeWithin(10, 41);
});

test("a contact is asked when the operator says so", async () => {
  const { patchbay, phone } = await qualifying({}, [CONTACT]);
  await patchbay.advance(120_000);
  expect(asked(phone)).toHaveLength(0);
  const route = patchbay.kernel.routes.find(({ route }) => route.path === "/endpoints/:id/qualify")?.route;
  expect(await route?.run({ params: { id: "bob" }, query: {}, body: {} })).toEqual({ status: 202, body: { asked: 1 } });
  await patchbay.advance(10);
  expect(asked(phone)).toHaveLength(1);
  expect(await route?.run({ params: { id: "no" }, query: {}, body: {} })).toMatchObject({ status: 404 });
});
