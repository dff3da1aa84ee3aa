import { expect, test } from "bun:test";
import { OTHER, PCMA, PCMU, readRtp, rig, rtp } from "./rig.ts";

const speech = Uint8Array.from({ length: 160 }, (_, i) => i + 1);

test("a relayed packet keeps its payload and takes the listener's SSRC, sequence and time line (RFC 3550 §5.1)", async () => {
  const core = await rig();
  const [a, b] = [core.open({ port: 4000 }), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  const heard = [0, 1, 2].map((i) => {
    core.advance(20);
    return core.datagram(a, rtp({ sequence: 65534 + i, timestamp: 2 ** 32 - 160 + 160 * i, payload: speech }));
  }).flat();
  const packets = heard.map(({ bytes }) => readRtp(bytes));
  expect(heard.map(({ slot, port }) => [slot, port])).toEqual([[b, 5000], [b, 5000], [b, 5000]]);
  expect(packets.map(({ marker }) => marker)).toEqual([true, false, false]);
  for (const [i, packet] of packets.entries()) {
    expect([...packet.payload]).toEqual([...speech]);
    expect(packet.ssrc).toBe(packets[0]!.ssrc);
    expect(packet.ssrc).not.toBe(0xfeed);
    expect(packet.sequence).toBe((packets[0]!.sequence + i) & 0xffff);
    expect(packet.timestamp).toBe((packets[0]!.timestamp + 160 * i) >>> 0);
  }
});

test("CSRCs, an extension and padding do not reach the listener", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  const plain = rtp({ sequence: 1, timestamp: 0, payload: speech });
  const full = Buffer.concat([
    plain.subarray(0, 12),
    Buffer.alloc(8, 7), // two CSRCs
    Buffer.from([0xbe, 0xde, 0, 1, 9, 9, 9, 9]),
    plain.subarray(12),
    Buffer.from([0, 0, 3]),
  ]);
  full[0] = 0x80 | 0x20 | 0x10 | 2;
  const [heard] = core.datagram(a, full);
  expect(heard!.bytes[0]).toBe(0x80);
  expect([...readRtp(heard!.bytes).payload]).toEqual([...speech]);
});

test("between the two laws each octet is translated and back again by the same table", async () => {
  const core = await rig();
  const a = core.open({ codec: PCMU });
  const b = core.open({ codec: PCMA, port: 5000 });
  const c = core.open({ codec: PCMA, port: 6000 });
  const d = core.open({ codec: PCMU, port: 7000 });
  core.core.bridgeConnect(a, b);
  core.core.bridgeConnect(c, d);
  const [toAlaw] = core.datagram(a, rtp({ sequence: 1, timestamp: 0, payload: new Uint8Array(160).fill(0xff) }));
  expect(readRtp(toAlaw!.bytes)).toMatchObject({ payloadType: 8 });
  expect(readRtp(toAlaw!.bytes).payload.every((octet) => octet === 0xd5)).toBe(true);
  const alaw = new Uint8Array(160).fill(0xd5);
  const [toUlaw] = core.datagram(c, rtp({ payloadType: 8, sequence: 1, timestamp: 0, payload: alaw }), 6000);
  expect(readRtp(toUlaw!.bytes)).toMatchObject({ payloadType: 0 });
});

test("an unknown codec is relayed untouched when both have it, under the listener's number", async () => {
  const core = await rig();
  const a = core.open({ codec: OTHER });
  const b = core.open({ codec: { ...OTHER, payloadType: 111 }, port: 5000 });
  core.core.bridgeConnect(a, b);
  const [heard] = core.datagram(a, rtp({ payloadType: 97, sequence: 1, timestamp: 0, payload: speech }));
  expect(readRtp(heard!.bytes).payloadType).toBe(111);
  expect([...readRtp(heard!.bytes).payload]).toEqual([...speech]);
});

test("loss and order are passed on as they came; duplicates are not", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  const order = [10, 11, 13, 12, 12, 16, 13];
  const heard = order.flatMap((sequence) => core.datagram(a, rtp({ sequence, timestamp: 160 * sequence })));
  const first = readRtp(heard[0]!.bytes).sequence;
  expect(heard.map(({ bytes }) => (readRtp(bytes).sequence - first + 10) & 0xffff)).toEqual([10, 11, 13, 12, 16]);
  expect(core.stat(a, 8)).toBe(2);
  expect(core.stat(a, 6)).toBe(2); // 14 and 15
});

test("another speaker goes on with the listener's numbers: no gap in sequence, time as it passed", async () => {
  const core = await rig();
  const [a, b, c] = [core.open(), core.open({ port: 5000 }), core.open({ port: 6000 })];
  core.core.bridgeConnect(a, b);
  const [before] = core.datagram(a, rtp({ sequence: 7, timestamp: 99 }));
  core.advance(1000);
  core.core.bridgeConnect(c, b);
  const [after] = core.datagram(c, rtp({ sequence: 40000, timestamp: 123456789, ssrc: 77 }), 6000);
  const [old, fresh] = [readRtp(before!.bytes), readRtp(after!.bytes)];
  expect(fresh.sequence).toBe((old.sequence + 1) & 0xffff);
  expect(fresh.timestamp).toBe((old.timestamp + 8000) >>> 0);
  expect(fresh.ssrc).toBe(old.ssrc);
  expect(fresh.marker).toBe(true);
  expect(core.datagram(a, rtp({ sequence: 8, timestamp: 259 }))).toEqual([]);
});

test("an event the listener did not negotiate leaves no hole in its sequence", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000, event: 255 })];
  core.core.bridgeConnect(a, b);
  const [first] = core.datagram(a, rtp({ sequence: 1, timestamp: 0 }));
  expect(
    core.datagram(a, rtp({ payloadType: 101, sequence: 2, timestamp: 160, payload: Uint8Array.of(5, 10, 0, 160) })),
  )
    .toEqual([]);
  const [second] = core.datagram(a, rtp({ sequence: 3, timestamp: 320 }));
  expect(readRtp(second!.bytes).sequence).toBe((readRtp(first!.bytes).sequence + 1) & 0xffff);
});

test("a stream on hold sends nothing, and resumes without a hole", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  const [before] = core.datagram(a, rtp({ sequence: 1, timestamp: 0 }));
  core.core.streamFlags(b, 2, 1);
  for (let i = 2; i < 52; i++) expect(core.datagram(a, rtp({ sequence: i, timestamp: 160 * i }))).toEqual([]);
  core.advance(1000);
  core.core.streamFlags(b, 3, 1);
  const [after] = core.datagram(a, rtp({ sequence: 52, timestamp: 160 * 52 }));
  expect(readRtp(after!.bytes).sequence).toBe((readRtp(before!.bytes).sequence + 1) & 0xffff);
  expect(readRtp(after!.bytes).timestamp).toBe((readRtp(before!.bytes).timestamp + 8000) >>> 0);
});

test("an echo sends back what it hears, events too, in the codec the peer speaks", async () => {
  const core = await rig();
  const a = core.open({ codec: PCMU, accepted: [PCMU, PCMA], flags: 3 | 4 });
  core.core.bridgeEcho(a);
  const alaw = rtp({ payloadType: 8, sequence: 1, timestamp: 0, payload: speech });
  const [heard] = core.datagram(a, alaw);
  expect(readRtp(heard!.bytes)).toMatchObject({ payloadType: 8 });
  expect([...readRtp(heard!.bytes).payload]).toEqual([...speech]);
  const event = rtp({ payloadType: 101, sequence: 2, timestamp: 160, payload: Uint8Array.of(1, 10, 0, 160) });
  expect(readRtp(core.datagram(a, event)[0]!.bytes).payloadType).toBe(101);
});

test("the peer's payload type for our codec does not become ours (RFC 3264 §5.1)", async () => {
  const core = await rig();
  const a = core.open({ codec: { ...OTHER, payloadType: 120 }, accepted: [OTHER], flags: 3 | 4 });
  core.core.bridgeEcho(a);
  const [heard] = core.datagram(a, rtp({ payloadType: 97, sequence: 1, timestamp: 0, payload: speech }));
  expect(readRtp(heard!.bytes).payloadType).toBe(120);
});

test("disconnecting one side silences both", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  core.core.bridgeLeave(a);
  expect(core.datagram(a, rtp({ sequence: 1, timestamp: 0 }))).toEqual([]);
  expect(core.datagram(b, rtp({ sequence: 1, timestamp: 0 }), 5000)).toEqual([]);
});
