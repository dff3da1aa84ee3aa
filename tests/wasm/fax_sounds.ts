// Fax tones, and what is none, over the whole range that their receivers are judged by: rows of sounds from a seed.
import {
  addNoise,
  addSine,
  between,
  colouredNoise,
  type Desk,
  g711,
  peakOf,
  pick,
  type Random,
  toPcm,
} from "./sound.ts";

interface Sound {
  pcm: Int16Array;
  /** Sample at which the tone begins, and the last at which it must be declared. */
  from: number;
  until: number;
}

/** V.21 channel 2 at 300 bit/s: `octets` flags, from any phase. */
export function flags(to: Float64Array, at: number, count: number, peak: number, phase: number) {
  let angle = phase;
  const bits = [0, 1, 1, 1, 1, 1, 1, 0];
  for (let n = 0; n < count * 8 * 80 / 3; n++) {
    const bit = bits[Math.floor(n * 3 / 80) % 8];
    angle += 2 * Math.PI * (bit ? 1650 : 1850) / 8000;
    if (at + n < to.length) to[at + n] = (to[at + n] ?? 0) + peak * Math.sin(angle);
  }
}

function tone(rnd: Random, hertz: number, ms: number, { level = between(rnd, -35, -5), snr = 0 } = {}) {
  const out = new Float64Array(Math.ceil((ms + 300) * 8));
  const from = 800 + Math.floor(rnd() * 160);
  addSine(out, from, Math.floor(ms * 8), hertz, peakOf(level), rnd() * 6.283);
  if (snr) addNoise(out, peakOf(level) ** 2 / 2 * 10 ** (-snr / 10), rnd);
  return { out, from };
}

function cng(rnd: Random, off: number, snr = 0): Sound {
  const { out, from } = tone(rnd, 1100 + off, 500, { snr });
  return { pcm: toPcm(out), from, until: from + 3600 };
}

function ced(rnd: Random, off: number, snr = 0): Sound {
  const { out, from } = tone(rnd, 2100 + off, between(rnd, 2600, 4000), { snr });
  return { pcm: toPcm(out), from, until: from + 20000 };
}

function v21(rnd: Random, snr = 0): Sound {
  const out = new Float64Array(10000);
  const from = 400 + Math.floor(rnd() * 160);
  const level = between(rnd, -35, -5);
  flags(out, from, 37, peakOf(level), rnd() * 6.283);
  if (snr) addNoise(out, peakOf(level) ** 2 / 2 * 10 ** (-snr / 10), rnd);
  return { pcm: toPcm(out), from, until: from + 1600 };
}

const coded = (on: Desk, rnd: Random, sound: Sound): Sound => ({
  ...sound,
  pcm: g711(on, sound.pcm, pick(rnd, "ulaw", "alaw")),
});

export const musts: Record<string, [string, (rnd: Random, on: Desk) => Sound]> = {
  "CNG +-15 Hz": ["f", (r) => cng(r, pick(r, -15, 15, between(r, -15, 15)))],
  "CNG +-38 Hz": ["f", (r) => cng(r, pick(r, -38, 38, between(r, -38, 38)))],
  "CNG G.711": ["f", (r, on) => coded(on, r, cng(r, between(r, -15, 15)))],
  "CNG 20 dB": ["f", (r) => cng(r, between(r, -15, 15), 20)],
  "CNG 15 dB": ["f", (r) => cng(r, between(r, -38, 38), 15)],
  "CED +-15 Hz": ["e", (r) => ced(r, pick(r, -15, 15, between(r, -15, 15)))],
  "CED G.711": ["e", (r, on) => coded(on, r, ced(r, between(r, -15, 15)))],
  "CED 20 dB": ["e", (r) => ced(r, between(r, -15, 15), 20)],
  "CED 15 dB": ["e", (r) => ced(r, between(r, -15, 15), 15)],
  "V.21": ["v", (r) => v21(r)],
  "V.21 G.711": ["v", (r, on) => coded(on, r, v21(r))],
  "V.21 30 dB": ["v", (r) => v21(r, 30)],
  "V.21 20 dB": ["v", (r) => v21(r, 20)],
};

export const nevers: Record<string, (rnd: Random) => Int16Array> = {
  "CNG of 400 ms": (r) => toPcm(tone(r, 1100 + between(r, -15, 15), 400).out),
  "other tones": (r) =>
    toPcm(tone(r, pick(r, 1000, 1004, 1209, 2060, 2225, 2600, 350, 440, 480, 620, 1336, 1633, 1650, 1850), 3500).out),
  "DTMF": (r) => {
    const { out, from } = tone(r, pick(r, 697, 770, 852, 941), 800, { level: -10 });
    addSine(out, from, 6400, pick(r, 1209, 1336, 1477, 1633), peakOf(-8), 0);
    return toPcm(out);
  },
  "ring, busy, dial": (r) => {
    const [a, b] = pick(r, [440, 480], [480, 620], [350, 440], [950, 1400]);
    const { out, from } = tone(r, a ?? 0, 3000, { level: -12 });
    addSine(out, from, 24000, b ?? 0, peakOf(-12), 0);
    return toPcm(out);
  },
  "noise": (r) => toPcm(colouredNoise(r)),
};
