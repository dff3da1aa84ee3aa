import { expect, test } from "bun:test";
import { locations } from "../../src/kernel/services.ts";
import { headerOf, type Peer, server, statusOf, wire, type WireServer } from "../wire.ts";

type Aor = Readonly<Record<string, unknown>>;

/** A server where everything from 192.0.2.0/24 is the endpoint alice with one aor of that name. */
async function registrar(aor: Aor, more: Aor = {}, modules: Aor = {}) {
  const patchbay = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" }, tcp: { bind: "tcp:0.0.0.0:5060" } },
      endpoints: { alice: { aors: ["alice"] } },
      aors: { alice: { maxContacts: 10, ...aor } },
      ...more,
    },
    endpoint_identifier_ip: { identifies: { alice: { endpoint: "alice", match: ["192.0.2.0/24"] } } },
    registrar: {},
    ...modules,
  });
  const phone = await patchbay.peer();
  return { patchbay, phone };
}

let cseq = 100;

/** A REGISTER of alice; `lines` are its Contact and further headers. */
const register = (lines: readonly string[], { callId = "reg@192.0.2.9", number = ++cseq, to = "alice" } = {}) =>
  wire`
    REGISTER sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK${number}${callId.length}
    Max-Forwards: 70
    From: <sip:alice@192.0.2.4>;tag=f
    To: <sip:${to}@192.0.2.4>
    Call-ID: ${callId}
    CSeq: ${number} REGISTER
    ${["User-Agent: Test 1", ...lines].join("\n")}
    Content-Length: 0
  `;

const contact = (n: number, params = "") => `Contact: <sip:alice@192.0.2.${n}:5060>${params}`;

/** Contacts of a 200: URI and seconds ("" for a permanent one). */
const listed = (response: string | undefined) =>
  [...(response ?? "").matchAll(/^Contact: <([^>]+)>(?:;q=[\d.]+)?(?:;expires=(\d+))?\r$/gm)]
    .map(([, uri = "", seconds = ""]) => ({ uri, seconds }));
const uris = (response: string | undefined) => listed(response).map(({ uri }) => uri);
const uri = (n: number) => `sip:alice@192.0.2.${n}:5060`;

/** What is registered now, asked by a REGISTER without Contact. */
async function query(phone: Peer): Promise<string | undefined> {
  return await phone.ask(register([]));
}

const reasons = (patchbay: WireServer) => patchbay.told("contact.removed").map(({ uri, reason }) => [uri, reason]);

test("a contact is registered, listed with its time left, and refreshed (RFC 3261 §10.3)", async () => {
  const { patchbay, phone } = await registrar({});
  const response = await phone.ask(register([contact(9, ";q=0.5"), "Expires: 300"]), 50);
  expect(statusOf(response)).toBe(200);
  expect(response).toContain("Contact: <sip:alice@192.0.2.9:5060>;q=0.5;expires=300\r\n");
  expect(headerOf(response ?? "", "Expires")).toBe("300");
  expect(headerOf(response ?? "", "Date")).toBe("Sat, 31 Jan 2026 12:00:00 GMT");
  expect(headerOf(response ?? "", "To")).toContain(";tag=");
  await patchbay.advance(100_000);
  expect(Number(listed(await query(phone))[0]?.seconds)).toBeWithin(198, 201);
  await phone.ask(register([contact(9, ";expires=600")]));
  expect(patchbay.told("contact.added")).toHaveLength(1);
  expect(patchbay.told("contact.refreshed")).toMatchObject([{ aor: "alice", uri: uri(9), endpoint: "alice" }]);
  expect(patchbay.counter("registrar.contacts")).toBe(1);
});

test("over maxContacts a new contact is 403 and nothing changes; a refresh is 200", async () => {
  const { patchbay, phone } = await registrar({ maxContacts: 1 });
  await phone.ask(register([contact(9)]));
  expect(statusOf(await phone.ask(register([contact(10)])))).toBe(403);
  expect(uris(await query(phone))).toEqual([uri(9)]);
  expect(statusOf(await phone.ask(register([contact(9)])))).toBe(200);
  expect(patchbay.told("security").map(({ fields }) => fields.ACLName)).toEqual([
    "registrar_attempt_exceeds_maximum_configured_contacts",
  ]);
});

test("with removeExisting a new contact takes the place of the old one", async () => {
  const { patchbay, phone } = await registrar({ maxContacts: 1, removeExisting: true });
  await phone.ask(register([contact(9)]));
  expect(uris(await phone.ask(register([contact(10)])))).toEqual([uri(10)]);
  expect(reasons(patchbay)).toEqual([[uri(9), "remove existing"]]);
});

test("with removeUnavailable an unreachable contact makes room", async () => {
  const { patchbay, phone } = await registrar({ maxContacts: 2, removeUnavailable: true });
  await phone.ask(register([contact(9)]));
  await phone.ask(register([contact(10)]));
  expect(statusOf(await phone.ask(register([contact(11)])))).toBe(403);
  setStatus(patchbay, uri(9), "unreachable");
  expect(uris(await phone.ask(register([contact(11)])))).toEqual([uri(10), uri(11)]);
  expect(reasons(patchbay)).toEqual([[uri(9), "remove unavailable"]]);
});

test("intervals are clamped, or refused with 423 where the aor says so", async () => {
  const { phone } = await registrar({});
  expect(Number(listed(await phone.ask(register([contact(9), "Expires: 10"])))[0]?.seconds)).toBeWithin(58, 61);
  expect(Number(listed(await phone.ask(register([contact(9), "Expires: 99999"])))[0]?.seconds)).toBeWithin(7198, 7201);
  expect(Number(listed(await phone.ask(register([contact(9)])))[0]?.seconds)).toBeWithin(3598, 3601);
  const strict = await registrar({ expirationTooShort: "reject" });
  const brief = await strict.phone.ask(register([contact(9), "Expires: 10"]));
  expect(statusOf(brief)).toBe(423);
  expect(headerOf(brief ?? "", "Min-Expires")).toBe("60");
});

test("Contact: * with Expires: 0 empties the aor except for its permanent contacts; misused it is 400", async () => {
  const { patchbay, phone } = await registrar({ contact: "sip:desk.example.net" });
  await phone.ask(register([contact(9), contact(10)]));
  for (const misused of [["Contact: *"], ["Contact: *", contact(9), "Expires: 0"], ["Contact: *", "Expires: 60"]]) {
    expect(statusOf(await phone.ask(register(misused)))).toBe(400);
  }
  expect(uris(await query(phone)).toSorted()).toEqual([uri(10), uri(9), "sip:desk.example.net"].toSorted());
  const emptied = await phone.ask(register(["Contact: *", "Expires: 0"]));
  expect(listed(emptied)).toEqual([{ uri: "sip:desk.example.net", seconds: "" }]);
  expect(reasons(patchbay)).toEqual([[uri(9), "request"], [uri(10), "request"]]);
});

test("one REGISTER adds one contact and removes another", async () => {
  const { phone } = await registrar({});
  await phone.ask(register([contact(9)]));
  expect(uris(await phone.ask(register([contact(9, ";expires=0"), contact(10)])))).toEqual([uri(10)]);
  // Nothing to remove is no error.
  expect(statusOf(await phone.ask(register([contact(77, ";expires=0")])))).toBe(200);
});

test("contacts are compared as URIs, not as text (RFC 3261 §19.1.4)", async () => {
  const { phone } = await registrar({});
  await phone.ask(register(["Contact: <sip:alice@host.example.net;transport=udp>"]));
  const again = await phone.ask(register(["Contact: <sip:alice@HOST.example.net;Transport=UDP>"]));
  expect(listed(again)).toHaveLength(1);
});

test("an older CSeq of the same Call-ID is 500 and changes nothing; another Call-ID is another client", async () => {
  const { phone } = await registrar({});
  await phone.ask(register([contact(9), "Expires: 600"], { number: 50, callId: "order@a" }));
  const late = await phone.ask(register([contact(9), contact(10), "Expires: 0"], { number: 49, callId: "order@a" }));
  expect(statusOf(late)).toBe(500);
  expect(uris(await query(phone))).toEqual([uri(9)]);
  expect(statusOf(await phone.ask(register([contact(9)], { number: 1, callId: "another@a" })))).toBe(200);
});

test("an equal CSeq comes from clients that do not count: it is taken", async () => {
  const { phone } = await registrar({});
  await phone.ask(register([contact(9)], { number: 1, callId: "same@a" }));
  const away = register(["Contact: *", "Expires: 0"], { number: 1, callId: "same@a" });
  expect(statusOf(await phone.ask(away.replace("z9hG4bK", "z9hG4bKanother")))).toBe(200);
  expect(uris(await query(phone))).toEqual([]);
});

test("nobody registers where no contact is allowed, or for an aor of somebody else", async () => {
  const none = await registrar({ maxContacts: 0 });
  expect(statusOf(await none.phone.ask(register([contact(9)])))).toBe(403);
  const { patchbay, phone } = await registrar({});
  expect(statusOf(await phone.ask(register([contact(9)], { to: "bob" })))).toBe(404);
  expect(patchbay.told("security")[0]).toMatchObject({
    event: "RequestNotAllowed",
    fields: { AccountID: "alice", RemoteAddress: "IPV4/UDP/192.0.2.9/5060" },
  });
});

test("the aor is found by user@host, by a domain's alias, and without URI user options", async () => {
  const patchbay = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { alice: { aors: ["alice@example.org"] } },
      aors: { "alice@example.org": { maxContacts: 1 } },
      domainAliases: { "192.0.2.4": { domain: "example.org" } },
      global: { ignoreUriUserOptions: true },
    },
    endpoint_identifier_ip: { identifies: { alice: { endpoint: "alice", match: ["192.0.2.0/24"] } } },
    registrar: {},
  });
  const phone = await patchbay.peer();
  expect(statusOf(await phone.ask(register([contact(9)], { to: "alice" })))).toBe(200);
  expect(statusOf(await phone.ask(register([contact(9)], { to: "alice;phone-context=x" })))).toBe(200);
});

test("what cannot be read is 400: a Contact, a URI of 600 characters", async () => {
  const { phone } = await registrar({});
  expect(statusOf(await phone.ask(register(["Contact: <sip:alice@", contact(9)])))).toBe(400);
  expect(statusOf(
    await phone.ask(register([
      `Contact: <sip:${"a".repeat(250)}@${"b".repeat(60)}.${"c".repeat(60)}.` +
      `${"d".repeat(60)}.${"e".repeat(60)}.example.org;p=${"f".repeat(120)}>`,
    ])),
  )).toBe(400);
});

test("a contact that is not refreshed goes when its time is over", async () => {
  const { patchbay, phone } = await registrar({});
  await phone.ask(register([contact(9), "Expires: 60"]));
  await patchbay.advance(58_000);
  expect(reasons(patchbay)).toEqual([]);
  await patchbay.advance(3000);
  expect(reasons(patchbay)).toEqual([[uri(9), "expiration"]]);
  expect(patchbay.told("endpoint.status")).toEqual([
    { endpoint: "alice", online: true },
    { endpoint: "alice", online: false },
  ]);
  expect(await patchbay.store.list("contact")).toEqual({ kind: "found", value: [] });
});

test("a jump of the wall clock loses no binding", async () => {
  const { patchbay, phone } = await registrar({});
  await phone.ask(register([contact(9), "Expires: 600"]));
  patchbay.universe.epoch += 86_400_000;
  await patchbay.advance(60_000);
  expect(Number(listed(await query(phone))[0]?.seconds)).toBeWithin(538, 541);
});

test("Path is stored and echoed; without Supported: path it is 420 (RFC 3327)", async () => {
  const { phone } = await registrar({ supportPath: true });
  const path = ["Path: <sip:edge1.example.net;lr>", "Path: <sip:edge2.example.net;lr>"];
  const refused = await phone.ask(register([contact(9), ...path]));
  expect(statusOf(refused)).toBe(420);
  expect(headerOf(refused ?? "", "Unsupported")).toBe("path");
  expect(uris(await query(phone))).toEqual([]);
  const taken = await phone.ask(register([contact(9), ...path, "Supported: outbound, Path"]));
  expect(statusOf(taken)).toBe(200);
  expect(headerOf(taken ?? "", "Path")).toBe("<sip:edge1.example.net;lr>,<sip:edge2.example.net;lr>");
  expect(headerOf(taken ?? "", "Supported")).toContain("path");
  expect(statusOf(await phone.ask(register([contact(9), "Path: nonsense", "Supported: path"])))).toBe(400);
  const plain = await registrar({});
  const ignored = await plain.phone.ask(register([contact(9), ...path]));
  expect(statusOf(ignored)).toBe(200);
  expect(headerOf(ignored ?? "", "Path")).toBeUndefined();
});

test("while the store is away a REGISTER is 500 with Retry-After, the old contacts stay, and it heals by itself", async () => {
  const { patchbay, phone } = await registrar({ maxContacts: 1, removeExisting: true });
  await phone.ask(register([contact(9)]));
  patchbay.store.unavailable = "disk full";
  const refused = await phone.ask(register([contact(10)]));
  expect(statusOf(refused)).toBe(500);
  expect(headerOf(refused ?? "", "Retry-After")).toBe("5");
  expect(uris(await query(phone))).toEqual([uri(9)]);
  patchbay.store.unavailable = undefined;
  expect(uris(await phone.ask(register([contact(10)])))).toEqual([uri(10)]);
});

test("started while the store is away, it takes no registration before it knows what is registered", async () => {
  const { patchbay, phone } = await registrar({});
  await phone.ask(register([contact(9)]));
  patchbay.store.unavailable = "locked";
  const reloaded = patchbay.kernel.reloadModule("registrar");
  await patchbay.advance(100);
  await reloaded;
  expect(statusOf(await phone.ask(register([contact(10)])))).toBe(500);
  patchbay.store.unavailable = undefined;
  await patchbay.advance(1500);
  expect(uris(await phone.ask(register([contact(10)])))).toEqual([uri(9), uri(10)]);
});

test("a thousand REGISTERs at once never store more than maxContacts", async () => {
  const { patchbay } = await registrar({ maxContacts: 10 });
  patchbay.store.delayMs = 20;
  const phones = await Promise.all(Array.from({ length: 20 }, (_, i) => patchbay.peer(`192.0.2.${i + 100}`)));
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) => phones[i % 20]?.send(register([contact(i % 250)], { callId: `${i}@p` }), 0)),
  );
  let most = 0;
  for (let i = 0; i < 50; i++) {
    await patchbay.advance(100);
    const rows = await storedRows(patchbay);
    most = Math.max(most, rows.length, patchbay.counter("registrar.contacts"));
  }
  expect(most).toBe(10);
});

test("a contact behind a connection goes with it; one reached by UDP stays", async () => {
  const { patchbay, phone } = await registrar({}, { endpoints: { alice: { aors: ["alice"], rewriteContact: true } } }, {
    nat: {},
  });
  await phone.ask(register([contact(9)]));
  const host = patchbay.universe.host("192.0.2.50");
  const connection = await connected(
    patchbay,
    host.network.connectStream({ host: "192.0.2.4", port: 5060, timeoutMs: 1000 }),
  );
  const { port } = connection.local;
  connection.listen({ received() {}, drained() {}, closed() {} });
  connection.write(
    new TextEncoder().encode(
      register([`Contact: <sip:alice@192.0.2.50:${port};transport=tcp>`], { callId: "t@b" })
        .replace("SIP/2.0/UDP", "SIP/2.0/TCP"),
    ),
  );
  await patchbay.advance(100);
  expect(uris(await query(phone))).toHaveLength(2);
  connection.end();
  await patchbay.advance(1000);
  expect(uris(await query(phone))).toEqual([uri(9)]);
  expect(reasons(patchbay)).toEqual([[`sip:alice@192.0.2.50:${port};transport=tcp`, "shutdown"]]);
});

test("the contacts of a restarted server are those that can still be reached, with the right time left", async () => {
  const { patchbay, phone } = await registrar({});
  await phone.ask(register([contact(9), "Expires: 600"]));
  const rows = await storedRows(patchbay);
  const bound = {
    ...JSON.parse(rows[0]?.value ?? ""),
    uri: "sip:alice@192.0.2.50:4000;transport=tcp",
    pruneOnBoot: true,
  };
  await patchbay.store.write([
    { kind: "put", table: "contact", key: "alice;@bound", value: JSON.stringify(bound) },
    { kind: "put", table: "contact", key: "alice;@odd", value: "{}" },
  ]);
  await patchbay.advance(100_000);
  const write = patchbay.kernel.reloadModule("registrar");
  await patchbay.advance(100);
  await write;
  const [left, ...more] = listed(await query(phone));
  expect(left?.uri).toBe(uri(9));
  expect(Number(left?.seconds)).toBeWithin(497, 501);
  expect(more).toEqual([]);
  expect((await storedRows(patchbay)).map((row) => row.key)).toEqual([rows[0]?.key ?? "", "alice;@odd"].toSorted());
});

test("the API lists contacts and forgets one", async () => {
  const { patchbay, phone } = await registrar({ contact: ["sip:desk.example.net"] });
  await phone.ask(register([contact(9)]));
  const call = (method: string, path: string, params = {}, query = {}) =>
    patchbay.kernel.routes.find(({ route }) => route.method === method && route.path === path)?.route
      .run({ params, query, body: undefined });
  const all = await call("GET", "/contacts");
  expect(all?.body).toMatchObject([
    { aor: "alice", uri: "sip:desk.example.net", permanent: true },
    { aor: "alice", uri: uri(9), permanent: false, userAgent: "Test 1", endpoint: "alice", status: "nonQualified" },
  ]);
  expect((await call("GET", "/contacts", {}, { like: "desk" }))?.body).toHaveLength(1);
  const id = (await storedRows(patchbay))[0]?.key;
  expect(await call("DELETE", "/contacts/:id", { id })).toMatchObject({ status: 204 });
  expect(await call("DELETE", "/contacts/:id", { id })).toMatchObject({ status: 404 });
  expect(reasons(patchbay)).toEqual([[uri(9), "operator"]]);
  expect((await call("GET", "/registrations"))?.body).toMatchObject([{
    endpoint: "alice",
    aor: "alice",
    maxContacts: 10,
  }]);
});

async function storedRows(patchbay: WireServer) {
  const listing = patchbay.store.list("contact");
  await patchbay.advance(patchbay.store.delayMs);
  const rows = await listing;
  return rows.kind === "found" ? rows.value : [];
}

async function connected<T>(patchbay: WireServer, connecting: Promise<T>): Promise<T> {
  await patchbay.advance(50);
  return await connecting;
}

function setStatus(patchbay: WireServer, uri: string, status: "reachable" | "unreachable"): void {
  const where = patchbay.kernel.find(locations);
  const found = where?.all.find((c) => c.uri === uri);
  if (found) where?.setStatus(found.id, status, undefined);
}
