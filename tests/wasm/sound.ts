// Sounds to listen to: everything from a seed, 8 kHz unless said otherwise.
import { loadCore } from "../../src/worker/core.ts";

export type Random = () => number;

/** Uniform in 0 .. 1, the same for the same seed. */
export function random(seed: number): Random {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6D2B79F5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function gauss(rnd: Random): number {
  return Math.sqrt(-2 * Math.log(1 - rnd())) * Math.cos(2 * Math.PI * rnd());
}

export const between = (rnd: Random, low: number, high: number) => low + rnd() * (high - low);
export const pick = <T>(rnd: Random, ...of: T[]): T => of[Math.floor(rnd() * of.length)] as T; // never empty

/** Peak of a sine: full scale is +3.14 dBm0. */
export function peakOf(dbm0: number): number {
  return 32767 * 10 ** ((dbm0 - 3.14) / 20);
}

/** Power of a level as the mean of squares. */
export function powerOf(dbm0: number): number {
  return peakOf(dbm0) ** 2 / 2;
}

export function addSine(
  to: Float64Array,
  from: number,
  length: number,
  hertz: number,
  peak: number,
  phase: number,
  rate = 8000,
) {
  const end = Math.min(to.length, from + length);
  for (let n = Math.max(0, from); n < end; n++) {
    to[n] = (to[n] ?? 0) + peak * Math.sin(phase + 2 * Math.PI * hertz * (n - from) / rate);
  }
}

export function addNoise(to: Float64Array, power: number, rnd: Random) {
  const deviation = Math.sqrt(power);
  for (let n = 0; n < to.length; n++) to[n] = (to[n] ?? 0) + deviation * gauss(rnd);
}

export function toPcm(sound: Float64Array): Int16Array {
  return Int16Array.from(sound, (x) => Math.max(-32768, Math.min(32767, Math.round(x))));
}

export const DIGITS = "123A456B789C*0#D";
export const LOW = [697, 770, 852, 941] as const;
export const HIGH = [1209, 1336, 1477, 1633] as const;

/** Hertz of both tones of a digit. */
export function hertzOf(digit: string): [number, number] {
  const at = DIGITS.indexOf(digit);
  return [LOW[at >> 2] ?? 0, HIGH[at & 3] ?? 0];
}

/** The core with its workbench as views. */
export async function desk() {
  const core = await loadCore();
  const offset = core.workbenchOffset();
  return {
    core,
    offset,
    samples: new Int16Array(core.memory.buffer, offset, 131072),
    octets: new Uint8Array(core.memory.buffer, offset, 262144),
  };
}

export type Desk = Awaited<ReturnType<typeof desk>>;

/** Through G.711 and back. */
export function g711({ core, offset, samples }: Desk, pcm: Int16Array, law: "ulaw" | "alaw"): Int16Array {
  const out = new Int16Array(pcm.length);
  const octets = offset + 131072;
  for (let from = 0; from < pcm.length; from += 8000) {
    const part = pcm.subarray(from, from + 8000);
    samples.set(part);
    if (law === "ulaw") {
      core.g711EncodeUlaw(octets, offset, part.length);
      core.g711DecodeUlaw(offset, octets, part.length);
    } else {
      core.g711EncodeAlaw(octets, offset, part.length);
      core.g711DecodeAlaw(offset, octets, part.length);
    }
    out.set(samples.subarray(0, part.length), from);
  }
  return out;
}

/** What a receiver of the core reports, fed in 20 ms frames, with the samples consumed when each was declared. */
export function hear({ offset, samples }: Desk, pcm: Int16Array, feed: (offset: number, count: number) => number) {
  const heard: { what: string; at: number }[] = [];
  for (let from = 0; from < pcm.length; from += 160) {
    const part = pcm.subarray(from, from + 160);
    samples.set(part);
    const what = feed(offset, part.length);
    if (what > 0) heard.push({ what: String.fromCharCode(what), at: from + part.length });
  }
  return heard;
}

export function hearDigits(on: Desk, pcm: Int16Array) {
  on.core.dtmfReset(0);
  return hear(on, pcm, (offset, count) => on.core.dtmfFeed(0, offset, count));
}

export function hearFaxTones(on: Desk, pcm: Int16Array) {
  on.core.faxToneReset(0);
  return hear(on, pcm, (offset, count) => on.core.faxToneFeed(0, offset, count));
}

/** Three seconds of noise, more of it at low frequencies. */
export function colouredNoise(rnd: Random): Float64Array {
  const share = 0.98 * rnd();
  let y = 0;
  return Float64Array.from({ length: 24_000 }, () => {
    y = share * y + gauss(rnd) * Math.sqrt(1 - share * share);
    return y * 7000;
  });
}
