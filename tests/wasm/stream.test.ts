import { expect, test } from "bun:test";
import { readRtp, rig, rtp } from "./rig.ts";

const TIMEOUT = 3;

test("a core holds 4,096 streams, refuses the next and takes one again when one is closed", async () => {
  const core = await rig();
  const slots = Array.from({ length: 4096 }, () => core.open());
  expect(new Set(slots).size).toBe(4096);
  expect(core.core.streamOpen()).toBe(-1);
  core.core.streamClose(slots[500]!);
  expect(core.core.streamOpen()).toBe(slots[500]!);
});

test("silence is told once after the timeout, and again after new media", async () => {
  const core = await rig();
  const slot = core.open({ timeout: 2 });
  core.ticks(99);
  expect(core.notices(TIMEOUT)).toHaveLength(0);
  core.ticks(100);
  expect(core.notices(TIMEOUT)).toEqual([{ kind: TIMEOUT, slot, a: 2, b: 0 }]);
  core.datagram(slot, rtp({ sequence: 1, timestamp: 0 }));
  core.ticks(120);
  expect(core.notices(TIMEOUT)).toHaveLength(1);
});

test("a stream on hold does not time out", async () => {
  const core = await rig();
  core.open({ timeout: 2, flags: 1 });
  core.ticks(500);
  expect(core.notices(TIMEOUT)).toHaveLength(0);
});

test("a silent stream sends comfort noise to keep the path open (RFC 6263)", async () => {
  const core = await rig();
  core.open({ keepalive: 1 });
  const sent = core.ticks(160).filter(({ rtcp }) => !rtcp).map(({ bytes }) => readRtp(bytes));
  expect(sent).toHaveLength(3);
  expect(sent.every(({ payloadType, payload }) => payloadType === 13 && payload[0] === 127)).toBe(true);
});

test("a record adopted by another core goes on: SSRC, sequence, time line, lock and counters", async () => {
  const [from, to] = [await rig(), await rig()];
  const slot = from.open();
  from.core.bridgeEcho(slot);
  const before = readRtp(from.datagram(slot, rtp({ sequence: 1, timestamp: 0 }))[0]!.bytes);
  const at = from.core.streamRecord(slot);
  const landing = to.core.streamLanding();
  to.octets.set(from.octets.subarray(at, at + from.core.streamRecordBytes()), landing);
  const moved = to.core.streamAdopt(landing);
  to.now = from.now;
  to.advance(20);
  to.core.bridgeEcho(moved);
  expect(to.datagram(moved, rtp({ sequence: 2, timestamp: 160 }), 4666)).toEqual([]); // still locked
  const after = readRtp(to.datagram(moved, rtp({ sequence: 2, timestamp: 160 }))[0]!.bytes);
  expect(after.ssrc).toBe(before.ssrc);
  expect(after.sequence).toBe((before.sequence + 1) & 0xffff);
  expect(after.timestamp).toBe((before.timestamp + 160) >>> 0);
  expect(to.stat(moved, 0)).toBe(2);
});

test("an empty payload is a keep-alive; an unknown payload type is counted", async () => {
  const core = await rig();
  const slot = core.open();
  core.datagram(slot, rtp({ payloadType: 99, sequence: 1, timestamp: 0, payload: new Uint8Array(0) }));
  core.datagram(slot, rtp({ payloadType: 99, sequence: 2, timestamp: 0 }));
  expect([core.stat(slot, 0), core.stat(slot, 12), core.stat(slot, 9)]).toEqual([2, 1, 0]);
});

test("a jump of the sequence is believed at the second packet (RFC 3550 A.1)", async () => {
  const core = await rig();
  const slot = core.open();
  for (const sequence of [1, 2, 30000, 30001, 30002]) core.datagram(slot, rtp({ sequence, timestamp: 0 }));
  expect([core.stat(slot, 0), core.stat(slot, 7), core.stat(slot, 6)]).toEqual([4, 1, 0]);
});

test("jitter is the mean deviation of RFC 3550 §6.4.1", async () => {
  const core = await rig();
  const slot = core.open();
  for (let i = 0; i < 400; i++) {
    core.advance(i % 2 === 0 ? 30 : 10);
    core.datagram(slot, rtp({ sequence: i, timestamp: 160 * i }));
  }
  expect(Math.abs(core.stat(slot, 14) - 10_000)).toBeLessThan(300);
});
