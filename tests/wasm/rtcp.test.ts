import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { readRtp, type Rig, rig, rtp, type Sent } from "./rig.ts";

/** The packets of a compound: type, count, body after the header. */
function compound(bytes: Buffer): { type: number; count: number; body: Buffer }[] {
  const packets = [];
  for (let at = 0; at < bytes.length;) {
    const length = 4 * (bytes.readUInt16BE(at + 2) + 1);
    packets.push({ type: bytes[at + 1]!, count: bytes[at]! & 31, body: bytes.subarray(at + 4, at + length) });
    at += length;
  }
  return packets;
}

function reports(sent: readonly Sent[]): Sent[] {
  return sent.filter(({ rtcp }) => rtcp);
}

function hear(core: Rig, slot: number, sequence: number): void {
  core.datagram(slot, rtp({ sequence, timestamp: 160 * sequence }));
}

test("a compound begins with SR, has our CNAME and exact counts; the time maps to the stream (RFC 3550 §6.4.1)", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  const sent = core.ticks(400);
  const [report] = reports(sent);
  const before = sent.slice(0, sent.indexOf(report!)).filter(({ rtcp }) => !rtcp);
  const [sr, sdes] = compound(report!.bytes);
  expect(report!.port).toBe(4001);
  expect([sr!.type, sr!.count, sdes!.type, sdes!.count]).toEqual([200, 0, 202, 1]);
  expect(sr!.body.readUInt32BE(16)).toBe(before.length);
  expect(sr!.body.readUInt32BE(20)).toBe(before.length * 160);
  expect(sr!.body.readUInt32BE(12)).toBe(readRtp(before.at(-1)!.bytes).timestamp);
  expect(sdes!.body.subarray(4, 6)).toEqual(Buffer.from([1, 20]));
  expect(sdes!.body.subarray(6, 26).toString()).toBe("patchbay@example.org");
});

test("reports come every 5 s times 0.5 to 1.5, not in step", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  const times: number[] = [];
  for (let i = 0; i < 6000; i++) if (reports(core.tick()).length > 0) times.push(i * 20);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2480);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(7520);
  expect(new Set(gaps).size).toBeGreaterThan(5);
  expect(times[0]).toBeLessThanOrEqual(3760);
});

test("a listener reports the source, its highest sequence and the fraction lost within 1/256", async () => {
  const core = await rig();
  const slot = core.open();
  const random = seededRandom(5);
  let expected = 0;
  let received = 0;
  let report: Sent | undefined;
  for (let sequence = 65000; report === undefined; sequence++) {
    expected++;
    if (sequence === 65000 || random.below(20) !== 0) {
      received++;
      hear(core, slot, sequence & 0xffff);
    }
    report = reports(core.tick())[0];
  }
  const [rr] = compound(report.bytes);
  expect([rr!.type, rr!.count]).toEqual([201, 1]);
  const block = rr!.body.subarray(4);
  expect(block.readUInt32BE(0)).toBe(0xfeed);
  expect(Math.abs(block[4]! - 256 * (expected - received) / expected)).toBeLessThanOrEqual(3);
  expect(block.readUIntBE(5, 3)).toBe(core.stat(slot, 6));
});

test("LSR and DLSR name the peer's last report, to the millisecond", async () => {
  const core = await rig();
  const slot = core.open();
  hear(core, slot, 1);
  const sr = Buffer.alloc(28);
  sr[0] = 0x80;
  sr[1] = 200;
  sr.writeUInt16BE(6, 2);
  sr.writeUInt32BE(0xfeed, 4);
  sr.writeUInt32BE(0x11223344, 8);
  sr.writeUInt32BE(0x55667788, 12);
  core.datagram(slot, sr, 4001, { rtcp: true });
  const at = core.now;
  let report: Sent | undefined;
  while (report === undefined) report = reports(core.tick())[0];
  const block = compound(report.bytes)[0]!.body.subarray(4);
  expect(block.readUInt32BE(16)).toBe(0x33445566);
  expect(Math.abs(block.readUInt32BE(20) / 65536 - (core.now - at) / 1e6)).toBeLessThan(0.002);
});

test("the round trip comes from the peer's block on us; one of over 30 s is not believed", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  let report: Sent | undefined;
  while (report === undefined) report = reports(core.tick())[0];
  const sr = compound(report.bytes)[0]!.body;
  const rr = Buffer.alloc(32);
  rr[0] = 0x81;
  rr[1] = 201;
  rr.writeUInt16BE(7, 2);
  sr.copy(rr, 8, 0, 4); // on our SSRC
  rr[12] = 64;
  rr.writeUIntBE(0xffffff, 13, 3); // -1: more came than expected
  rr.writeUInt32BE(80, 20);
  sr.copy(rr, 24, 6, 10); // LSR: the middle of our NTP time
  rr.writeUInt32BE(65536 / 2, 28);
  core.advance(540);
  core.datagram(slot, rr, 4001, { rtcp: true });
  expect(Math.abs(core.stat(slot, 15) - 40_000)).toBeLessThan(100);
  expect(core.stat(slot, 16)).toBe(-1);
  expect(core.stat(slot, 17)).toBe(10_000);
  core.advance(40_000);
  core.datagram(slot, rr, 4001, { rtcp: true });
  expect(Math.abs(core.stat(slot, 15) - 40_000)).toBeLessThan(100);
});

test("with mux it goes through the RTP port, and comes in there", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | 8 });
  core.core.playerStart(slot, 1);
  const report = core.ticks(400).find(({ bytes }) => bytes[1] === 200);
  expect([report!.rtcp, report!.port]).toEqual([false, 4000]);
  hear(core, slot, 1);
  core.datagram(slot, Buffer.from([0x80, 203, 0, 1, 0, 0, 0xfe, 0xed]));
  expect(core.stat(slot, 21)).toBe(1);
  expect(core.stat(slot, 11)).toBe(0);
});

test("a stream that sent says BYE when it closes", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  core.tick();
  core.core.rtcpBye(slot);
  expect(compound(core.sent()[0]!.bytes).map(({ type }) => type)).toEqual([200, 202, 203]);
});

test("who asks for a whole picture asks the one who films, ten times a second at most (RFC 4585, RFC 5104)", async () => {
  const core = await rig();
  const [watches, films] = [core.open({ port: 4000 }), core.open({ port: 5000 })];
  core.core.bridgeConnect(watches, films);
  core.datagram(films, rtp({ sequence: 1, timestamp: 0, ssrc: 0xf11a }), 5000);
  const loss = Buffer.from([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
  const intra = Buffer.from([0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 0, 0, 0]);
  for (const request of [loss, intra]) {
    core.advance(1000);
    core.datagram(watches, rtp({ sequence: 1, timestamp: 0 }), 4000);
    const [sent] = reports(core.datagram(watches, request, 4001, { rtcp: true }));
    const last = compound(sent!.bytes).at(-1);
    expect([sent!.slot, last?.type, sent!.bytes.at(-12)! & 31]).toEqual([films, 206, 1]);
    expect(sent!.bytes.readUInt32BE(sent!.bytes.length - 4)).toBe(0xf11a);
    core.advance(50);
    expect(core.datagram(watches, request, 4001, { rtcp: true })).toEqual([]);
  }
  core.core.bridgeLeave(watches);
  core.advance(1000);
  expect(core.datagram(watches, loss, 4001, { rtcp: true })).toEqual([]);
});

test("the marker of a picture's last packet is not set on another (RFC 6184 §5.1)", async () => {
  const core = await rig();
  const video = { kind: 70, payloadType: 99 };
  const [films, watches] = [core.open({ port: 4000 }), core.open({ port: 5000 })];
  for (const slot of [films, watches]) {
    core.core.streamCodec(slot, video.kind, video.payloadType, 20, 90_000);
    core.core.streamAccept(slot, video.kind, video.payloadType, 20, 90_000);
  }
  core.core.bridgeConnect(films, watches);
  const markers = [false, false, true, false, true].map((marker, sequence) => {
    const packet = rtp({ payloadType: 99, sequence, timestamp: marker ? 3000 : 0, marker });
    return (core.datagram(films, packet, 4000)[0]!.bytes[1]! & 0x80) !== 0;
  });
  expect(markers).toEqual([false, false, true, false, true]);
});

test("a peer with our SSRC makes us take another, once (RFC 3550 §8.2)", async () => {
  const core = await rig();
  const slot = core.open();
  core.core.playerStart(slot, 1);
  const { ssrc } = readRtp(core.tick()[0]!.bytes);
  const answer = core.datagram(slot, rtp({ sequence: 1, timestamp: 0, ssrc }));
  expect(compound(answer[0]!.bytes).at(-1)!.body.readUInt32BE(0)).toBe(ssrc);
  const second = readRtp(core.tick()[0]!.bytes).ssrc;
  expect(second).not.toBe(ssrc);
  core.datagram(slot, rtp({ sequence: 2, timestamp: 160, ssrc: second }));
  expect(readRtp(core.tick()[0]!.bytes).ssrc).toBe(second);
});
