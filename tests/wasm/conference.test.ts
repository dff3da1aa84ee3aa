import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { PCMU, readRtp, type Rig, rig, rtp } from "./rig.ts";

const TALKING = 4;

function encodeUlaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 0xff;
}

function decodeUlaw(octet: number): number {
  const u = ~octet & 0xff;
  const magnitude = ((((u & 15) << 3) + 132) << ((u >> 4) & 7)) - 132;
  return u & 0x80 ? -magnitude : magnitude;
}

/** 20 ms of a sine, µ-law, continuing at sample `at`. */
function sine(hertz: number, amplitude: number, at: number): Uint8Array {
  return Uint8Array.from(
    { length: 160 },
    (_, i) => encodeUlaw(Math.round(amplitude * Math.sin(2 * Math.PI * hertz * (at + i) / 8000))),
  );
}

function amplitude(samples: readonly number[], hertz: number): number {
  const [re, im] = samples.reduce(
    ([re, im], x, i) => {
      const angle = 2 * Math.PI * hertz * i / 8000;
      return [re + x * Math.cos(angle), im + x * Math.sin(angle)];
    },
    [0, 0] as [number, number],
  );
  return 2 * Math.hypot(re, im) / samples.length;
}

/** Ticks of a conference where member i says a sine of its own; what each hears. */
function talk(
  core: Rig,
  members: readonly number[],
  hertz: readonly number[],
  ticks: number,
  skip = new Set<number>(),
) {
  const heard = new Map<number, number[]>(members.map((slot) => [slot, []]));
  for (let tick = 0; tick < ticks; tick++) {
    members.forEach((slot, i) => {
      if (skip.has(slot)) return;
      core.datagram(
        slot,
        rtp({ sequence: tick, timestamp: 160 * tick, payload: sine(hertz[i]!, 4000, 160 * tick) }),
        4000 + 2 * i,
      );
    });
    for (const { slot, rtcp, bytes } of core.tick()) {
      if (!rtcp) heard.get(slot)!.push(...[...readRtp(bytes).payload].map(decodeUlaw));
    }
  }
  return heard;
}

const HERTZ = [431, 617, 971, 1319, 1733];

test("each of five members hears the four others at their level, and not itself", async () => {
  const core = await rig();
  const members = HERTZ.map((_, i) => core.open({ port: 4000 + 2 * i }));
  for (const slot of members) core.core.conferenceJoin(slot, 7, 0);
  expect(core.core.conferenceSize(7)).toBe(5);
  const heard = talk(core, members, HERTZ, 140);
  members.forEach((slot, i) => {
    const samples = heard.get(slot)!.slice(-8000);
    HERTZ.forEach((hertz, j) => {
      const level = amplitude(samples, hertz) / 4000;
      if (i === j) expect(level).toBeLessThan(0.003); // -50 dB
      else expect(Math.abs(20 * Math.log10(level))).toBeLessThan(0.1);
    });
  });
});

test("what a member hears is one unbroken stream: every 20 ms, +160, one marker (RFC 3551 §4.1)", async () => {
  const core = await rig();
  const members = [core.open({ port: 4000 }), core.open({ port: 4002 })];
  for (const slot of members) core.core.conferenceJoin(slot, 1, 0);
  const packets = core.ticks(50).filter(({ slot, rtcp }) => slot === members[0] && !rtcp).map(({ bytes }) =>
    readRtp(bytes)
  );
  expect(packets).toHaveLength(50);
  packets.forEach((packet, i) => {
    expect((packet.sequence - packets[0]!.sequence) & 0xffff).toBe(i);
    expect((packet.timestamp - packets[0]!.timestamp) >>> 0).toBe(160 * i);
    expect(packet.marker).toBe(i === 0);
  });
});

test("a muted member hears and is not heard; a silent one too", async () => {
  const core = await rig();
  const members = [0, 1, 2].map((i) => core.open({ port: 4000 + 2 * i }));
  members.forEach((slot, i) => core.core.conferenceJoin(slot, 1, Number(i === 0)));
  const heard = talk(core, members, HERTZ, 60, new Set([members[2]!]));
  const [muted, talker, silent] = members.map((slot) => heard.get(slot)!.slice(-4000));
  expect(amplitude(muted!, 617)).toBeGreaterThan(3900);
  expect(amplitude(talker!, 431)).toBeLessThan(10);
  expect(amplitude(silent!, 617)).toBeGreaterThan(3900);
  expect(amplitude(silent!, 431)).toBeLessThan(10);
});

test("two rooms do not hear each other, and an empty one is forgotten", async () => {
  const core = await rig();
  const members = [0, 1, 2, 3].map((i) => core.open({ port: 4000 + 2 * i }));
  members.forEach((slot, i) => core.core.conferenceJoin(slot, i < 2 ? 1 : 2, 0));
  const heard = talk(core, members, HERTZ, 60);
  expect(amplitude(heard.get(members[0]!)!.slice(-4000), 617)).toBeGreaterThan(3900);
  expect(amplitude(heard.get(members[0]!)!.slice(-4000), 971)).toBeLessThan(10);
  for (const slot of members) core.core.streamClose(slot);
  expect([core.core.conferenceSize(1), core.core.conferenceSize(2), core.core.streamCount()]).toEqual([0, 0, 0]);
});

test("packets up to 40 ms late or out of order lose no sample", async () => {
  const core = await rig();
  const members = [core.open({ port: 4000 }), core.open({ port: 4002 })];
  for (const slot of members) core.core.conferenceJoin(slot, 1, 0);
  const random = seededRandom(3);
  const due: { at: number; sequence: number }[] = [];
  for (let i = 0; i < 200; i++) due.push({ at: 20 * i + random.below(41), sequence: i });
  due.sort((a, b) => a.at - b.at);
  const heard: number[] = [];
  for (let tick = 0; tick < 210; tick++) {
    while (due.length > 0 && due[0]!.at < 20 * (tick + 1)) {
      const { sequence } = due.shift()!;
      core.datagram(
        members[0]!,
        rtp({ sequence, timestamp: 160 * sequence, payload: sine(400, 4000, 160 * sequence) }),
      );
    }
    for (const { slot, rtcp, bytes } of core.tick()) {
      if (slot === members[1] && !rtcp) heard.push(...[...readRtp(bytes).payload].map(decodeUlaw));
    }
  }
  const steady = heard.slice(20 * 160, 180 * 160);
  expect(amplitude(steady, 400)).toBeGreaterThan(3990);
});

test("comfort noise of a member that pauses is heard at its level until it speaks again (RFC 3389)", async () => {
  const core = await rig();
  const members = [
    core.open({ port: 4000, accepted: [PCMU, { kind: 5, payloadType: 13 }] }),
    core.open({ port: 4002 }),
  ];
  for (const slot of members) core.core.conferenceJoin(slot, 1, 0);
  let sequence = 0;
  const hear = (payloadType: number, payload: Uint8Array, ticks: number) => {
    const heard: number[] = [];
    for (let tick = 0; tick < ticks; tick++) {
      if (tick === 0 || payloadType === 0) {
        core.datagram(members[0]!, rtp({ payloadType, sequence: sequence++, timestamp: 160 * time, payload }));
      }
      time++;
      for (const { slot, rtcp, bytes } of core.tick()) {
        if (slot === members[1] && !rtcp) heard.push(...[...readRtp(bytes).payload].map(decodeUlaw));
      }
    }
    const late = heard.slice(-160 * Math.floor(ticks / 2));
    return Math.sqrt(late.reduce((sum, x) => sum + x * x, 0) / late.length);
  };
  let time = 0;
  hear(0, sine(400, 4000, 0), 20);
  for (const level of [30, 45, 60]) {
    const wanted = 32767 * 10 ** (-level / 20);
    const found = hear(13, Uint8Array.of(level), 150); // longer than silence is waited for
    expect(Math.abs(20 * Math.log10(found / wanted))).toBeLessThan(2);
  }
  expect(hear(13, Uint8Array.of(127), 20)).toBe(0);
  expect(hear(0, new Uint8Array(160).fill(0x90), 20)).toBeGreaterThan(10_000);
});

test("who begins and ends to talk is told once each", async () => {
  const core = await rig();
  const members = [core.open({ port: 4000 }), core.open({ port: 4002 })];
  for (const slot of members) core.core.conferenceJoin(slot, 1, 0);
  talk(core, members, HERTZ, 30, new Set([members[1]!]));
  core.ticks(150);
  expect(core.notices(TALKING).map(({ slot, a }) => [slot, a])).toEqual([[members[0]!, 1], [members[0]!, 0]]);
});
