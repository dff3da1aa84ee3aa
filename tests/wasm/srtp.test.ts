import { describe, expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { readRtp, type Rig, rig, rtp } from "./rig.ts";
import { pair, protect, suites } from "./srtp_rig.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const BAD = 22;
const REPLAYED = 23;
const RECEIVED = 0;

/** A key stream of the core's AES in counter mode. */
function keyStream({ core, octets }: Rig, key: Uint8Array, block: Uint8Array, count: number): Buffer {
  const at = core.workbenchOffset();
  octets.set(key, at + 512);
  octets.set(block, at + 1024);
  core.aesExpand(at, at + 512, key.length);
  octets.fill(0, at + 2048, at + 2048 + count);
  core.aesCounter(at, at + 1024, at + 2048, count);
  return Buffer.from(octets.subarray(at + 2048, at + 2048 + count));
}

test("AES as FIPS 197 appendix C has it, and the key stream and key derivation of RFC 3711 appendix B", async () => {
  const core = await rig();
  const at = core.core.workbenchOffset();
  core.octets.set(hex("00112233445566778899aabbccddeeff"), at + 1024);
  const rows = [
    [16, "69c4e0d86a7b0430d8cdb78070b4c55a"],
    [24, "dda97ca4864cdfe06eaf70a0ec0d7191"],
    [32, "8ea2b7ca516745bfeafc49904b496089"],
  ] as const;
  for (const [octets, cipher] of rows) {
    core.octets.set(Uint8Array.from({ length: octets }, (_, i) => i), at + 512);
    core.core.aesExpand(at, at + 512, octets);
    core.core.aesBlock(at, at + 2048, at + 1024);
    expect(Buffer.from(core.octets.subarray(at + 2048, at + 2064)).toString("hex")).toBe(cipher);
  }
  const session = hex("2B7E151628AED2A6ABF7158809CF4F3C");
  const salted = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000");
  const stream = keyStream(core, session, salted, 48).toString("hex").toUpperCase();
  expect(stream).toBe(
    "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
  );
  const master = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const label = (n: number) => {
    const block = Buffer.concat([hex("0EC675AD498AFEEBB6960B3AABE6"), Buffer.alloc(2)]);
    block[7] = block[7]! ^ n;
    return block;
  };
  const derived = (n: number, octets: number) =>
    keyStream(core, master, label(n), octets).toString("hex").toUpperCase();
  expect(derived(0, 16)).toBe("C61E7A93744F39EE10734AFE3FF7A087");
  expect(derived(2, 14)).toBe("30CBBC08863D8C85D49DB34A9AE1");
  expect(derived(1, 20)).toBe("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
});

for (const suite of suites) {
  describe(suite.name, () => {
    const key = (seed: number) => seededRandom(seed).bytes(suite.octets).slice();

    /** Two cores with SRTP between them: what goes in plain at one comes out plain at the other. */
    async function joined(setup = {}) {
      const [near, far] = [await rig(), await rig()];
      const a = pair(near, suite, key(1), key(2), setup);
      const b = pair(far, suite, key(2), key(1), setup);
      const send = (packet: Buffer) => near.datagram(a.plain, packet)[0]!.bytes;
      const hear = (bytes: Buffer) => far.datagram(b.secure, bytes, 5000).map((sent) => sent.bytes);
      return { near, far, a, b, send, hear };
    }

    test("what is sent is not what was said, and is heard as it was, header and all lengths of payload", async () => {
      const { send, hear } = await joined();
      for (let octets = 1; octets < 340; octets += 13) {
        const payload = seededRandom(octets).bytes(octets);
        const sent = send(rtp({ sequence: octets, timestamp: 160 * octets, payload, marker: octets === 1 }));
        expect(sent.length).toBe(12 + octets + suite.tagOctets);
        if (octets > 20) expect(sent.includes(Buffer.from(payload.subarray(0, 16)))).toBe(false);
        const [heard] = hear(sent);
        expect(readRtp(heard!).payload.equals(Buffer.from(payload))).toBe(true);
      }
    });

    test("through two roll-overs with 5 % loss and packets up to 60 late; each once only", async () => {
      const { far, b, send, hear } = await joined();
      const random = seededRandom(3);
      const waiting: { due: number; bytes: Buffer; said: number }[] = [];
      const every: Buffer[] = [];
      let [passed, kept] = [0, 0];
      const step = 23; // of the sequence: 131,072 numbers in 5,700 packets
      for (let n = 0; n < 5700; n++) {
        const payload = Buffer.alloc(40, n & 255);
        payload.writeUInt32BE(n);
        const bytes = send(rtp({ sequence: (n * step) & 0xffff, timestamp: 160 * n, payload }));
        if (random.below(20) !== 0) {
          const late = random.below(25) === 0 ? 1 + random.below(2) : 0; // at most 46 numbers back
          waiting.push({ due: n + late, bytes, said: n });
          kept++;
        }
        for (const packet of waiting.filter(({ due }) => due <= n)) {
          waiting.splice(waiting.indexOf(packet), 1);
          const copy = Buffer.from(packet.bytes);
          const [heard] = hear(packet.bytes);
          if (heard && readRtp(heard).payload.readUInt32BE(0) === packet.said) passed++;
          if (every.length < 4000) every.push(copy);
        }
      }
      const left = waiting.length;
      expect(far.stat(b.secure, BAD)).toBe(0);
      expect(far.stat(b.secure, RECEIVED)).toBe(kept - left);
      expect(passed).toBeGreaterThan((kept - left) * 0.99); // the bridge drops what is older than its mapping
      const before = far.stat(b.secure, RECEIVED);
      for (const bytes of every) expect(hear(bytes)).toEqual([]);
      expect(far.stat(b.secure, RECEIVED)).toBe(before);
    });

    test("forged, cut, plain and replayed packets are dropped and counted; the call goes on", async () => {
      const { far, b, send, hear } = await joined();
      const random = seededRandom(4);
      let [forged, replayed] = [0, 0];
      for (let n = 0; n < 300; n++) {
        const bytes = send(rtp({ sequence: n, timestamp: 160 * n }));
        const changed = Buffer.from(bytes);
        const at = random.below(bytes.length);
        changed[at] = changed[at]! ^ (1 << random.below(8));
        if (at > 0) { // the first octet is also version and lengths
          expect(hear(changed)).toEqual([]);
          forged++;
        }
        const cut = bytes.subarray(0, 12 + random.below(bytes.length - 12));
        expect(hear(Buffer.from(cut))).toEqual([]);
        expect(hear(rtp({ sequence: n, timestamp: 160 * n, ssrc: 0xbad }))).toEqual([]);
        forged += 2;
        expect(hear(Buffer.from(bytes))).toHaveLength(1);
        expect(hear(Buffer.from(bytes))).toEqual([]);
        replayed++;
      }
      // A changed sequence number may look like one that was there already.
      expect(far.stat(b.secure, BAD) + far.stat(b.secure, REPLAYED)).toBe(forged + replayed);
      expect(far.stat(b.secure, REPLAYED)).toBeGreaterThanOrEqual(replayed);
      expect(far.stat(b.secure, RECEIVED)).toBe(300);
    });

    test("a listener that joins late hears; also one that missed the roll-over", async () => {
      for (const from of [1, 2]) { // packets before or after the number on the wire turns over
        const { far, b, send, hear } = await joined();
        let [before, turned, heard] = [0, false, 0];
        for (let n = 0; heard < 20; n++) {
          const bytes = send(rtp({ sequence: (n * 1000) & 0xffff, timestamp: 160 * n }));
          const number = bytes.readUInt16BE(2);
          turned ||= number < before;
          before = number;
          if (from === 1 ? n > 3 : turned) {
            expect(hear(bytes)).toHaveLength(1);
            heard++;
          }
        }
        expect(far.stat(b.secure, BAD)).toBe(0);
      }
    });

    test("reports are protected, heard, and not heard twice", async () => {
      for (const mux of [0, 8]) {
        const { near, far, b, send, hear } = await joined({ flags: 3 | mux });
        const sent: Buffer[] = [];
        for (let n = 0; n < 600; n++) {
          hear(send(rtp({ sequence: n, timestamp: 160 * n })));
          far.tick();
          for (const packet of near.tick()) {
            if ((packet.bytes[1] ?? 0) === 200 && packet.port >= 5000) sent.push(packet.bytes);
          }
        }
        expect(sent.length).toBeGreaterThan(1);
        const port = mux ? 5000 : 5001;
        const options = { rtcp: mux === 0 };
        for (const bytes of sent) {
          expect(bytes.includes(Buffer.from("patchbay"))).toBe(false);
          const wrong = Buffer.from(bytes);
          wrong[20] = wrong[20]! ^ 1;
          far.datagram(b.secure, wrong, port, options);
          far.datagram(b.secure, Buffer.from(bytes), port, options);
          far.datagram(b.secure, Buffer.from(bytes), port, options);
        }
        expect(far.stat(b.secure, BAD)).toBe(sent.length);
        expect(far.stat(b.secure, REPLAYED)).toBe(sent.length);
        expect(far.stat(b.secure, 9)).toBe(0); // malformed
        // What came in is repeated in the next report: LSR and DLSR are no longer 0.
        const report = far.ticks(400).find((packet) =>
          packet.port === 5000 + Number(mux === 0) && packet.bytes[1]! >= 200
        );
        expect(report).toBeDefined();
      }
    });

    test("the same keys again change nothing; new ones count from then on, with a counter that begins again or goes on", async () => {
      for (const again of [true, false]) {
        const { near, far, a, b, send, hear } = await joined();
        let sequence = 0;
        let time = 0;
        const say = (count: number) => {
          for (let n = 0; n < count; n++) {
            const bytes = send(rtp({ sequence: sequence & 0xffff, timestamp: time += 160 }));
            sequence += 500;
            expect(hear(bytes)).toHaveLength(1);
          }
        };
        say(200); // turns over once
        protect(near, a.secure, suite, key(1), key(2));
        protect(far, b.secure, suite, key(2), key(1));
        say(50);
        const old = send(rtp({ sequence, timestamp: time }));
        sequence += 500;
        protect(far, b.secure, suite, key(2), key(7));
        expect(hear(old)).toEqual([]);
        expect(far.stat(b.secure, BAD)).toBe(1);
        if (again) { // the peer made a new context: its counter is 0
          const fresh = await rig();
          const c = pair(fresh, suite, key(7), key(2));
          for (let n = 0; n < 10; n++) {
            const bytes = fresh.datagram(c.plain, rtp({ sequence: n, timestamp: 160 * n }))[0]!.bytes;
            expect(far.datagram(b.secure, bytes, 5000)).toHaveLength(1);
          }
        } else {
          protect(near, a.secure, suite, key(7), key(2));
          say(50);
        }
      }
    });

    test("a stream that moves to another core takes keys, counters and windows along, and leaves no key", async () => {
      const { far, b, send, hear } = await joined();
      let old: Buffer = Buffer.alloc(0);
      for (let n = 0; n < 200; n++) {
        old = send(rtp({ sequence: (n * 500) & 0xffff, timestamp: 160 * n }));
        hear(Buffer.from(old));
      }
      const record = Buffer.from(
        far.octets.subarray(far.core.streamRecord(b.secure)).subarray(0, far.core.streamRecordBytes()),
      );
      far.core.streamClose(b.secure);
      for (const secret of [key(1), key(2)]) expect(far.octets.includes(Buffer.from(secret))).toBe(false);
      const next = await rig();
      next.octets.set(record, next.core.streamLanding());
      const moved = next.core.streamAdopt(next.core.streamLanding());
      next.core.bridgeEcho(moved);
      expect(next.datagram(moved, Buffer.from(old), 5000)).toEqual([]);
      expect(next.stat(moved, REPLAYED)).toBe(1);
      const bytes = send(rtp({ sequence: (200 * 500) & 0xffff, timestamp: 160 * 200 }));
      expect(next.datagram(moved, bytes, 5000)).toHaveLength(1);
      expect(next.octets.subarray(next.core.streamLanding()).subarray(0, 1536).includes(Buffer.from(key(1)))).toBe(
        false,
      );
    });
  });
}

test("keys that cannot be are refused, and change nothing", async () => {
  const core = await rig();
  const slot = core.open();
  for (
    const [kind, key, tag] of [[1, 20, 10], [1, 16, 16], [2, 24, 16], [2, 16, 10], [3, 16, 10], [-1, 0, 0]] as const
  ) {
    expect(core.core.streamSrtp(slot, kind, key, tag)).toBe(-1);
  }
  expect(core.core.streamSrtp(4000, 1, 16, 10)).toBe(-1);
  core.core.bridgeEcho(slot);
  expect(core.datagram(slot, rtp({ sequence: 1, timestamp: 0 }))[0]!.bytes.length).toBe(172);
});

test("a source that changes five times is heard each time, and none of its old packets is", async () => {
  const suite = suites[0]!;
  const [near, far] = [await rig(), await rig()];
  const key = (seed: number) => seededRandom(seed).bytes(suite.octets).slice();
  const b = pair(far, suite, key(2), key(1), { strict: 0 });
  const old: Buffer[] = [];
  for (let source = 0; source < 5; source++) {
    const a = pair(near, suite, key(1), key(2)); // each has an SSRC of its own
    for (let n = 0; n < 10; n++) {
      const bytes = near.datagram(a.plain, rtp({ sequence: n, timestamp: 160 * n }))[0]!.bytes;
      if (source > 1) old.push(Buffer.from(bytes));
      expect(far.datagram(b.secure, bytes, 5000)).toHaveLength(1);
    }
  }
  for (const bytes of old) expect(far.datagram(b.secure, bytes, 5000)).toEqual([]);
  expect(far.stat(b.secure, REPLAYED)).toBe(30);
});
