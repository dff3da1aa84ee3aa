import { expect, test } from "bun:test";
import type { ApiReply } from "../../src/kernel/http.ts";
import { FilterError, readFilter } from "../../src/modules/history/filter.ts";
import { Entry, Ring } from "../../src/modules/history/entry.ts";
import type { Observation } from "../../src/kernel/stages.ts";
import { server, wire, type WireServer } from "../wire.ts";

let serial = 0;
const request = (method: string) =>
  wire`
    ${method} sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial}
    From: <sip:bob@example.org>;tag=b
    To: <sip:alice@example.org>
    Call-ID: abc${serial}
    CSeq: 7 ${method}
  `;

async function recorder(options: Readonly<Record<string, unknown>> = {}) {
  const running: WireServer = await server({ history: options });
  const api = async (
    method: string,
    path: string,
    more: Partial<Record<"query" | "params" | "body", unknown>> = {},
  ) => {
    const found = running.kernel.routes.find(({ route }) => route.method === method && route.path === path);
    if (!found) throw new Error("no route");
    const reply = found.route.run(
      { params: {}, query: {}, body: undefined, ...more } as Parameters<typeof found.route.run>[0],
    );
    await running.advance(10);
    return await reply as ApiReply & {
      body: { entries: { number: number; summary: string }[] } & Record<string, unknown>;
    };
  };
  const numbers = async (where?: string) =>
    (await api("GET", "/history", { query: where === undefined ? {} : { where } })).body.entries.map(({ number }) =>
      number
    );
  return { running, api, numbers };
}

test("recording starts and stops when told, keeps what it has, and begins anew when cleared", async () => {
  const { running, api, numbers } = await recorder();
  const peer = await running.peer();
  await peer.ask(request("OPTIONS"));
  expect(await numbers()).toEqual([]);
  await api("PUT", "/history", { body: { on: true } });
  await peer.ask(request("OPTIONS"));
  expect(await numbers()).toEqual([0, 1]);
  const { body } = await api("GET", "/history");
  expect(body.entries[0]).toMatchObject({ direction: "in", source: "192.0.2.9:5060", destination: "192.0.2.4:5060" });
  expect(body.entries.map(({ summary }) => summary)).toEqual([
    "OPTIONS sip:192.0.2.4 SIP/2.0",
    "SIP/2.0 200 OK (OPTIONS)",
  ]);
  await api("PUT", "/history", { body: { on: false } });
  await peer.ask(request("OPTIONS"));
  expect(await numbers()).toEqual([0, 1]);
  await api("PUT", "/history", { body: { on: true } });
  await peer.ask(request("OPTIONS"));
  expect(await numbers()).toEqual([0, 1, 2, 3]);
  await api("DELETE", "/history");
  await peer.ask(request("OPTIONS"));
  expect(await numbers()).toEqual([0, 1]);
});

test("one entry in full; a number out of range is none", async () => {
  const { running, api } = await recorder({ onStart: true });
  const sent = request("OPTIONS");
  await (await running.peer()).ask(sent);
  expect((await api("GET", "/history/:number", { params: { number: "0" } })).body).toMatchObject({ message: sent });
  for (const number of ["2", "-1", "x", "99999999999999999999"]) {
    expect((await api("GET", "/history/:number", { params: { number } })).status).toBe(404);
  }
});

test("filters choose by number, method, address and Call-ID, in both directions", async () => {
  const { running, numbers } = await recorder({ onStart: true });
  const [one, other] = [await running.peer("192.0.2.9", 5060), await running.peer("192.0.2.9", 5070)];
  await one.ask(request("OPTIONS")); // 0 1
  await other.ask(request("MESSAGE").replace("192.0.2.9;branch", "192.0.2.9:5070;branch")); // 2 3
  await one.ask(request("BYE")); // 4 5
  expect(await numbers("number >= 2 and number < 4")).toEqual([2, 3]);
  expect(await numbers("sip.msg.request.method = BYE")).toEqual([4]);
  expect(await numbers("not sip.msg.request.method = BYE")).toEqual([0, 1, 2, 3, 5]);
  expect(await numbers("sip.msg.request.method != BYE")).toEqual([0, 2]);
  expect(await numbers('sip.msg.call-id like "^abc"')).toHaveLength(6);
  expect(await numbers(`SIP.MSG.CALL-ID like "${serial}$"`)).toEqual([4, 5]);
  expect(await numbers("addr = 192.0.2.9:5070")).toEqual([2, 3]);
  expect(await numbers("addr=192.0.2.9")).toHaveLength(6);
  expect(await numbers("addr != 192.0.2.9:5070")).toEqual([0, 1, 4, 5]);
  expect(await numbers("timestamp > 1")).toHaveLength(6);
});

test("or binds weaker than and, in words and in signs; parentheses change it", async () => {
  const { running, numbers } = await recorder({ onStart: true });
  const peer = await running.peer();
  for (const method of ["OPTIONS", "MESSAGE", "BYE"]) await peer.ask(request(method));
  expect(await numbers("number = 0 or number = 2 and number = 4")).toEqual([0]);
  expect(await numbers("number = 0 || number = 2 && number = 4")).toEqual([0]);
  expect(await numbers("(number=0||number=2)&&number<2")).toEqual([0]);
  expect(await numbers("!(number<4) or not not number=1")).toEqual([1, 4, 5]);
});

test("every kind of fault is named, and nothing is shown", async () => {
  const { api } = await recorder({ onStart: true });
  for (
    const [where, fault] of [
      ["", "empty"],
      ["size = 3", 'unknown field "size" at 1'],
      ["number = many", '"many" at 10 is no number'],
      ["timestamp < now", "is no number"],
      ["addr = example.org", "is no address"],
      ["addr < 192.0.2.1", "does not go with this field"],
      ["number like 3", "does not go with this field"],
      ["sip.msg.call-id > a", "does not go with this field"],
      ["sip.msg.call-id like (", "expected a value"],
      ['sip.msg.call-id like "("', "is not valid"],
      ["(number = 1", "parenthesis at 1 does not close"],
      ["number = 1)", 'unexpected ")"'],
      ["number = 1 2", 'unexpected "2"'],
      ["number =", "something is missing"],
      ["and number = 1", "unknown field"],
      ["1 = number", 'unknown field "1"'],
      ["number", "something is missing"],
      ['sip.msg.call-id = "a', "does not close"],
      ["not", "something is missing"],
      ["number = 1 ".repeat(200), "longer than 1024"],
    ] as const
  ) {
    const reply = await api("GET", "/history", { query: { where } });
    expect([where, reply.status]).toEqual([where, 400]);
    expect(String(reply.body.error)).toContain(fault);
  }
  expect((await api("GET", "/history", { query: { limit: "x" } })).status).toBe(400);
  expect(() => readFilter("number ~ 1")).toThrow(FilterError);
});

const flow = { protocol: "udp", remote: { host: "192.0.2.1", port: 5060 }, local: { host: "192.0.2.4", port: 5060 } };
const observed = (octets: number) =>
  ({ direction: "in", bytes: new Uint8Array(octets), flow }) as unknown as Observation;

test("the ring keeps the newest, numbers go on, and says how many are gone", () => {
  const ring = new Ring(100, 0);
  for (let i = 0; i < 150; i++) ring.add(observed(10), i);
  expect([ring.size, ring.dropped, ...ring.span]).toEqual([100, 50, 50, 150]);
  expect(ring.get(49)).toBeUndefined();
  expect(ring.get(50)?.number).toBe(50);
  expect(ring.get(149)?.number).toBe(149);
  const small = new Ring(0, 1000);
  for (let i = 0; i < 5000; i++) small.add(observed(100), i);
  expect([small.size, small.octets]).toEqual([10, 1000]);
  expect(small.get(4999)).toBeInstanceOf(Entry);
});
