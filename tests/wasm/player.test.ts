import { expect, test } from "bun:test";
import { readRtp, type Rig, rig, rtp } from "./rig.ts";

const PLAYED = 5;

function stage(core: Rig, slot: number, samples: readonly number[], last: boolean, rate = 8000): number {
  const at = core.core.playerStage();
  samples.forEach((sample, i) => core.view.setInt16(at + 2 * i, sample, true));
  return core.core.playerStaged(slot, rate, samples.length, Number(last));
}

test("a clip is sent in packets of 20 ms, then its end is told", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 42);
  stage(core, slot, Array(400).fill(1000), true);
  const packets = core.ticks(5).map(({ bytes }) => readRtp(bytes));
  expect(packets.map(({ payload }) => payload.length)).toEqual([160, 160, 160]);
  expect(packets[2]!.payload[79]).toBe(packets[0]!.payload[0]!);
  expect(packets[2]!.payload[80]).toBe(0xff); // silence fills the last
  expect(core.notices(PLAYED)).toEqual([{ kind: PLAYED, slot, a: 42, b: 1 }]);
});

test("a clip replaced or stopped tells that it was not played to its end", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  core.core.playerStart(slot, 2);
  core.core.playerStop(slot);
  expect(core.notices(PLAYED).map(({ a, b }) => [a, b])).toEqual([[1, 0], [2, 0]]);
});

test("48 kHz becomes 8 kHz, and a ring that is full takes no more", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  expect(stage(core, slot, Array(960).fill(0), false, 48000)).toBe(160);
  for (let i = 0; i < 4; i++) expect(stage(core, slot, Array(960).fill(0), false)).toBe(960);
  expect(stage(core, slot, Array(960).fill(0), false)).toBe(-2);
  expect(stage(core, slot, Array(7).fill(0), false, 48000)).toBe(-2);
});

test("packets of 10, 30 and 60 ms carry what was negotiated (RFC 3551 §4.2)", async () => {
  for (const ptime of [10, 30, 60]) {
    const core = await rig();
    const slot = core.open({ ptime });
    core.core.playerStart(slot, 1);
    stage(core, slot, Array(960).fill(500), false);
    const packets = core.ticks(6).map(({ bytes }) => readRtp(bytes));
    expect(packets).toHaveLength(120 / ptime);
    packets.forEach((packet, i) => {
      expect(packet.payload).toHaveLength(8 * ptime);
      expect((packet.timestamp - packets[0]!.timestamp) >>> 0).toBe(8 * ptime * i);
    });
  }
});

test("while a clip plays the peer is not relayed; after it the peer goes on without a hole", async () => {
  const core = await rig();
  const [a, b] = [core.open(), core.open({ port: 5000 })];
  core.core.bridgeConnect(a, b);
  const [before] = core.datagram(a, rtp({ sequence: 1, timestamp: 0 }));
  core.core.playerStart(b, 1);
  stage(core, b, Array(320).fill(0), true);
  expect(core.datagram(a, rtp({ sequence: 2, timestamp: 160 }))).toEqual([]);
  const played = core.ticks(3).map(({ bytes }) => readRtp(bytes));
  const [after] = core.datagram(a, rtp({ sequence: 5, timestamp: 640 }));
  const sequences = [readRtp(before!.bytes), ...played, readRtp(after!.bytes)].map(({ sequence }) => sequence);
  expect(sequences.map((sequence) => (sequence - sequences[0]!) & 0xffff)).toEqual([0, 1, 2, 3]);
});

test("a cadence sounds and rests to the sample, and begins again when it loops", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.cadenceAdd(slot, 50);
  core.core.cadenceSine(slot, 0, 440, -13);
  core.core.cadenceAdd(slot, 70);
  core.core.playerTone(slot, 9, 1);
  const octets = core.ticks(18).flatMap(({ bytes }) => [...readRtp(bytes).payload]);
  const loud = octets.map((octet) => (octet & 0x7f) < 0x6f);
  for (const start of [0, 960, 1920]) {
    expect(loud.slice(start, start + 400).filter(Boolean).length).toBeGreaterThan(300);
    expect(loud.slice(start + 420, start + 960).some(Boolean)).toBe(false);
  }
  core.core.playerStop(slot);
  expect(core.notices(PLAYED).map(({ a, b }) => [a, b])).toEqual([[9, 0]]);
});

test("a tone without a loop ends and says so", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.cadenceAdd(slot, 30);
  core.core.cadenceSine(slot, 0, 440, -13);
  core.core.playerTone(slot, 9, 0);
  expect(core.ticks(4)).toHaveLength(2);
  expect(core.notices(PLAYED)).toEqual([{ kind: PLAYED, slot, a: 9, b: 1 }]);
});

test("what is recorded is what was said, with silence for what was lost", async () => {
  const core = await rig();
  const slot = core.open();
  const ring = core.core.recorderSet(slot, 1);
  for (const sequence of [1, 2, 4]) {
    core.datagram(slot, rtp({ sequence, timestamp: 160 * sequence, payload: new Uint8Array(160).fill(0x80) }));
  }
  expect(core.core.recorderWritten(slot)).toBe(640);
  const samples = Array.from({ length: 640 }, (_, i) => core.view.getInt16(ring + 2 * i, true));
  expect([samples[0], samples[319], samples[320], samples[479], samples[480]]).toEqual([32124, 32124, 0, 0, 32124]);
});
