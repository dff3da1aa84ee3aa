import { expect, test } from "bun:test";
import { AccessList, parseRule } from "../../src/modules/acl/rules.ts";
import { server, statusOf, wire, type WireServer } from "../wire.ts";

let serial = 0;
const options = (more = "Subject: x", method = "OPTIONS") =>
  wire`
    ${method} sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <sip:alice@a.example>;tag=b
    To: <sip:192.0.2.4>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 ${method}
    ${more}
  `;

const start = (acl: Readonly<Record<string, unknown>>, endpoint: Readonly<Record<string, unknown>> = {}) =>
  server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" }, six: { bind: "udp:[::]:5060" } },
      endpoints: { alice: endpoint },
    },
    endpoint_identifier_user: {},
    authenticator_digest: {},
    acl,
  });

async function statusFrom(running: WireServer, address: string, message = options()): Promise<number> {
  const peer = await running.peer(address, 5000 + ++serial);
  return statusOf(await peer.ask(message));
}

const DENY_ALL = { deny: ["0.0.0.0/0", "::/0"] };

test("deny all and permit some: others get 403 and nothing of them is kept", async () => {
  const running = await start({ acls: { office: { ...DENY_ALL, permit: "192.0.2.0/24" } } });
  expect(await statusFrom(running, "192.0.2.9")).toBe(200);
  expect(await statusFrom(running, "203.0.113.1")).toBe(403);
  expect(running.told("security").map(({ event }) => event)).toEqual(["FailedACL"]);
  const peer = await running.peer("203.0.113.2");
  expect(await peer.ask(options("Subject: x", "ACK"))).toBeUndefined();
});

test("rules keep their own order, and the last that matches decides", async () => {
  const rules = ["permit 192.0.2.0/24", "deny 0.0.0.0/0"];
  expect(await statusFrom(await start({ acls: { a: { rules } } }), "192.0.2.9")).toBe(403);
  const turned = await start({ acls: { a: { ...DENY_ALL, permit: ["192.0.2.0/24", "!192.0.2.2/32"] } } });
  expect(await statusFrom(turned, "192.0.2.9")).toBe(200);
  expect(await statusFrom(turned, "192.0.2.2")).toBe(403);
});

test("every acl object must allow; named lists are shared; a list that does not exist is a fault", async () => {
  const lists = { office: { rules: ["deny 0.0.0.0/0", "permit 192.0.2.0/24"] } };
  const running = await start({ lists, acls: { a: { acl: "office" }, b: { deny: "192.0.2.9" } } });
  expect(await statusFrom(running, "192.0.2.9")).toBe(403);
  expect(await statusFrom(running, "192.0.2.10")).toBe(200);
  await expect(start({ acls: { a: { acl: "offise" } }, lists })).rejects.toThrow("office");
  await expect(start({ acls: { a: { deny: "300.1.1.1" } } })).rejects.toThrow("expected an address");
  await expect(start({ lists: { a: { rules: ["allow all"] } } })).rejects.toThrow("permit");
});

test("rules for IPv4 say nothing of IPv6", async () => {
  const four = await start({ acls: { a: { deny: "0.0.0.0/0" } } });
  const six = await start({ acls: { a: { deny: "::/0" } } });
  for (const [running, status] of [[four, 200], [six, 403]] as const) {
    const peer = await running.peer("2001:db8::9");
    await peer.send(options(), 10, { host: "2001:db8::4", port: 5060 });
    expect(statusOf(peer.heard.at(-1))).toBe(status);
  }
});

test("a Contact at a denied address is refused, by name too; * and unknown names pass", async () => {
  const running = await start({ acls: { a: { contactDeny: "203.0.113.0/24" } } });
  const { names } = running.universe;
  names.address("good.example", "192.0.2.9");
  names.address("bad.example", "192.0.2.9", "203.0.113.9");
  const ask = (contact: string) => statusFrom(running, "192.0.2.9", options(`Contact: ${contact}`));
  expect(await ask("<sip:a@192.0.2.9>, <sip:a@203.0.113.9>")).toBe(403);
  expect(await ask("<sip:a@bad.example>")).toBe(403);
  expect(await ask("<sip:a@good.example>")).toBe(200);
  expect(await ask("<sip:a@nowhere.example>")).toBe(200);
  expect(await ask("*")).toBe(200);
  const many = Array.from({ length: 5 }, (_, at) => `<sip:a@h${at}.example>`).join(", ");
  expect(await ask(many)).toBe(403);
});

test("an endpoint that speaks from where it may not is nobody: 401, and the refusal says why", async () => {
  const running = await start({}, { ...DENY_ALL, permit: "192.0.2.9" });
  expect(await statusFrom(running, "192.0.2.9")).toBe(200);
  expect(await statusFrom(running, "192.0.2.10")).toBe(401);
  expect(running.told("request.refused").at(-1)?.tried).toContainEqual({
    identifier: "acl",
    looked: "192.0.2.10",
    result: "alice: deny 0.0.0.0/0",
  });
  expect(running.told("security").map(({ event, fields }) => [event, fields["AccountID"]])).toContainEqual([
    "FailedACL",
    "alice",
  ]);
});

test("a source that goes on is told once in ten seconds", async () => {
  const running = await start({ acls: { a: DENY_ALL } });
  const peer = await running.peer();
  for (let round = 0; round < 20; round++) await peer.ask(options());
  const lines = () => running.log.filter(({ module, level }) => module === "acl" && level === "warning");
  expect(lines().length).toBe(1);
  await running.advance(10_000);
  await peer.ask(options());
  expect(lines().map(({ fields }) => fields["silent"])).toEqual(["0", "19"]);
});

test("a list of 20,000 rules answers in less than 50 µs", () => {
  const rules = Array.from(
    { length: 20_000 },
    (_, at) => parseRule(`deny 10.${at >> 8}.${at & 255}.0/${20 + at % 12}`),
  );
  const list = new AccessList("long", rules.filter((rule) => rule !== undefined));
  const tries = [1, 2, 3].map(() => {
    const begin = performance.now();
    for (let round = 0; round < 2000; round++) list.denies(`10.${round & 63}.7.9`);
    return (performance.now() - begin) / 2000;
  });
  expect(Math.min(...tries)).toBeLessThan(0.05); // ms
});
