// SRTP of the core beside libsrtp2, both ways.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { seededRandom } from "../virtual_world.ts";
import { readRtp, type Rig, rig, rtp } from "../wasm/rig.ts";
import { pair, type Suite, suites } from "../wasm/srtp_rig.ts";

interface Frame {
  readonly rtcp: boolean;
  readonly bytes: Uint8Array;
}

const BAD = 22;
const REPLAYED = 23;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "patchbay-srtp-"));
  const source = resolve(import.meta.dir, "peers/native/srtp.c");
  const built = Bun.spawnSync(["gcc", "-O2", "-o", join(folder, "srtp"), source, "-lsrtp2"]);
  if (built.exitCode !== 0) throw new Error(built.stderr.toString());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What libsrtp makes of the frames, one for one; empty: it refused. */
function libsrtp(what: "protect" | "unprotect", suite: Suite, key: Uint8Array, frames: readonly Frame[]): Uint8Array[] {
  const input = frames.flatMap(({ rtcp, bytes }) => [
    Uint8Array.of(bytes.length >> 8, bytes.length & 255, Number(rtcp)),
    bytes,
  ]);
  const command = [join(folder, "srtp"), what, suite.name, Buffer.from(key).toString("hex")];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { stdin: Buffer.concat(input), maxBuffer: 1e8 });
  if (exitCode !== 0) throw new Error(`${command[0]}: ${exitCode} ${stderr}`);
  const output: Uint8Array[] = [];
  for (let at = 0; at + 3 <= stdout.length;) {
    const octets = stdout.readUInt16BE(at);
    output.push(new Uint8Array(stdout.subarray(at + 3, at + 3 + octets)));
    at += 3 + octets;
  }
  expect(output.length).toBe(frames.length);
  return output;
}

const key = (suite: Suite, seed: number) => seededRandom(seed).bytes(suite.octets).slice();
const payloadOf = (n: number) => {
  const payload = Buffer.alloc(20 + n % 200, n & 255);
  payload.writeUInt32BE(n);
  return payload;
};

/** Packets in an order with 5 % lost and one in 25 up to 60 numbers late. */
function disorder<T>(packets: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  return packets
    .map((packet, at) => ({ packet, at: random.below(25) === 0 ? at + random.below(60) + 0.5 : at }))
    .filter(() => random.below(20) !== 0)
    .sort((a, b) => a.at - b.at)
    .map(({ packet }) => packet);
}

/** What our side sends: RTP over a roll-over of its numbers, and reports. */
function said(core: Rig, streams: { plain: number }): Frame[] {
  const frames: Frame[] = [];
  let [before, sequence] = [0, 0];
  for (let n = 0, after = 0; after < 1500; n++) {
    // The numbers go in steps until shortly before they turn over, and one by one from there.
    const step = before > 64_000 || after > 0 ? 1 : 400;
    sequence = (sequence + step) & 0xffff;
    const [sent] = core.datagram(streams.plain, rtp({ sequence, timestamp: 160 * n, payload: payloadOf(n) }));
    const number = sent!.bytes.readUInt16BE(2);
    if (number < before || after > 0) after++;
    before = number;
    frames.push({ rtcp: false, bytes: sent!.bytes });
    if (n % 3 === 0) {
      for (const { bytes, rtcp, port } of core.tick()) if (port >= 5000) frames.push({ rtcp, bytes });
    }
  }
  return frames;
}
for (const suite of suites) {
  describe(suite.name, () => {
    test("libsrtp opens what we protect: over a roll-over, lost and reordered, and reports", async () => {
      const core = await rig();
      const streams = pair(core, suite, key(suite, 1), key(suite, 2));
      // A key of 192 bits: the first packet tells which derivation the peer has, that of RFC 6188 or that of libsrtp.
      const hello = { rtcp: false, bytes: rtp({ sequence: 1, timestamp: 0 }) };
      core.datagram(streams.secure, libsrtp("protect", suite, key(suite, 2), [hello])[0]!, 5000);
      const frames = said(core, streams);
      expect(frames.filter(({ rtcp }) => rtcp).length).toBeGreaterThan(2);
      for (const order of [frames, [...frames.slice(0, 900), ...disorder(frames.slice(900), 5)]]) {
        const opened = libsrtp("unprotect", suite, key(suite, 1), order);
        const shorter = order.map(({ rtcp, bytes }, at) => rtcp ? 0 : bytes.length - opened[at]!.length);
        expect(opened.filter((bytes) => bytes.length === 0).length).toBe(0);
        expect(new Set(shorter)).toEqual(new Set([0, suite.tagOctets]));
        for (const [at, { rtcp }] of order.entries()) {
          const bytes = Buffer.from(opened[at]!);
          if (rtcp) expect(bytes.includes(Buffer.from("patchbay@example.org"))).toBe(true);
          else expect(readRtp(bytes).payload.equals(payloadOf(readRtp(bytes).payload.readUInt32BE(0)))).toBe(true);
        }
      }
    });

    test("we open what libsrtp protects: over two roll-overs, lost and reordered, and reports; nothing twice", async () => {
      const core = await rig();
      const { secure } = pair(core, suite, key(suite, 1), key(suite, 2));
      const frames: Frame[] = [];
      const sequences = [
        ...Array.from({ length: 700 }, (_, n) => 65_000 + n),
        ...Array.from({ length: 650 }, (_, n) => 65_700 + n * 100),
        ...Array.from({ length: 700 }, (_, n) => 130_700 + n),
      ];
      for (const [n, sequence] of sequences.entries()) {
        frames.push({
          rtcp: false,
          bytes: rtp({ sequence: sequence & 0xffff, timestamp: 160 * n, payload: payloadOf(n), ssrc: 0x1234 }),
        });
        if (n % 100 !== 99) continue;
        const report = Buffer.alloc(28);
        report.set([0x80, 200, 0, 6, 0, 0, 0x12, 0x34]);
        frames.push({ rtcp: true, bytes: report });
      }
      const protectedFrames = libsrtp("protect", suite, key(suite, 2), frames).map((bytes, at) => ({
        rtcp: frames[at]!.rtcp,
        bytes: Buffer.from(bytes),
        n: at,
      }));
      const order = disorder(protectedFrames, 6);
      for (const { rtcp, bytes } of order) {
        core.advance(20);
        core.datagram(secure, Buffer.from(bytes), rtcp ? 5001 : 5000, { rtcp });
      }
      const reports = order.filter(({ rtcp }) => rtcp).length;
      // Steps of a hundred put a late packet outside the window of 128: those alone are given up.
      const outside = core.stat(secure, REPLAYED);
      expect(outside).toBeLessThan(order.length * 0.02);
      expect(core.stat(secure, BAD)).toBe(0);
      expect(core.stat(secure, 0) + core.stat(secure, 7) + outside + reports).toBe(order.length); // received, late
      expect(core.stat(secure, 9)).toBe(0); // malformed
      for (const { rtcp, bytes } of order) core.datagram(secure, Buffer.from(bytes), rtcp ? 5001 : 5000, { rtcp });
      expect(core.stat(secure, REPLAYED) + core.stat(secure, BAD)).toBe(outside + order.length);
    });
  });
}
