import { expect, test } from "bun:test";
import { NetworkTable, parseNetwork } from "../../src/kernel/network.ts";
import { server, statusOf, wire, type WireServer } from "../wire.ts";

let serial = 0;
const publish = (more = "Subject: x", uri = "sip:192.0.2.4") =>
  wire`
    PUBLISH ${uri} SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <sip:someone@a.example>;tag=b
    To: <sip:192.0.2.4>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 PUBLISH
    ${more}
  `;

const start = (identifies: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}) =>
  server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { one: { identifyBy: ["username"] }, two: {} },
    },
    endpoint_identifier_ip: { identifies, ...more },
    authenticator_digest: {},
  });

/** Which endpoint a request from there is taken for. */
async function takenFor(
  running: WireServer,
  address: string,
  port = 5060,
  message = publish(),
): Promise<string | undefined> {
  const peer = await running.peer(address, port);
  await peer.ask(message);
  return running.told("request.refused").at(-1)?.endpoint;
}

test("an address, a network with a port, and the longest prefix decide; identifyBy is not asked", async () => {
  const running = await start({
    wide: { endpoint: "one", match: "192.0.2.0/24" },
    narrow: { endpoint: "two", match: ["192.0.2.16/28", "198.51.100.0:5070/24"] },
  });
  expect(await takenFor(running, "192.0.2.9")).toBe("one");
  expect(await takenFor(running, "192.0.2.20")).toBe("two");
  expect(await takenFor(running, "198.51.100.7", 5070)).toBe("two");
  expect(await takenFor(running, "198.51.100.7", 5071)).toBeUndefined();
  expect(running.told("request.refused").at(-1)?.tried).toContainEqual({
    identifier: "ip",
    looked: "198.51.100.7:5071",
    result: "no identify matches",
  });
  expect(await takenFor(running, "203.0.113.1")).toBeUndefined();
});

test("a peer known by its address needs no credentials when its endpoint has none", async () => {
  const running = await start({ one: { endpoint: "one", match: "192.0.2.9" } });
  const peer = await running.peer();
  expect(statusOf(await peer.ask(publish().replaceAll("PUBLISH", "OPTIONS")))).toBe(200);
});

test("a header matches by any of its lines, literally or by pattern", async () => {
  const running = await start({
    blue: { endpoint: "one", matchHeader: "X-Trunk: blue" },
    pattern: { endpoint: "two", matchHeader: "X-Line: /^[[:digit:]]+$/" },
    empty: { endpoint: "two", matchHeader: "X-Empty: //" },
  });
  const where = "203.0.113.1";
  expect(await takenFor(running, where, 5060, publish("X-Trunk: red\nX-Trunk: blue"))).toBe("one");
  expect(await takenFor(running, where, 5061, publish("X-Trunk: Blue"))).toBeUndefined();
  expect(await takenFor(running, where, 5062, publish("X-Line: 123"))).toBe("two");
  expect(await takenFor(running, where, 5063, publish("X-Line: 12a"))).toBeUndefined();
  expect(await takenFor(running, where, 5064, publish("X-Empty:"))).toBe("two");
  expect(await takenFor(running, where, 5065, publish("X-Empty: x"))).toBeUndefined();
});

test("the Request-URI matches as a whole or by pattern; requireMatch wants the address too", async () => {
  const running = await start({
    whole: { endpoint: "one", matchRequestUri: "sip:a@192.0.2.4;transport=udp" },
    pattern: { endpoint: "two", matchRequestUri: "/sip:\\+1[0-9]{10}@/", match: "192.0.2.9", requireMatch: true },
  });
  expect(await takenFor(running, "203.0.113.1", 5060, publish(undefined, "sip:a@192.0.2.4;transport=udp"))).toBe("one");
  expect(await takenFor(running, "203.0.113.1", 5061, publish(undefined, "sip:a@192.0.2.4"))).toBeUndefined();
  expect(await takenFor(running, "203.0.113.1", 5062, publish(undefined, "sip:+12015550123@192.0.2.4")))
    .toBeUndefined();
  expect(await takenFor(running, "192.0.2.9", 5060, publish(undefined, "sip:+12015550123@192.0.2.4"))).toBe("two");
});

test("host names are looked up by SRV, then A and AAAA; with a port without SRV; again after the interval", async () => {
  const running = await start({
    srv: { endpoint: "one", match: "trunk.example" },
    plain: { endpoint: "two", match: "proxy.example:5060" },
  }, { resolveInterval: "1m" });
  const dns = running.universe.names;
  expect(await takenFor(running, "192.0.2.30")).toBeUndefined();
  dns.service("_sip._udp.trunk.example", { priority: 1, weight: 1, port: 5070, target: "a.trunk.example" });
  dns.service("_sip._tcp.trunk.example", { priority: 1, weight: 1, port: 5070, target: "b.trunk.example" });
  dns.address("a.trunk.example", "192.0.2.30");
  dns.address("b.trunk.example", "192.0.2.31", "2001:db8::31");
  dns.address("proxy.example", "192.0.2.40");
  await running.advance(61_000);
  expect(await takenFor(running, "192.0.2.30", 5062)).toBe("one");
  expect(await takenFor(running, "192.0.2.31")).toBe("one");
  expect(await takenFor(running, "192.0.2.40")).toBe("two");
  expect(await takenFor(running, "192.0.2.40", 5061)).toBeUndefined();
  expect(dns.asked.some((question) => question.startsWith("SRV") && question.includes("proxy.example"))).toBe(false);
  dns.down = true;
  await running.advance(61_000);
  expect(await takenFor(running, "192.0.2.30", 5063)).toBe("one"); // what was known stays
});

test("objects that match nothing, and entries and patterns that are none, stop the start with all faults", async () => {
  await expect(start({ none: { endpoint: "one" } })).rejects.toThrow('identify "none": matches nothing');
  for (const match of ["192.0.2.0/33", "300.1.1.1", "192.0.2.1:0", "192.0.2.0/255.0.255.0", "!192.0.2.1", "a b"]) {
    await expect(start({ bad: { endpoint: "one", match: [match] } })).rejects.toThrow("expected an address");
  }
  await expect(start({ bad: { endpoint: "one", matchHeader: "X: /(/" } })).rejects.toThrow("pattern is not valid");
  await expect(start({ bad: { endpoint: "one", matchHeader: "no colon" } })).rejects.toThrow("Name: value");
  await expect(start({ bad: { endpoint: "three", match: "192.0.2.1" } })).rejects.toThrow("three");
});

test("10,000 networks cost a look-up less than 50 µs", () => {
  const table = new NetworkTable<number>();
  for (let at = 0; at < 10_000; at++) {
    const network = parseNetwork(`10.${at >> 8}.${at & 255}.0/${24 + at % 9}`);
    if (network) table.add(network, at);
  }
  const tries = [1, 2, 3].map(() => {
    const begin = performance.now();
    for (let round = 0; round < 2000; round++) {
      for (const _ of table.holding(`10.${round & 31}.${round & 255}.9`)) break;
    }
    return (performance.now() - begin) / 2000;
  });
  expect(Math.min(...tries)).toBeLessThan(0.05); // ms
});

test("networks hold what they should", () => {
  const table = new NetworkTable<string>();
  for (const text of ["0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.0/255.255.255.0", "::ffff:198.51.100.1"]) {
    const network = parseNetwork(text);
    if (network) table.add(network, text);
  }
  const holding = (address: string) => [...table.holding(address)].flat();
  expect(holding("192.0.2.77")).toEqual(["192.0.2.0/255.255.255.0", "0.0.0.0/0"]);
  expect(holding("::ffff:192.0.2.77")).toEqual(["192.0.2.0/255.255.255.0", "0.0.0.0/0"]);
  expect(holding("198.51.100.1")).toEqual(["::ffff:198.51.100.1", "0.0.0.0/0"]);
  expect(holding("2001:db8:1::5")).toEqual(["2001:db8::/32", "::/0"]);
  expect(holding("not an address")).toEqual([]);
});
