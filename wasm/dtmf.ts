// In-band DTMF receiver at 8 kHz (ITU-T Q.24).
//
// Blocks of 5 ms are projected on the eight frequencies. Seven blocks that look like one tone of each group are then
// fitted in full: the two frequencies are measured by the advance of phase from the first half to the second, and two
// sines of these frequencies must explain the window, and each block of it. A window lies inside every tone of 40 ms, in
// none of 30. A digit ends after six blocks without it, so that a break of 10 ms or one lost packet does not end it.

const SLOTS: i32 = 1024;
const BLOCK: i32 = 40; // samples
const WINDOW: i32 = 7; // blocks
const SPAN: i32 = BLOCK * WINDOW;
const HALF: i32 = SPAN / 2;
const RING: usize = 8; // blocks kept
const TURN: i32 = 200; // blocks after which every nominal phase repeats
const OFF_BLOCKS: i32 = 6;

const LOWEST_PEAK: f32 = 62; // -51 dBm0
const FIT: f32 = 0.70; // of the energy is in the two sines
const BLOCK_MISFIT: f32 = 0.62; // of a block's mean energy may be something else
// Limits of the twist, and 6 dB that an echo 10 dB down may add to it.
const TWIST_LEAST: f32 = 0.034; // high over low power: -14.7 dB
const TWIST_MOST: f32 = 12; // +10.8 dB
const APART_UNCLEAN: f64 = 0.022; // harmonics 4 and 5: 2.8 %
const CLEAN: f32 = 0.12; // what 12 dB of noise or a dial tone 15 dB down leaves
const STEADY_MISFIT: f32 = 0.42; // on average, in the blocks that are not at an edge
const DIAL_TONE: f64 = 0.7; // of what is left then is a dial tone
const WEAKER: f32 = 0.35; // of what the sines leave is at most in the weaker
const DETUNED: f64 = 0.0172; // relative: 1.5 % must pass, 3.5 % must not
const APART: f64 = 0.0325; // relative: harmonics 3 and 4 of a voice are a "*" whose tones are 3.7 % too far apart
const STILL_ON: f32 = 0.33; // of the digit's energy
const ROUGH: f32 = 0.4; // of the energy, in the two best bins of the quick look

const SAMPLES: usize = 0; // i16[RING][BLOCK]
const BINS: usize = 640; // f32[RING][16]: 8 real, 8 imaginary parts, low group first
const ENERGY: usize = 1152; // f32[RING]
const FILLED: usize = 1184; // u32 samples in the block being filled
const BLOCKS: usize = 1188; // u32 blocks so far, mod TURN * RING
const KNOWN: usize = 1192; // u32 blocks since reset, up to WINDOW
const DIGIT: usize = 1196; // u32 character sounding, 0 none
const OFF: usize = 1200; // u32 blocks without it
const POWER: usize = 1204; // f32 energy of its two bins
const LENGTH: usize = 1208; // u32 blocks since it was declared, plus WINDOW
const LAST: usize = 1212; // u32 blocks of the last digit
const SLOT_BYTES: usize = 1216;

const slots: usize = memory.data(1024 * 1216, 16);
const bank: usize = memory.data(16 * 40 * 2, 16); // i16[16][BLOCK], 2^12: cosines, then minus sines
const turns: usize = memory.data(200 * 16 * 4, 16); // f32[TURN][16]: cosines, then minus sines
const window: usize = memory.data(280 * 4, 16); // f32[SPAN]
const base: usize = memory.data(4 * 280 * 4, 16); // f32[4][SPAN]: cos, sin of the low tone, cos, sin of the high
const normal: usize = memory.data(2 * 16 * 8, 16); // f64[2][4][4] of the halves
const right: usize = memory.data(2 * 4 * 8, 16); // f64[2][4]
const work: usize = memory.data(4 * 5 * 8, 16); // f64[4][5]
const solution: usize = memory.data(4 * 8, 16); // f64[4]
const digits: usize = memory.data<u8>([
  0x31, 0x32, 0x33, 0x41, 0x34, 0x35, 0x36, 0x42, 0x37, 0x38, 0x39, 0x43, 0x2A, 0x30, 0x23, 0x44, // 123A456B789C*0#D
]);
const tones: usize = memory.data<u32>([697, 770, 852, 941, 1209, 1336, 1477, 1633]);

/** Hertz of tone 0..7, the low group first. */
export function dtmfHertz(tone: i32): i32 {
  return <u32> tone < 8 ? load<u32>(tones + (<usize> tone << 2)) : 0;
}

/** Where the character is in the table of rows and columns: row * 4 + column, -1: no digit. */
export function dtmfPlace(character: i32): i32 {
  for (let i = 0; i < 16; i++) if (<i32> load<u8>(digits + i) == character) return i;
  return -1;
}

for (let tone = 0; tone < 8; tone++) {
  const hertz = <f64> dtmfHertz(tone);
  for (let n = 0; n < BLOCK; n++) {
    const angle = 2 * Math.PI * hertz * <f64> n / 8000;
    const at = bank + (<usize> (tone * BLOCK + n) << 1);
    store<i16>(at, <i16> nearest<f64>(4096 * Math.cos(angle)));
    store<i16>(at + 8 * BLOCK * 2, <i16> nearest<f64>(-4096 * Math.sin(angle)));
  }
  for (let k = 0; k < TURN; k++) {
    const angle = 2 * Math.PI * <f64> ((<i32> hertz * k) % TURN) / <f64> TURN;
    const at = turns + (<usize> (k * 16 + tone) << 2);
    store<f32>(at, <f32> Math.cos(angle));
    store<f32>(at, <f32> -Math.sin(angle), 32);
  }
}

function at(slot: i32): usize {
  return slots + <usize> slot * SLOT_BYTES;
}

export function dtmfReset(slot: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  memory.fill(at(slot), 0, SLOT_BYTES);
  return 0;
}

/** The next `count` samples i16 at `samples`: the character of a digit that was recognised in them, 0: none. */
export function dtmfFeed(slot: i32, samples: usize, count: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  const s = at(slot);
  let found = 0;
  let filled = load<u32>(s, FILLED);
  while (count > 0) {
    const take = min(count, BLOCK - <i32> filled);
    const ring = <usize> load<u32>(s, BLOCKS) % RING;
    memory.copy(s + SAMPLES + ring * (BLOCK * 2) + (<usize> filled << 1), samples, <usize> take << 1);
    samples += <usize> take << 1;
    count -= take;
    filled += take;
    if (filled < <u32> BLOCK) break;
    filled = 0;
    const digit = block(s);
    if (digit != 0) found = digit;
  }
  store<u32>(s, filled, FILLED);
  return found;
}

/** The character that sounds now, 0: none. */
export function dtmfActive(slot: i32): i32 {
  return <u32> slot < <u32> SLOTS ? <i32> load<u32>(at(slot), DIGIT) : -1;
}

/** Length of the digit that sounds, or of the last one, in samples. */
export function dtmfLength(slot: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  const s = at(slot);
  return BLOCK * <i32> (load<u32>(s, DIGIT) != 0 ? load<u32>(s, LENGTH) - load<u32>(s, OFF) : load<u32>(s, LAST));
}

// @ts-ignore: decorator
@inline
function fold(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 1, 4, 5), v128.shuffle<i32>(a, b, 2, 3, 6, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 1, 4, 5), v128.shuffle<i32>(c, d, 2, 3, 6, 7));
  return f32x4.convert_i32x4_s(
    i32x4.add(v128.shuffle<i32>(ab, cd, 0, 2, 4, 6), v128.shuffle<i32>(ab, cd, 1, 3, 5, 7)),
  );
}

/** Projections of a block on four rows of the bank. */
// @ts-ignore: decorator
@inline
function project(samples: usize, row: usize): v128 {
  const p = v128.load(samples);
  const q = v128.load(samples, 16);
  const r = v128.load(samples, 32);
  const t = v128.load(samples, 48);
  const u = v128.load(samples, 64);
  return fold(
    along(p, q, r, t, u, row),
    along(p, q, r, t, u, row + 80),
    along(p, q, r, t, u, row + 160),
    along(p, q, r, t, u, row + 240),
  );
}

// @ts-ignore: decorator
@inline
function along(p: v128, q: v128, r: v128, t: v128, u: v128, row: usize): v128 {
  return i32x4.add(
    i32x4.add(
      i32x4.add(i32x4.dot_i16x8_s(p, v128.load(row)), i32x4.dot_i16x8_s(q, v128.load(row, 16))),
      i32x4.add(i32x4.dot_i16x8_s(r, v128.load(row, 32)), i32x4.dot_i16x8_s(t, v128.load(row, 48))),
    ),
    i32x4.dot_i16x8_s(u, v128.load(row, 64)),
  );
}

function energyOf(samples: usize): f32 {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < 80; i += 16) {
    const p = v128.load(samples + i);
    sum = f32x4.add(sum, f32x4.convert_i32x4_u(i32x4.dot_i16x8_s(p, p))); // two of -32,768 make 2^31
  }
  return lanes(sum);
}

// @ts-ignore: decorator
@inline
function lanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3);
}

function block(s: usize): i32 {
  const number = load<u32>(s, BLOCKS);
  const ring = <usize> number % RING;
  const samples = s + SAMPLES + ring * (BLOCK * 2);
  const bins = s + BINS + ring * 64;
  const turn = turns + <usize> (number % TURN) * 64;
  const scale = f32x4.splat(1.0 / 4096);
  for (let group: usize = 0; group < 2; group++) {
    const row = bank + group * (4 * BLOCK * 2);
    const re = f32x4.mul(project(samples, row), scale);
    const im = f32x4.mul(project(samples, row + 8 * BLOCK * 2), scale);
    const c = v128.load(turn + group * 16);
    const d = v128.load(turn + group * 16, 32);
    v128.store(bins + group * 16, f32x4.sub(f32x4.mul(re, c), f32x4.mul(im, d)));
    v128.store(bins + group * 16, f32x4.add(f32x4.mul(re, d), f32x4.mul(im, c)), 32);
  }
  store<f32>(s + (ring << 2), energyOf(samples), ENERGY);
  store<u32>(s, number + 1 == TURN * <u32> RING ? 0 : number + 1, BLOCKS);
  if (load<u32>(s, DIGIT) != 0) follow(s, bins);
  const known = load<u32>(s, KNOWN) + 1;
  if (known < <u32> WINDOW) {
    store<u32>(s, known, KNOWN);
    return 0;
  }
  return look(s, <i32> number);
}

/** The digit goes on, or has ended. */
function follow(s: usize, bins: usize): void {
  const place = dtmfPlace(<i32> load<u32>(s, DIGIT));
  const power = binPower(bins, place >> 2) + binPower(bins, 4 + (place & 3));
  const off: u32 = power > STILL_ON * load<f32>(s, POWER) ? 0 : load<u32>(s, OFF) + 1;
  store<u32>(s, off, OFF);
  store<u32>(s, load<u32>(s, LENGTH) + 1, LENGTH);
  if (off < <u32> OFF_BLOCKS) return;
  store<u32>(s, load<u32>(s, LENGTH) - off, LAST);
  store<u32>(s, 0, DIGIT);
}

function binPower(bins: usize, tone: i32): f32 {
  const re = load<f32>(bins + (<usize> tone << 2));
  const im = load<f32>(bins + (<usize> tone << 2), 32);
  return re * re + im * im;
}

// @ts-ignore: decorator
@inline
function ringAt(number: i32): usize {
  return <usize> (number + 8 * TURN) % RING;
}

let earlyRe: v128 = f32x4.splat(0);
let earlyIm: v128 = f32x4.splat(0);
let lateRe: v128 = f32x4.splat(0);
let lateIm: v128 = f32x4.splat(0);
const quick: usize = memory.data(4 * 8 * 4, 16); // f32[8] power, advance re, advance im

/** Quick look at the window that ends with block `number`; a full fit when it may be a digit. */
function look(s: usize, number: i32): i32 {
  let total: f32 = 0;
  let least: f32 = f32.MAX_VALUE;
  for (let i = 0; i < WINDOW; i++) {
    const energy = load<f32>(s + (ringAt(number - i) << 2), ENERGY);
    total += energy;
    least = min(least, energy);
  }
  if (total < LOWEST_PEAK * LOWEST_PEAK * <f32> SPAN || least * <f32> WINDOW < 0.3 * total) return 0;
  for (let group: usize = 0; group < 2; group++) {
    gather(s, number, group);
    const q = quick + group * 16;
    v128.store(
      q,
      f32x4.add(
        f32x4.add(f32x4.mul(earlyRe, earlyRe), f32x4.mul(earlyIm, earlyIm)),
        f32x4.add(f32x4.mul(lateRe, lateRe), f32x4.mul(lateIm, lateIm)),
      ),
    );
    v128.store(q, f32x4.add(f32x4.mul(earlyRe, lateRe), f32x4.mul(earlyIm, lateIm)), 32);
    v128.store(q, f32x4.sub(f32x4.mul(earlyRe, lateIm), f32x4.mul(earlyIm, lateRe)), 64);
  }
  const row = strongest(0);
  const column = strongest(4);
  const low = load<f32>(quick + (<usize> row << 2));
  const high = load<f32>(quick + (<usize> column << 2));
  // 51.4: two windows, (20 · 3)² for a peak of 1, over an energy of 140
  if (low + high < ROUGH * 51.4 * total || high < 0.02 * low || high > 18 * low) return 0;
  const digit = <i32> load<u8>(digits + (row * 4 + column - 4));
  if (load<u32>(s, DIGIT) == <u32> digit) return 0;
  return fit(s, number, row, column, total) ? declare(s, number, digit) : 0;
}

/** Five blocks at each end of the window, tapered: their sums for four tones. */
function gather(s: usize, number: i32, group: usize): void {
  earlyRe = f32x4.splat(0);
  earlyIm = earlyRe;
  lateRe = earlyRe;
  lateIm = earlyRe;
  for (let i = 0; i < 5; i++) {
    const weight = f32x4.splat(i == 2 ? 1 : i & 1 ? 0.75 : 0.25);
    const late = s + BINS + ringAt(number - i) * 64 + group * 16;
    const early = s + BINS + ringAt(number - i - 2) * 64 + group * 16;
    lateRe = f32x4.add(lateRe, f32x4.mul(weight, v128.load(late)));
    lateIm = f32x4.add(lateIm, f32x4.mul(weight, v128.load(late, 32)));
    earlyRe = f32x4.add(earlyRe, f32x4.mul(weight, v128.load(early)));
    earlyIm = f32x4.add(earlyIm, f32x4.mul(weight, v128.load(early, 32)));
  }
}

function strongest(first: i32): i32 {
  let best = first;
  for (let tone = first + 1; tone < first + 4; tone++) {
    if (load<f32>(quick + (<usize> tone << 2)) > load<f32>(quick + (<usize> best << 2))) best = tone;
  }
  return best;
}

/** The advance of phase over 10 ms, as the measured frequency in Hz. */
function measured(tone: i32): f64 {
  const re = <f64> load<f32>(quick + (<usize> tone << 2), 32);
  const im = <f64> load<f32>(quick + (<usize> tone << 2), 64);
  return <f64> dtmfHertz(tone) + Math.atan2(im, re) / (2 * Math.PI) * 100;
}

function declare(s: usize, number: i32, digit: i32): i32 {
  const place = dtmfPlace(digit);
  let power: f32 = 0;
  for (let i = 0; i < WINDOW; i++) {
    const bins = s + BINS + ringAt(number - i) * 64;
    power += binPower(bins, place >> 2) + binPower(bins, 4 + (place & 3));
  }
  store<f32>(s, power / <f32> WINDOW, POWER);
  store<u32>(s, digit, DIGIT);
  store<u32>(s, 0, OFF);
  store<u32>(s, WINDOW, LENGTH);
  return digit;
}

function fit(s: usize, number: i32, row: i32, column: i32, energy: f32): bool {
  for (let i = 0; i < WINDOW; i++) {
    const from = s + SAMPLES + ringAt(number - WINDOW + 1 + i) * (BLOCK * 2);
    const to = window + <usize> i * (BLOCK * 4);
    for (let n: usize = 0; n < <usize> BLOCK; n += 4) {
      v128.store(to + (n << 2), f32x4.convert_i32x4_s(v128.load16x4_s(from + (n << 1))));
    }
  }
  let low = measured(row);
  let high = measured(column);
  for (let pass = 0; pass < 2; pass++) {
    if (Math.abs(low - <f64> dtmfHertz(row)) > 45 || Math.abs(high - <f64> dtmfHertz(column)) > 60) return false;
    bases(low, high);
    correlate(0);
    correlate(1);
    if (pass == 1) break;
    // Phases of both halves are against the start of the window: what they differ by is the error of the frequency.
    if (!solve(normal, right)) return false;
    const a = Math.atan2(-load<f64>(solution, 8), load<f64>(solution));
    const b = Math.atan2(-load<f64>(solution, 24), load<f64>(solution, 16));
    if (!solve(normal + 128, right + 32)) return false;
    const c = Math.atan2(-load<f64>(solution, 8), load<f64>(solution));
    const d = Math.atan2(-load<f64>(solution, 24), load<f64>(solution, 16));
    const hertz = 8000.0 / <f64> HALF;
    low += wrapped((c - a) / (2 * Math.PI)) * hertz;
    high += wrapped((d - b) / (2 * Math.PI)) * hertz;
  }
  for (let i: usize = 0; i < 16; i++) {
    store<f64>(normal + (i << 3), load<f64>(normal + (i << 3)) + load<f64>(normal + 128 + (i << 3)));
  }
  for (let i: usize = 0; i < 4; i++) {
    store<f64>(right + (i << 3), load<f64>(right + (i << 3)) + load<f64>(right + 32 + (i << 3)));
  }
  if (!solve(normal, right)) return false;
  return judge(row, column, low, high, energy);
}

function wrapped(turns: f64): f64 {
  return turns - nearest<f64>(turns);
}

function judge(row: i32, column: i32, low: f64, high: f64, energy: f32): bool {
  if (Math.abs(low / <f64> dtmfHertz(row) - 1) > DETUNED) return false;
  if (Math.abs(high / <f64> dtmfHertz(column) - 1) > DETUNED) return false;
  const apart = Math.abs(high / <f64> dtmfHertz(column) - low / <f64> dtmfHertz(row));
  if (apart > APART) return false;
  // 700 + 1500 Hz is the "7" of multi-frequency signaling, 0.8 Hz beyond what a "3" may be
  if (Math.abs(low - 700) < 1.2 && Math.abs(high - 1500) < 0.7) return false;
  const lowPower = <f32> (load<f64>(solution) * load<f64>(solution) + load<f64>(solution, 8) * load<f64>(solution, 8));
  const highPower = <f32> (load<f64>(solution, 16) * load<f64>(solution, 16) +
    load<f64>(solution, 24) * load<f64>(solution, 24));
  if (min(lowPower, highPower) < LOWEST_PEAK * LOWEST_PEAK) return false;
  if (highPower < TWIST_LEAST * lowPower || highPower > TWIST_MOST * lowPower) return false;
  let explained: f64 = 0;
  for (let i: usize = 0; i < 32; i += 8) explained += load<f64>(solution + i) * load<f64>(right + i);
  if (<f32> explained < FIT * energy) return false;
  if (min(lowPower, highPower) * 0.5 * <f32> SPAN < WEAKER * (energy - <f32> explained)) return false;
  const most = BLOCK_MISFIT * (lowPower + highPower) * 0.5 * <f32> BLOCK;
  let steady: f32 = 0;
  for (let i: usize = 0; i < <usize> WINDOW; i++) {
    const rest = misfit(i * (BLOCK * 4));
    if (rest > most) return false;
    if (i > 0 && i < <usize> WINDOW - 1) steady += rest;
  }
  const unclean = steady * BLOCK_MISFIT / (most * <f32> (WINDOW - 2));
  if (unclean <= CLEAN) return true;
  return unclean <= STEADY_MISFIT && apart <= APART_UNCLEAN && restIsDialTone();
}

/** Most of what the two sines leave is from 330 to 470 Hz: five bins of the window. */
function restIsDialTone(): bool {
  const half = <usize> HALF * 4;
  const rest = product(window, window) + product(window + half, window + half);
  let power: f64 = 0;
  for (let bin = 12; bin <= 16; bin++) {
    wave(base, <f64> bin * 8000 / <f64> SPAN);
    for (let part: usize = 0; part <= <usize> SPAN * 4; part += <usize> SPAN * 4) {
      const sum = product(base + part, window) + product(base + part + half, window + half);
      power += sum * sum;
    }
  }
  return power * 2 / <f64> SPAN > DIAL_TONE * rest;
}

/** Energy of a block that the two sines leave, which takes the block's place in the window. */
function misfit(offset: usize): f32 {
  const a = f32x4.splat(<f32> load<f64>(solution));
  const b = f32x4.splat(<f32> load<f64>(solution, 8));
  const c = f32x4.splat(<f32> load<f64>(solution, 16));
  const d = f32x4.splat(<f32> load<f64>(solution, 24));
  let sum = f32x4.splat(0);
  for (let i = offset; i < offset + BLOCK * 4; i += 16) {
    const model = f32x4.add(
      f32x4.add(f32x4.mul(a, v128.load(base + i)), f32x4.mul(b, v128.load(base + i, SPAN * 4))),
      f32x4.add(f32x4.mul(c, v128.load(base + i, SPAN * 8)), f32x4.mul(d, v128.load(base + i, SPAN * 12))),
    );
    const rest = f32x4.sub(v128.load(window + i), model);
    v128.store(window + i, rest);
    sum = f32x4.add(sum, f32x4.mul(rest, rest));
  }
  return lanes(sum);
}

function bases(low: f64, high: f64): void {
  wave(base, low);
  wave(base + SPAN * 8, high);
}

/** cos and sin of a frequency over the window, four samples per turn of a phasor. */
function wave(to: usize, hertz: f64): void {
  const step = 2 * Math.PI * hertz / 8000;
  let re = f32x4(1, <f32> Math.cos(step), <f32> Math.cos(2 * step), <f32> Math.cos(3 * step));
  let im = f32x4(0, <f32> Math.sin(step), <f32> Math.sin(2 * step), <f32> Math.sin(3 * step));
  const c = f32x4.splat(<f32> Math.cos(4 * step));
  const d = f32x4.splat(<f32> Math.sin(4 * step));
  for (let i: usize = 0; i < <usize> SPAN * 4; i += 16) {
    v128.store(to + i, re);
    v128.store(to + i, im, SPAN * 4);
    const next = f32x4.sub(f32x4.mul(re, c), f32x4.mul(im, d));
    im = f32x4.add(f32x4.mul(re, d), f32x4.mul(im, c));
    re = next;
  }
}

/** Normal equations of one half of the window. */
function correlate(half: usize): void {
  const from = half * (HALF * 4);
  const matrix = normal + half * 128;
  for (let i: usize = 0; i < 4; i++) {
    const p = base + i * (SPAN * 4) + from;
    for (let j = i; j < 4; j++) {
      const value = product(p, base + j * (SPAN * 4) + from);
      store<f64>(matrix + ((i * 4 + j) << 3), value);
      store<f64>(matrix + ((j * 4 + i) << 3), value);
    }
    store<f64>(right + half * 32 + (i << 3), product(p, window + from));
  }
}

function product(p: usize, q: usize): f64 {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < <usize> HALF * 4; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(p + i), v128.load(q + i)));
  return <f64> lanes(sum);
}

/** Solves the 4 × 4 equations; the matrix is symmetric and positive, so no pivot is sought. */
function solve(matrix: usize, vector: usize): bool {
  for (let i: usize = 0; i < 4; i++) {
    memory.copy(work + i * 40, matrix + i * 32, 32);
    store<f64>(work + i * 40, load<f64>(vector + (i << 3)), 32);
  }
  for (let i: usize = 0; i < 4; i++) {
    const pivot = load<f64>(work + i * 48);
    if (!(pivot > 1e-3)) return false;
    for (let j = i + 1; j < 4; j++) {
      const factor = load<f64>(work + j * 40 + (i << 3)) / pivot;
      for (let k = i; k < 5; k++) {
        const cell = work + j * 40 + (k << 3);
        store<f64>(cell, load<f64>(cell) - factor * load<f64>(work + i * 40 + (k << 3)));
      }
    }
  }
  for (let i: isize = 3; i >= 0; i--) {
    const line = work + <usize> i * 40;
    let value = load<f64>(line, 32);
    for (let k = i + 1; k < 4; k++) value -= load<f64>(line + (<usize> k << 3)) * load<f64>(solution + (<usize> k << 3));
    store<f64>(solution + (<usize> i << 3), value / load<f64>(line + (<usize> i << 3)));
  }
  return true;
}
