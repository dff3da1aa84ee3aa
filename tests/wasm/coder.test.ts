import { expect, test } from "bun:test";
import { PCMA, PCMU, readRtp, type Rig, rig, rtp } from "./rig.ts";

const G722 = { kind: 3, payloadType: 9 };
const FRAMES = 60;

/** A sine of 1 kHz as packets of a codec. */
function sine(on: Rig, codec: { kind: number; payloadType: number }, frames = FRAMES): Buffer[] {
  const { core } = on;
  const at = core.workbenchOffset();
  const samples = new Int16Array(core.memory.buffer, at, 320);
  const rate = codec === G722 ? 16000 : 8000;
  const count = rate / 50;
  core.g722Reset(8000);
  return Array.from({ length: frames }, (_, frame) => {
    for (let n = 0; n < count; n++) {
      samples[n] = Math.round(8000 * Math.sin(2 * Math.PI * 1000 * (frame * count + n) / rate));
    }
    if (codec === G722) core.g722Encode(8000, at + 1000, at, 320);
    else core.g711EncodeUlaw(at + 1000, at, 160);
    const payload = Uint8Array.from(on.octets.subarray(at + 1000, at + 1160));
    return rtp({ payloadType: codec.payloadType, sequence: frame, timestamp: 160 * frame, payload });
  });
}

/** The share of the power of what was sent that is 1 kHz, and its peak, after a few frames of warming up. */
function heard(on: Rig, packets: readonly Buffer[], codec: { kind: number; payloadType: number }) {
  const { core } = on;
  const at = core.workbenchOffset();
  const rate = codec === G722 ? 16000 : 8000;
  const all: number[] = [];
  core.g722Reset(8001);
  for (const packet of packets) {
    const { payload, payloadType } = readRtp(packet);
    expect(payloadType).toBe(codec.payloadType);
    on.octets.set(payload, at + 1000);
    if (codec === G722) core.g722Decode(8001, at, at + 1000, payload.length, 1);
    else if (codec === PCMU) core.g711DecodeUlaw(at, at + 1000, payload.length);
    else core.g711DecodeAlaw(at, at + 1000, payload.length);
    all.push(...new Int16Array(core.memory.buffer, at, payload.length * rate / 8000));
  }
  const part = all.slice(rate / 5);
  let [re, im, power] = [0, 0, 0];
  for (const [n, x] of part.entries()) {
    re += x * Math.cos(2 * Math.PI * 1000 * n / rate);
    im += x * Math.sin(2 * Math.PI * 1000 * n / rate);
    power += x * x;
  }
  return { share: 2 * (re * re + im * im) / (part.length * power), peak: 2 * Math.hypot(re, im) / part.length };
}

function clean({ share, peak }: { share: number; peak: number }) {
  expect(share).toBeGreaterThan(0.99);
  expect(Math.abs(20 * Math.log10(peak / 8000))).toBeLessThan(0.5);
}

test.each([[G722, PCMU], [G722, PCMA], [PCMU, G722]])("a bridge translates G.722 and G.711 %#", async (from, to) => {
  const on = await rig();
  const a = on.open({ codec: from });
  const b = on.open({ codec: to, port: 5000 });
  on.core.bridgeConnect(a, b);
  const packets = sine(on, from);
  const sent = packets.flatMap((packet) => {
    on.advance(20);
    return on.datagram(a, packet);
  });
  expect(sent).toHaveLength(FRAMES);
  const times = sent.map(({ bytes }) => readRtp(bytes).timestamp);
  expect(times.every((time, i) => i === 0 || ((time - (times[i - 1] ?? 0)) >>> 0) === 160)).toBe(true);
  clean(heard(on, sent.map(({ bytes }) => bytes), to));
  expect(on.stat(a, 11)).toBe(0); // undelivered
});

test("two legs of G.722 are relayed untouched", async () => {
  const on = await rig();
  const [a, b] = [on.open({ codec: G722 }), on.open({ codec: G722, port: 5000 })];
  on.core.bridgeConnect(a, b);
  for (const packet of sine(on, G722, 5)) {
    expect([...readRtp(on.datagram(a, packet)[0]!.bytes).payload]).toEqual([...readRtp(packet).payload]);
  }
});

test("recorded and bridged at once a packet is decoded once", async () => {
  const on = await rig();
  const [a, b] = [on.open({ codec: G722 }), on.open({ codec: PCMU, port: 5000 })];
  on.core.bridgeConnect(a, b);
  const ring = on.core.recorderSet(a, 1);
  const sent = sine(on, G722).flatMap((packet) => on.datagram(a, packet));
  clean(heard(on, sent.map(({ bytes }) => bytes), PCMU));
  expect(on.core.recorderWritten(a)).toBe(FRAMES * 160);
  const samples = new Int16Array(on.core.memory.buffer, ring, 4096).subarray(1024, 3072);
  expect(Math.max(...samples)).toBeGreaterThan(7500);
  expect(Math.max(...samples)).toBeLessThan(8500);
});

test("a conference of a G.722 and a G.711 member: each hears the other", async () => {
  const on = await rig();
  const [a, b] = [on.open({ codec: G722 }), on.open({ codec: PCMU, port: 5000 })];
  on.core.conferenceJoin(a, 1, 0);
  on.core.conferenceJoin(b, 1, 0);
  const [wide, narrow] = [sine(on, G722), sine(on, PCMU)];
  const toWide: Buffer[] = [];
  const toNarrow: Buffer[] = [];
  for (let i = 0; i < FRAMES; i++) {
    on.datagram(a, wide[i]!);
    on.datagram(b, narrow[i]!, 5000);
    for (const { slot, bytes } of on.tick()) (slot === a ? toWide : toNarrow).push(bytes);
  }
  clean(heard(on, toWide.slice(5), G722));
  clean(heard(on, toNarrow.slice(5), PCMU));
});

test.each([1, 80, 159, 161, 480, 481, 960, 1200])("a packet of %d octets of G.722 is taken", async (octets) => {
  const on = await rig();
  const [a, b] = [on.open({ codec: G722 }), on.open({ codec: PCMA, port: 5000 })];
  on.core.bridgeConnect(a, b);
  const payload = Uint8Array.from({ length: octets }, (_, i) => (i * 7) & 255);
  const [sent] = on.datagram(a, rtp({ payloadType: 9, sequence: 1, timestamp: 0, payload }));
  expect(readRtp(sent!.bytes).payload.length).toBe(Math.min(960, octets));
});
