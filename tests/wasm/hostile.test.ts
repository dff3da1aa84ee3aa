import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { protect, suites } from "./srtp_rig.ts";
import { OTHER, PCMA, PCMU, readRtp, type Rig, rig, rtp } from "./rig.ts";

const SEEDS = [1, 2, 3];

function valid(random: ReturnType<typeof seededRandom>, sequence: number): Buffer {
  const kind = random.below(6);
  if (kind === 0) return Buffer.from([0x80, 200 + random.below(7), 0, 6, ...random.bytes(24)]);
  if (kind === 1) return Buffer.from([0x81, 201, 0, 7, ...random.bytes(28), 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 65, 66]);
  const payload = kind === 2 ? random.bytes(4) : random.bytes(random.below(400));
  const payloadType = [0, 8, 13, 97, 101, random.below(128)][random.below(6)]!;
  return rtp({ payloadType, sequence, timestamp: random.uint32(), ssrc: random.below(4), payload });
}

/** A datagram that is random, cut short, or a good one with octets changed. */
function hostile(random: ReturnType<typeof seededRandom>, sequence: number): Buffer {
  const kind = random.below(4);
  if (kind === 0) return Buffer.from(random.bytes(random.below(1600)));
  const bytes = valid(random, sequence);
  if (kind === 1) return bytes.subarray(0, random.below(bytes.length + 1));
  for (let i = random.below(6); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

function changed(random: ReturnType<typeof seededRandom>, sealed: Buffer): Buffer {
  const bytes = Buffer.from(sealed);
  for (let i = random.below(3); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return random.below(3) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
}

/** A call beside the attacked streams whose every packet must come through as if nothing happened. */
function bystander(core: Rig) {
  const [a, b] = [core.open({ port: 6000 }), core.open({ port: 6002 })];
  core.core.bridgeConnect(a, b);
  let sequence = 100;
  let last: number | undefined;
  return () => {
    const payload = new Uint8Array(160).fill(sequence);
    const sent = core.datagram(a, rtp({ sequence, timestamp: 160 * sequence, payload }), 6000);
    sequence = (sequence + 1) & 0xffff;
    expect(sent).toHaveLength(1);
    const packet = readRtp(sent[0]!.bytes);
    expect(packet.payload.equals(payload)).toBe(true);
    if (last !== undefined) expect(packet.sequence).toBe((last + 1) & 0xffff);
    last = packet.sequence;
  };
}

test("20,000 hostile datagrams on every kind of stream: no trap, no growth, the call beside it untouched", async () => {
  for (const seed of SEEDS) {
    const core = await rig();
    const random = seededRandom(seed);
    const call = bystander(core);
    const setups = [
      { strict: 0, flags: 3 | 4 | 16, accepted: [PCMU, PCMA, OTHER] },
      { strict: 0, flags: 3 | 8 | 32, accepted: [PCMU, PCMA] },
      { strict: 1, flags: 3 | 16 },
      { strict: 2, flags: 3 | 8 | 16, codec: PCMA },
    ];
    const slots = setups.map((setup) => core.open({ timeout: 1, keepalive: 1, ...setup }));
    for (const suite of suites) {
      const key = random.bytes(suite.octets).slice();
      slots.push(core.open({ strict: 0, flags: 3 | 8 | 16, keepalive: 1 }));
      protect(core, slots.at(-1)!, suite, key, key); // what it sends comes back to it, changed
      core.core.bridgeEcho(slots.at(-1)!);
    }
    const sealed: Buffer[] = [];
    core.core.bridgeConnect(slots[0]!, slots[3]!);
    core.core.conferenceJoin(slots[1]!, 1, 0);
    core.core.bridgeEcho(slots[2]!);
    core.core.recorderSet(slots[0]!, 1);
    const memory = core.core.memory.buffer.byteLength;
    for (let i = 0; i < 20_000; i++) {
      const at = random.below(slots.length);
      const slot = slots[at]!;
      const rtcp = random.below(5) === 0;
      const bytes = at > 3 && sealed.length > 0 && i % 3 === 0
        ? changed(random, sealed[random.below(sealed.length)]!)
        : hostile(random, i);
      core.datagram(slot, bytes, 4000 + Number(rtcp), { rtcp });
      for (const sent of i % 20 === 0 ? core.tick() : []) if (slots.indexOf(sent.slot) > 3) sealed.push(sent.bytes);
      if (sealed.length > 100) sealed.splice(0, 50);
      if (i % 50 === 0) call();
      if (i % 500 === 0) core.notices();
    }
    expect(core.core.memory.buffer.byteLength).toBe(memory);
    expect(sealed.length).toBeGreaterThan(10);
    for (const slot of slots.slice(4)) expect(core.stat(slot, 22)).toBeGreaterThan(500); // not authentic
  }
});

test("lengths that are not possible are refused", async () => {
  const core = await rig();
  const slot = core.open();
  const before = Buffer.from(core.octets);
  for (const octets of [-1, -(2 ** 31), 2049, 65535, 2 ** 31 - 1]) core.core.receiveDatagram(slot, 0, octets);
  expect(core.stat(slot, 9)).toBe(5);
  const changed = before.findIndex((octet, at) => octet !== core.octets[at]);
  const record = core.core.streamRecord(slot);
  expect(changed).toBeGreaterThanOrEqual(Math.min(record, core.core.streamStats(slot)));
});

test("slots that are not open are refused by every call", async () => {
  const { core } = await rig();
  for (const slot of [-1, 0, 5, 4095, 4096, 2 ** 31 - 1, -(2 ** 31)]) {
    const answers = [
      core.streamClose(slot),
      core.streamRecord(slot),
      core.streamRemote(slot),
      core.streamFlags(slot, 3, 1),
      core.streamCodec(slot, 1, 0, 20, 8000),
      core.streamAccept(slot, 1, 0, 20, 8000),
      core.streamEvents(slot, 101, 101, 8000),
      core.streamTimers(slot, 0, 0, 5000),
      core.streamCname(slot, 5),
      core.streamStats(slot),
      core.streamSrtp(slot, 1, 16, 10),
      core.streamSource(slot),
      core.receiveDatagram(slot, 0, 100),
      core.bridgeConnect(slot, 1),
      core.bridgeEcho(slot),
      core.bridgeLeave(slot),
      core.conferenceJoin(slot, 1, 0),
      core.conferenceLeave(slot),
      core.playerStart(slot, 1),
      core.playerStop(slot),
      core.playerTake(slot),
      core.playerRoom(slot),
      core.playerStaged(slot, 8000, 160, 0),
      core.playerTone(slot, 1, 0),
      core.cadenceClear(slot),
      core.cadenceAdd(slot, 100),
      core.cadenceSine(slot, 0, 440, -13),
      core.recorderSet(slot, 1),
      core.eventSend(slot, 1, 100, 50),
      core.rtcpBye(slot),
    ];
    expect(answers.filter((answer) => answer >= 0)).toEqual([]);
  }
  expect(core.streamCount()).toBe(0);
});

test("a random record, as if another core had gone mad, is adopted or refused without a trap", async () => {
  const core = await rig();
  const call = bystander(core);
  const random = seededRandom(9);
  for (let i = 0; i < 200; i++) {
    core.octets.set(random.bytes(core.core.streamRecordBytes()), core.core.streamLanding());
    const slot = core.core.streamAdopt(core.core.streamLanding());
    for (let j = 0; j < 20; j++) core.datagram(slot, hostile(random, j));
    core.core.streamClose(slot);
    core.ticks(2);
    core.notices();
    call();
  }
});
