// Datagrams that mean harm, and what must stand them: shared by the test and by bench/hostile.ts.
import { seededRandom } from "../virtual_world.ts";
import { OTHER, PCMA, PCMU, readRtp, Rig, rtp } from "./rig.ts";
import { protect, suites } from "./srtp_rig.ts";

type Random = ReturnType<typeof seededRandom>;

function valid(random: Random, sequence: number): Buffer {
  const kind = random.below(6);
  if (kind === 0) return Buffer.from([0x80, 200 + random.below(7), 0, 6, ...random.bytes(24)]);
  if (kind === 1) return Buffer.from([0x81, 201, 0, 7, ...random.bytes(28), 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 65, 66]);
  const payload = kind === 2 ? random.bytes(4) : random.bytes(random.below(400));
  const payloadType = [0, 8, 13, 97, 101, random.below(128)][random.below(6)]!;
  return rtp({ payloadType, sequence, timestamp: random.uint32(), ssrc: random.below(4), payload });
}

/** A datagram that is random, cut short, or a good one with octets changed. */
export function hostile(random: Random, sequence: number): Buffer {
  const kind = random.below(4);
  if (kind === 0) return Buffer.from(random.bytes(random.below(1600)));
  const bytes = valid(random, sequence);
  if (kind === 1) return bytes.subarray(0, random.below(bytes.length + 1));
  for (let i = random.below(6); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

/** A packet that was authentic, with octets changed or cut. */
function changed(random: Random, sealed: Buffer): Buffer {
  const bytes = Buffer.from(sealed);
  for (let i = random.below(3); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return random.below(3) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
}

const PLAIN = [
  { strict: 0, flags: 3 | 4 | 16, accepted: [PCMU, PCMA, OTHER] },
  { strict: 0, flags: 3 | 8 | 32, accepted: [PCMU, PCMA] },
  { strict: 1, flags: 3 | 16 },
  { strict: 2, flags: 3 | 8 | 16, codec: PCMA },
];
const CANARY = 1 << 20; // octets at the end of the memory, which belong to nobody
const UNTOUCHED = 0xa5;

/** A core under attack: streams of every kind, between them some that nobody speaks to, and a call that must not notice. */
export class Attack {
  readonly #random: Random;
  readonly #slots: number[] = [];
  readonly #sealed: Buffer[] = [];
  readonly #canaries: { readonly slot: number; readonly record: Buffer }[] = [];
  readonly #octets: number;
  readonly #call: readonly [number, number];
  #sequence = 0;
  #said = 0;
  #heard: number | undefined;

  constructor(readonly core: Rig, seed: number) {
    const { core: wasm, octets } = core;
    this.#random = seededRandom(seed);
    this.#octets = octets.length;
    octets.fill(UNTOUCHED, octets.length - CANARY);
    this.#call = [core.open({ port: 6000 }), core.open({ port: 6002 })];
    wasm.bridgeConnect(...this.#call);
    const add = (setup: Parameters<Rig["open"]>[0]) => {
      const slot = core.open(setup);
      this.#slots.push(slot);
      const canary = wasm.streamOpen();
      this.#canaries.push({ slot: canary, record: this.#record(canary) });
      return slot;
    };
    for (const setup of PLAIN) add({ timeout: 1, keepalive: 1, ...setup });
    const [a = 0, b = 0, c = 0, d = 0] = this.#slots;
    wasm.bridgeConnect(a, d);
    wasm.conferenceJoin(b, 1, 0);
    wasm.bridgeEcho(c);
    wasm.recorderSet(a, 1);
    for (const suite of suites) {
      const key = this.#random.bytes(suite.octets).slice();
      const slot = add({ strict: 0, flags: 3 | 8 | 16, keepalive: 1 });
      protect(core, slot, suite, key, key); // what it sends comes back to it, changed
      wasm.bridgeEcho(slot);
    }
  }

  #record(slot: number): Buffer {
    const at = this.core.core.streamRecord(slot);
    return Buffer.from(this.core.octets.subarray(at, at + this.core.core.streamRecordBytes()));
  }

  /** Streams with SRTP. */
  get secure(): readonly number[] {
    return this.#slots.slice(PLAIN.length);
  }

  /** One more datagram. Throws when the call beside it notices. */
  step(): void {
    const random = this.#random;
    const i = this.#sequence++;
    const at = random.below(this.#slots.length);
    const rtcp = random.below(5) === 0;
    const old = at >= PLAIN.length && i % 3 === 0 ? this.#sealed[random.below(this.#sealed.length || 1)] : undefined;
    const bytes = old ? changed(random, old) : hostile(random, i & 0xffff);
    this.core.datagram(this.#slots[at] ?? 0, bytes, 4000 + Number(rtcp), { rtcp });
    if (i % 20 === 0) {
      for (const sent of this.core.tick()) {
        if (this.#slots.indexOf(sent.slot) >= PLAIN.length) this.#sealed.push(sent.bytes);
      }
    }
    if (this.#sealed.length > 100) this.#sealed.splice(0, 50);
    if (i % 50 === 0) this.speak();
    if (i % 500 === 0) this.core.notices();
  }

  /** A packet of the call comes through as if nothing happened. */
  speak(): void {
    const sequence = this.#said++ & 0xffff;
    const payload = new Uint8Array(160).fill(sequence);
    const sent = this.core.datagram(this.#call[0], rtp({ sequence, timestamp: 160 * this.#said, payload }), 6000);
    const packet = sent[0] && readRtp(sent[0].bytes);
    if (sent.length !== 1 || !packet?.payload.equals(payload)) {
      throw new Error(`packet ${sequence} of the call was not passed on`);
    }
    if (this.#heard !== undefined && packet.sequence !== ((this.#heard + 1) & 0xffff)) {
      throw new Error("a number is missing");
    }
    this.#heard = packet.sequence;
  }

  /** Throws when something was written where nobody was spoken to, or the memory grew. */
  check(): void {
    if (this.core.core.memory.buffer.byteLength !== this.#octets) throw new Error("the memory grew");
    for (const { slot, record } of this.#canaries) {
      if (!this.#record(slot).equals(record)) throw new Error(`stream ${slot}, to which nobody speaks, was changed`);
    }
    const end = this.core.octets.subarray(this.#octets - CANARY);
    if (end.some((octet) => octet !== UNTOUCHED)) throw new Error("something was written behind the arenas");
  }
}
