// Digits, and what is none, over the whole range that a receiver of DTMF is judged by: rows of sounds from a seed.
import {
  addNoise,
  addSine,
  between,
  colouredNoise,
  type Desk,
  DIGITS,
  g711,
  hearDigits,
  hertzOf,
  peakOf,
  pick,
  type Random,
  toPcm,
} from "./sound.ts";

export interface Digit {
  digit: string;
  on: number; // ms
  off: number; // ms
  level: number; // dBm0 of the stronger tone
  twist: number; // dB, high minus low
  detune: [number, number]; // relative
  gap?: number; // ms of a break in the middle
}

interface Line {
  digits: Digit[];
  noise?: number; // dB below the digit
  dial?: { count: 1 | 2; below: number };
  echo?: number; // ms
  law?: "ulaw" | "alaw";
}

export function plain(rnd: Random, more: Partial<Digit> = {}): Digit {
  return {
    digit: DIGITS[Math.floor(rnd() * 16)] ?? "0",
    on: 40 + rnd() * 60,
    off: 40 + rnd() * 60,
    level: -3 - rnd() * 22,
    twist: 0,
    detune: [0, 0],
    ...more,
  };
}

/** One second of silence at the end; levels of noise and dial tone are against the first digit. */
export function sound(line: Line, rnd: Random): Float64Array {
  const ms = line.digits.reduce((sum, d) => sum + d.on + d.off, 0);
  const out = new Float64Array(Math.ceil((ms + 300) * 8));
  let at = 800 + Math.floor(rnd() * 160);
  for (const d of line.digits) {
    const [low, high] = hertzOf(d.digit);
    const lowPeak = peakOf(d.level - Math.max(0, d.twist));
    const highPeak = peakOf(d.level + Math.min(0, d.twist));
    const length = Math.ceil(d.on * 8);
    addSine(out, at, length, low * (1 + d.detune[0]), lowPeak, rnd() * 6.283);
    addSine(out, at, length, high * (1 + d.detune[1]), highPeak, rnd() * 6.283);
    if (d.gap) {
      const from = at + Math.floor((length - d.gap * 8) / 2);
      out.fill(0, from, from + Math.floor(d.gap * 8));
    }
    at += length + Math.ceil(d.off * 8);
  }
  const first = line.digits[0];
  const power = first
    ? (peakOf(first.level - Math.max(0, first.twist)) ** 2 + peakOf(first.level + Math.min(0, first.twist)) ** 2) / 2
    : 0;
  if (line.echo !== undefined) {
    const delay = Math.floor(line.echo * 8);
    for (let n = out.length - 1; n >= delay; n--) out[n] = (out[n] ?? 0) + 0.3162 * (out[n - delay] ?? 0);
  }
  if (line.dial) {
    for (let i = 0; i < line.dial.count; i++) {
      const peak = Math.sqrt(power * 10 ** (-line.dial.below / 10) * 2);
      addSine(out, 0, out.length, 350 + rnd() * 100, peak, rnd() * 6.283);
    }
  }
  if (line.noise !== undefined) addNoise(out, power * 10 ** (-line.noise / 10), rnd);
  return out;
}

/** Digits that were missed, doubled or wrong, by edit distance of one position each. */
export function faults(sent: string, heard: string): number {
  let row = Array.from({ length: heard.length + 1 }, (_, j) => j);
  for (let i = 1; i <= sent.length; i++) {
    const next = [i];
    for (let j = 1; j <= heard.length; j++) {
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (sent[i - 1] === heard[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[heard.length] ?? 0;
}

/** Faults over `count` digits in lines of ten. */
export function sweep(on: Desk, count: number, rnd: Random, make: (i: number) => Line): number {
  let bad = 0;
  for (let i = 0; i < count; i += 10) {
    const line = make(i / 10);
    let pcm = toPcm(sound(line, rnd));
    if (line.law) pcm = g711(on, pcm, line.law);
    bad += faults(line.digits.map((d) => d.digit).join(""), hearDigits(on, pcm).map(({ what }) => what).join(""));
  }
  return bad;
}

const ten = (make: () => Digit): Digit[] => Array.from({ length: 10 }, make);
const edge = (rnd: Random): number => pick(rnd, -0.015, 0.015, 0, between(rnd, -0.015, 0.015));

/** Every "must" row of the limits. */
export const musts: Record<string, (rnd: Random) => Line> = {
  "level -25 .. -3": (r) => ({ digits: ten(() => plain(r)) }),
  "level -40 .. -25": (r) => ({ digits: ten(() => plain(r, { level: between(r, -40, -25) })) }),
  "0 dBm0 clipped": (r) => ({ digits: ten(() => plain(r, { level: 0 })) }),
  "+-1.5 % on both": (r) => ({
    digits: ten(() => plain(r, { detune: [pick(r, -0.015, 0.015), pick(r, -0.015, 0.015)] })),
  }),
  "+-1.5 % random": (r) => ({ digits: ten(() => plain(r, { detune: [edge(r), edge(r)] })) }),
  "twist -8 .. +4": (r) => ({ digits: ten(() => plain(r, { twist: pick(r, -8, 4, between(r, -8, 4)) })) }),
  "40 / 40 ms": (r) => ({ digits: ten(() => plain(r, { on: 40, off: 40 })) }),
  "40 / 40 ms, same digit": (r) => {
    const digit = pick(r, ...DIGITS);
    return { digits: ten(() => plain(r, { digit, on: 40, off: 40, level: -10 })) };
  },
  "93 ms per digit": (r) => {
    const on = between(r, 40, 53);
    return { digits: ten(() => plain(r, { on, off: 93 - on, level: -10 })) };
  },
  "break of 1 .. 10 ms in 100 ms": (r) => ({
    digits: ten(() => plain(r, { on: between(r, 95, 200), gap: between(r, 1, 10) })),
  }),
  "ulaw": (r) => ({ digits: ten(() => plain(r, { level: between(r, -40, -3) })), law: "ulaw" }),
  "alaw": (r) => ({ digits: ten(() => plain(r, { level: between(r, -40, -3) })), law: "alaw" }),
  "echo 10 dB, up to 20 ms": (r) => ({ digits: ten(() => plain(r)), echo: between(r, 0, 20) }),
  "echo, 40 / 40 ms": (r) => ({
    digits: ten(() => plain(r, { on: 40, off: 40, level: -10 })),
    echo: between(r, 0, 20),
  }),
  "noise 18 dB": (r) => ({ digits: ten(() => plain(r, { level: -10 })), noise: 18 }),
  "noise 15 dB": (r) => ({ digits: ten(() => plain(r, { level: -10 })), noise: 15 }),
  "noise 12 dB": (r) => ({ digits: ten(() => plain(r, { level: -10 })), noise: 12 }),
  "noise 12 dB, twist, 1.5 %, 40 ms": (r) => {
    const twist = between(r, -8, 4);
    return {
      digits: ten(() => plain(r, { level: -10, twist, on: 40, off: 40, detune: [edge(r), edge(r)] })),
      noise: 12,
    };
  },
  "dial tone 15 dB": (r) => ({
    digits: ten(() => plain(r, { level: -10 })),
    dial: { count: pick(r, 1, 2), below: 15 },
  }),
  "all together": (r) => {
    const [level, twist] = [between(r, -25, -3), between(r, -8, 4)];
    return {
      digits: ten(() => plain(r, { on: between(r, 42, 100), level, twist, detune: [edge(r), edge(r)] })),
      law: pick(r, "ulaw", "alaw", undefined),
      ...(r() < 0.5 ? { noise: between(r, 18, 30) } : {}),
      ...(r() < 0.5 ? { dial: { count: pick(r, 1, 2), below: between(r, 15, 25) } } : {}),
      ...(r() < 0.5 ? { echo: between(r, 0, 20) } : {}),
    };
  },
};

/** Rows that are wanted, with the share of faults that is let pass. */
export const wanted: Record<string, { most: number; make: (rnd: Random) => Line }> = {
  "break of 10 ms in 60 .. 95 ms": {
    most: 0.4,
    make: (r) => ({ digits: ten(() => plain(r, { on: between(r, 60, 95), gap: 10 })) }),
  },
  "dial tone 10 dB": {
    most: 0.003,
    make: (r) => ({
      digits: ten(() => plain(r, { level: -10 })),
      dial: { count: pick(r, 1, 2), below: 10 },
    }),
  },
};

/** Two tones that are no digit. */
function pair(
  rnd: Random,
  low: number,
  high: number,
  on: number,
  level = between(rnd, -25, -3),
  twist = 0,
): Float64Array {
  const out = new Float64Array(Math.ceil((on + 160) * 8));
  const at = 400 + Math.floor(rnd() * 160);
  addSine(out, at, Math.floor(on * 8), low, peakOf(level - Math.max(0, twist)), rnd() * 6.283);
  addSine(out, at, Math.floor(on * 8), high, peakOf(level + Math.min(0, twist)), rnd() * 6.283);
  return out;
}

const far = (rnd: Random) => pick(rnd, -1, 1) * pick(rnd, 0.035, 0.035, between(rnd, 0.035, 0.06));
const mf = [700, 900, 1100, 1300, 1500, 1700];

/** Every "never" row of the limits. */
export const nevers: Record<string, (rnd: Random) => Float64Array> = {
  "low off by 3.5 %": (r) => {
    const [l, h] = hertzOf(pick(r, ...DIGITS));
    return pair(r, l * (1 + far(r)), h * (1 + pick(r, 0, edge(r))), between(r, 40, 300), undefined, between(r, -8, 4));
  },
  "high off by 3.5 %": (r) => {
    const [l, h] = hertzOf(pick(r, ...DIGITS));
    return pair(r, l * (1 + pick(r, 0, edge(r))), h * (1 + far(r)), between(r, 40, 300), undefined, between(r, -8, 4));
  },
  "20 ms": (r) => {
    const [l, h] = hertzOf(pick(r, ...DIGITS));
    return pair(r, l, h, pick(r, 20, between(r, 5, 20)));
  },
  "-55 dBm0": (r) => {
    const [l, h] = hertzOf(pick(r, ...DIGITS));
    return pair(r, l, h, 100, -55);
  },
  "one tone": (r) => pair(r, pick(r, ...hertzOf(pick(r, ...DIGITS))), 0, 200),
  "one group": (r) => {
    const [a, c] = hertzOf(pick(r, ...DIGITS));
    const [b, d] = hertzOf(pick(r, ...DIGITS));
    return r() < 0.5 ? pair(r, a, a === b ? 0 : b, 200) : pair(r, c, c === d ? 0 : d, 200);
  },
  "three tones": (r) => {
    const [l, h] = hertzOf(pick(r, ...DIGITS));
    const level = between(r, -20, -6);
    const out = pair(r, l, h, 200, level);
    const all = [697, 770, 852, 941, 1209, 1336, 1477, 1633].filter((f) => f !== l && f !== h);
    addSine(out, 0, out.length, pick(r, ...all), peakOf(level), r() * 6.283);
    return out;
  },
  "MF pairs": (r) => {
    const a = Math.floor(r() * 6);
    const b = (a + 1 + Math.floor(r() * 5)) % 6;
    return pair(r, mf[a] ?? 0, mf[b] ?? 0, pick(r, 55, 68, 75, 100, 120));
  },
  "call progress": (r) => {
    const [a, b] = pick(
      r,
      [350, 440],
      [440, 480],
      [480, 620],
      [440, 0],
      [425, 0],
      [400, 450],
      [950, 1400],
      [1400, 1800],
      [1100, 0],
      [2100, 0],
      [913.8, 1370.6],
      [985.2, 1428.5],
      [1776.7, 0],
      [1650, 1850],
    );
    return pair(r, a ?? 0, b ?? 0, between(r, 200, 500));
  },
  "white noise": (r) => {
    const out = new Float64Array(16000);
    addNoise(out, peakOf(between(r, -40, -10)) ** 2 / 2, r);
    return out;
  },
  "coloured noise": colouredNoise,
};

/** 100 ms digits of which whole 20 ms packets are lost. Answers missed and added. */
export function lossy(
  on: Desk,
  count: number,
  rnd: Random,
  loss: number,
  fill: "zero" | "repeat",
): { missed: number; added: number } {
  let missed = 0;
  let added = 0;
  for (let i = 0; i < count; i++) {
    const pcm = toPcm(sound({ digits: [plain(rnd, { on: 100, off: 100 })] }, rnd));
    for (let from = 160; from < pcm.length; from += 160) {
      if (rnd() >= loss) continue;
      if (fill === "zero") pcm.fill(0, from, from + 160);
      else pcm.copyWithin(from, from - 160, Math.min(from, pcm.length - 160));
    }
    const heard = hearDigits(on, pcm).length;
    if (heard === 0) missed++;
    if (heard > 1) added++;
  }
  return { missed, added };
}
