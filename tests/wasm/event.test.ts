import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { readRtp, type Rig, rig, rtp } from "./rig.ts";

const DIGIT = 1;
const SENT = 6;

function event(code: number, duration: number, end: boolean): Uint8Array {
  return Uint8Array.of(code, (end ? 0x80 : 0) | 10, duration >> 8, duration & 255);
}

interface Packet {
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** The packets of one digit of `ms`, three ends. */
function digit(code: number, ms: number, sequence: number, timestamp: number): Packet[] {
  const steps = Math.ceil(ms / 20);
  const packets = Array.from({ length: steps }, (_, i) => event(code, 160 * (i + 1), i === steps - 1));
  packets.push(event(code, 160 * steps, true), event(code, 160 * steps, true));
  return packets.map((payload, i) => ({ sequence: sequence + i, timestamp, payload }));
}

function hand(core: Rig, slot: number, packets: readonly Packet[]): void {
  for (const packet of packets) {
    core.advance(20);
    core.datagram(slot, rtp({ payloadType: 101, ...packet }));
  }
}

function digits(core: Rig): string[] {
  return core.notices(DIGIT).map(({ a, b }) => `${String.fromCharCode(a)}${b}`);
}

test("a digit is told once, at its end, with its duration", async () => {
  const core = await rig();
  const slot = core.open();
  hand(core, slot, digit(11, 100, 1, 5000));
  expect(digits(core)).toEqual(["#100"]);
});

test("all events are known: digits, star, pound, letters, flash; others are not", async () => {
  const core = await rig();
  const slot = core.open();
  let sequence = 0;
  for (let code = 0; code < 20; code++) {
    hand(core, slot, digit(code, 80, sequence, code * 3000));
    sequence += 10;
  }
  expect(digits(core).map((text) => text[0]).join("")).toBe("0123456789*#ABCD!");
});

test("with every fifth packet lost, each of 500 digits is told once", async () => {
  const core = await rig();
  const slot = core.open();
  const random = seededRandom(20);
  let sequence = 60000;
  let sent = "";
  for (let i = 0; i < 500; i++) {
    const code = random.below(10);
    const packets = digit(code, 100, sequence, i * 2000);
    const heard = packets.filter(() => random.below(5) !== 0);
    if (heard.length > 0) sent += code;
    hand(core, slot, heard.map((packet) => ({ ...packet, sequence: packet.sequence & 0xffff })));
    core.ticks(10);
    sequence += packets.length;
  }
  expect(digits(core).map((text) => text[0]).join("")).toBe(sent);
});

test("a digit without an end ends 150 ms after its last packet", async () => {
  const core = await rig();
  const slot = core.open();
  hand(core, slot, digit(5, 100, 1, 0).slice(0, 3));
  expect(digits(core)).toEqual([]);
  core.ticks(8);
  expect(digits(core)).toEqual(["560"]);
});

test("a lone end packet is a digit of its duration; a new timestamp ends the digit before", async () => {
  const core = await rig();
  const slot = core.open();
  hand(core, slot, [{ sequence: 1, timestamp: 0, payload: event(1, 800, true) }]);
  hand(core, slot, [{ sequence: 2, timestamp: 1600, payload: event(2, 320, false) }]);
  hand(core, slot, [{ sequence: 3, timestamp: 4000, payload: event(2, 640, true) }]);
  expect(digits(core)).toEqual(["1100", "240", "280"]);
});

test("packets out of order within a digit change nothing", async () => {
  const core = await rig();
  const slot = core.open();
  const packets = digit(7, 120, 1, 0);
  hand(core, slot, [packets[0]!, packets[2]!, packets[1]!, packets[3]!, packets[5]!, packets[4]!, packets[6]!]);
  expect(digits(core)).toEqual(["7120"]);
});

test("a sent digit: one timestamp, one marker, rising duration, three equal ends, sequence without a hole", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1); // audio (silence) that the digit interrupts
  core.ticks(3);
  core.core.eventSend(slot, 5, 100, 50);
  const packets = core.ticks(12).map(({ bytes }) => readRtp(bytes));
  const events = packets.filter(({ payloadType }) => payloadType === 101);
  expect(events.map(({ payload }) => payload.readUInt16BE(2))).toEqual([160, 320, 480, 640, 800, 800, 800]);
  expect(events.map(({ payload }) => payload[1]! >> 7)).toEqual([0, 0, 0, 0, 1, 1, 1]);
  expect(events.map(({ marker }) => marker)).toEqual([true, false, false, false, false, false, false]);
  expect(new Set(events.map(({ timestamp }) => timestamp)).size).toBe(1);
  expect(packets.map(({ sequence }, i) => (sequence - packets[0]!.sequence - i) & 0xffff)).toEqual(
    packets.map(() => 0),
  );
  const audio = packets.filter(({ payloadType }) => payloadType === 0);
  expect((audio[0]!.timestamp - events[0]!.timestamp) >>> 0).toBe(7 * 160);
  expect(core.notices(SENT)).toHaveLength(1);
});

test("digits are sent in order with the gap between; the last one is told", async () => {
  const core = await rig();
  const slot = core.open();
  for (const code of [1, 2, 3]) core.core.eventSend(slot, code, 80, 60);
  const starts: number[] = [];
  const codes: number[] = [];
  for (let i = 0; i < 40; i++) {
    for (const { bytes } of core.tick()) {
      const packet = readRtp(bytes);
      if (!packet.marker) continue;
      starts.push(i * 20);
      codes.push(packet.payload[0]!);
    }
  }
  expect(codes).toEqual([1, 2, 3]);
  expect(starts.slice(1).every((start, i) => start - starts[i]! >= 140)).toBe(true);
  expect(core.notices(SENT)).toHaveLength(1);
});

test("a digit longer than the field goes on as a new event (RFC 4733 §2.5.1.3)", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.eventSend(slot, 1, 10_000, 50);
  const packets = core.ticks(510).filter(({ rtcp }) => !rtcp).map(({ bytes }) => readRtp(bytes));
  const timestamps = [...new Set(packets.map(({ timestamp }) => timestamp))];
  expect(timestamps).toHaveLength(2);
  expect((timestamps[1]! - timestamps[0]!) >>> 0).toBe(65440);
  expect(packets.at(-1)!.payload.readUInt16BE(2)).toBe(80_000 - 65440);
  // and the other side hears one digit of ten seconds
  const other = core.open({ port: 5000 });
  for (const packet of packets) {
    core.advance(20);
    core.datagram(other, rtp({ ...packet, payload: packet.payload }), 5000);
  }
  expect(digits(core)).toEqual(["110000"]);
});

test("a relayed digit keeps its duration, its ends and one timestamp", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000, event: 96 })];
  core.core.bridgeConnect(a, b);
  core.datagram(a, rtp({ sequence: 1, timestamp: 0 }));
  const heard = digit(3, 140, 2, 160).flatMap((packet) => {
    core.advance(20);
    return core.datagram(a, rtp({ payloadType: 101, marker: packet.sequence === 2, ...packet }));
  }).map(({ bytes }) => readRtp(bytes));
  expect(heard.map(({ payload }) => payload.readUInt16BE(2))).toEqual([160, 320, 480, 640, 800, 960, 1120, 1120, 1120]);
  expect(new Set(heard.map(({ timestamp }) => timestamp)).size).toBe(1);
  expect(heard.every(({ payloadType }) => payloadType === 96)).toBe(true);
});

test("in-band digits are told when asked for, as this core plays them", async () => {
  const core = await rig();
  const [a, b] = [core.open({ event: 255 }), core.open({ port: 5000, event: 255, flags: 3 | 32 })];
  for (const [low, high] of [[697, 1209], [941, 1477], [852, 1633]] as const) {
    core.core.cadenceAdd(a, 100);
    core.core.cadenceSine(a, 0, low, -9);
    core.core.cadenceSine(a, 1, high, -7);
    core.core.cadenceAdd(a, 80);
  }
  core.core.playerTone(a, 1, 0);
  for (let i = 0; i < 40; i++) {
    for (const { slot, rtcp, bytes } of core.tick()) if (slot === a && !rtcp) core.datagram(b, bytes, 5000);
  }
  expect(digits(core).map((text) => text[0]).join("")).toBe("1#C");
});

test("a flood of digits is cut to 25 a second", async () => {
  const core = await rig();
  const slot = core.open();
  for (let i = 0; i < 1000; i++) {
    core.advance(1);
    core.datagram(slot, rtp({ payloadType: 101, sequence: i, timestamp: i * 1000, payload: event(1, 800, true) }));
  }
  expect(digits(core).length).toBeLessThanOrEqual(36);
});
