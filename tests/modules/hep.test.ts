import { expect, test } from "bun:test";
import { readCollector } from "../../src/modules/hep/collector.ts";
import { hepPacket } from "../../src/modules/hep/packet.ts";
import type { DatagramSocket } from "../../src/world/world.ts";
import { headerOf, server, wire, type WireServer } from "../wire.ts";

interface Decoded {
  readonly types: readonly number[];
  readonly length: number;
  number(type: number): number;
  text(type: number): string;
  hex(type: number): string;
}

/** A decoder of its own: knows nothing of the encoder. */
function decode(packet: Uint8Array): Decoded {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  expect(Buffer.from(packet.subarray(0, 4)).toString()).toBe("HEP3");
  const chunks = new Map<number, Buffer>();
  for (let at = 6; at < packet.length;) {
    const length = view.getUint16(at + 4);
    expect(view.getUint16(at)).toBe(0);
    chunks.set(view.getUint16(at + 2), Buffer.from(packet.subarray(at + 6, at + length)));
    at += length;
  }
  const chunk = (type: number) => chunks.get(type) ?? Buffer.alloc(0);
  return {
    types: [...chunks.keys()],
    length: view.getUint16(4),
    number: (type) => chunk(type).readUIntBE(0, chunk(type).length),
    text: (type) => chunk(type).toString(),
    hex: (type) => chunk(type).toString("hex"),
  };
}

const options = (n: number, more = "") =>
  wire`
    OPTIONS sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKh${n}
    From: <sip:bob@example.org>;tag=b
    To: <sip:192.0.2.4>
    Call-ID: call${n}@192.0.2.9
    CSeq: 7 OPTIONS
    Subject: ${more || "none"}
  `;

async function mirrored(hep: Readonly<Record<string, unknown>> = {}) {
  const running: WireServer = await server({
    core: {
      transports: {
        udp: { bind: "udp:0.0.0.0:5060" },
        tcp: { bind: "tcp:0.0.0.0:5060" },
        six: { bind: "udp:[::]:5060" },
      },
      endpoints: { peer: {} },
    },
    by_address: { addresses: { "192.0.2.9": "peer", "2001:db8::9": "peer" } },
    hep: { captureAddress: "192.0.2.50:9060", captureId: 2001, ...hep },
  });
  const packets: Uint8Array[] = [];
  const collector = running.universe.host("192.0.2.50");
  const socket: DatagramSocket = await collector.network.bindDatagram({ host: "192.0.2.50", port: 9060 }, {
    received: (bytes) => void packets.push(bytes.slice()),
    unreachable: () => {},
  });
  return { running, packets, socket };
}

test("a message and its answer arrive with their addresses, ports, time and octets", async () => {
  const { running, packets } = await mirrored();
  const peer = await running.peer();
  const asked = options(1);
  const answer = await peer.ask(asked);
  await running.advance(10);
  const [received, sent] = packets.map(decode);
  expect(received!.types).toEqual([1, 2, 7, 8, 9, 10, 11, 12, 3, 4, 0x11, 0x0f]);
  expect(received!.length).toBe(packets[0]!.length);
  expect([1, 2, 7, 8, 11, 12].map((type) => received!.number(type))).toEqual([2, 17, 5060, 5060, 1, 2001]);
  expect([received!.hex(3), received!.hex(4)]).toEqual(["c0000209", "c0000204"]);
  expect(received!.number(9)).toBe(Math.floor(running.host.wallClock() / 1000));
  expect(received!.text(0x11)).toBe("call1@192.0.2.9");
  expect(received!.text(0x0f)).toBe(asked);
  expect([sent!.hex(3), sent!.hex(4)]).toEqual(["c0000204", "c0000209"]);
  expect(sent!.text(0x0f)).toBe(answer!);
  expect(running.counter("hep.sent")).toBe(2);
});

test("the length of the page's example", () => {
  const packet = hepPacket({
    from: { host: "192.0.2.1", port: 5060 },
    to: { host: "192.0.2.2", port: 5060 },
    reliable: false,
    wallMs: 1_700_000_000_123,
    captureId: 7,
    correlation: "12345678901234567890",
    payload: new Uint8Array(200),
  }, { password: "", name: "" });
  expect(packet?.bytes.length).toBe(325);
  expect([packet?.bytes[4], packet?.bytes[5]]).toEqual([0x01, 0x45]);
  expect(decode(packet!.bytes).number(0x0a)).toBe(123_000);
});

test("IPv6 has its own chunks; password and name are there when they are configured", async () => {
  const { running, packets } = await mirrored({ capturePassword: "pw", captureName: "edge" });
  const peer = await running.peer("2001:db8::9");
  await peer.send(options(2).replaceAll("192.0.2.9:5060", "[2001:db8::9]:5060"), 20, {
    host: "2001:db8::4",
    port: 5060,
  });
  const [received] = packets.map(decode);
  expect(received!.types).toEqual([1, 2, 7, 8, 9, 10, 11, 12, 5, 6, 0x0e, 0x11, 0x13, 0x0f]);
  expect(received!.number(1)).toBe(10);
  expect(received!.hex(5)).toBe("20010db8000000000000000000000009");
  expect([received!.text(0x0e), received!.text(0x13)]).toEqual(["pw", "edge"]);
});

test("addresses of two families are not sent, and what is too long is cut", () => {
  const captured = {
    from: { host: "192.0.2.1", port: 1 },
    to: { host: "2001:db8::1", port: 2 },
    reliable: true,
    wallMs: 0,
    captureId: 0,
    correlation: "x",
    payload: new Uint8Array(70_000),
  };
  expect(hepPacket(captured, { password: "", name: "" })).toBeUndefined();
  const cut = hepPacket({ ...captured, to: { host: "::ffff:192.0.2.2", port: 2 } }, { password: "", name: "" });
  expect(cut?.cut).toBe(true);
  expect(cut?.bytes.length).toBe(65_507);
  expect(decode(cut!.bytes).number(2)).toBe(6);
});

test("two messages of one TCP segment are two packets; keep-alives and junk are none", async () => {
  const { running, packets } = await mirrored();
  const phone = running.universe.host("192.0.2.9");
  const opening = phone.network.connectStream({ host: "192.0.2.4", port: 5060, timeoutMs: 1000 });
  await running.advance(10);
  const connection = await opening;
  connection.listen({ received: () => {}, drained: () => {}, closed: () => {} });
  const [one, two] = [options(3, "a"), options(4, "b")].map((text) =>
    text.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")
  );
  connection.write(new TextEncoder().encode(`\r\n\r\n${one}${two}`));
  await running.advance(50);
  const texts = packets.map((packet) => decode(packet)).filter((packet) => packet.text(0x0f).startsWith("OPTIONS"));
  expect(texts.map((packet) => packet.text(0x0f))).toEqual([one!, two!]);
  expect(texts[0]!.number(2)).toBe(6);
  const before = packets.length;
  const stranger = await running.peer("192.0.2.77");
  await stranger.send("hello, world");
  expect(packets).toHaveLength(before);
});

test("a collector that is away costs a counter and one line in ten seconds", async () => {
  const { running, socket } = await mirrored();
  socket.close();
  const peer = await running.peer();
  for (let i = 0; i < 50; i++) await peer.ask(options(100 + i));
  expect(running.counter("hep.errors")).toBeGreaterThan(50);
  expect(running.log.filter(({ module }) => module === "hep")).toHaveLength(1);
});

test("a name that nobody knows yet does not hold the start up, and is looked up again each minute", async () => {
  const { running, packets } = await mirrored({ captureAddress: "homer.example.org:9060" });
  const peer = await running.peer();
  await peer.ask(options(7));
  expect([packets.length, running.counter("hep.dropped")]).toEqual([0, 2]);
  running.universe.names.address("homer.example.org", "192.0.2.50");
  await running.advance(60_000);
  await peer.ask(options(8));
  await running.advance(10);
  expect(packets.length).toBe(2);
});

test("switched off nothing is sent", async () => {
  const off = await mirrored({ enabled: false });
  await (await off.running.peer()).ask(options(5));
  expect(off.packets).toHaveLength(0);

  const { running, packets } = await mirrored();
  const route = running.kernel.routes.find(({ route }) => route.method === "PUT" && route.path === "/hep")!.route;
  await route.run({ params: {}, query: {}, body: { on: false } });
  const answer = await (await running.peer()).ask(options(6));
  expect(headerOf(answer ?? "", "CSeq")).toBe("7 OPTIONS");
  expect(packets).toHaveLength(0);
});

test("addresses of a capture server, and what is none", () => {
  for (
    const [text, host, port] of [
      ["192.0.2.5", "192.0.2.5", 9060],
      ["192.0.2.5:1", "192.0.2.5", 1],
      ["2001:db8::5", "2001:db8::5", 9060],
      ["[2001:db8::5]:9061", "2001:db8::5", 9061],
      ["Homer.example.org:9062", "homer.example.org", 9062],
    ] as const
  ) {
    expect(readCollector(text)).toEqual({ host, port });
  }
  for (const text of ["", ":9060", "a:0", "a:65536", "a b", "[::1", "http://a"]) {
    expect([text, readCollector(text)]).toEqual([text, undefined]);
  }
});
