// Between 8, 16, 32 and 48 kHz: polyphase windowed sinc. 32 taps of the lower rate, so 2 ms of delay at 8 kHz; Kaiser
// window with 70 dB of stop band. The taps of a phase lie in the order of the samples: an output is one dot product.
//
// With L/M the ratio and n the output: base = floor(n M / L), phase = n M mod L, y = Σ c[phase][t] x[base - T + 1 + t]

const SLOTS: i32 = 16384;
const LOW_TAPS: i32 = 32;
const HISTORY_MOST: usize = 192; // samples kept between frames
const INPUT_MOST: i32 = 960;
const BETA: f64 = 6.76; // Kaiser, 70 dB
const SCALE: f64 = 16384;

const histories: usize = memory.data(16384 * 192 * 2, 16); // i16[SLOTS][HISTORY_MOST], newest last
const pairs: usize = memory.data(16384, 16); // u8: pair of rates the history belongs to
const line: usize = memory.data((192 + 960) * 2, 16); // i16: history, then input
const tables: usize = memory.data(16 * 4, 16); // u32[from * 4 + to] offset of the taps
const taps: usize = memory.data(4096 * 2, 16); // i16
let tapsUsed: usize = 0;

function indexOf(rate: i32): i32 {
  if (rate == 8000) return 0;
  if (rate == 16000) return 1;
  if (rate == 32000) return 2;
  return rate == 48000 ? 3 : -1;
}

function bessel(x: f64): f64 {
  let term: f64 = 1;
  let total: f64 = 1;
  for (let k: f64 = 1; k < 40; k++) {
    term *= (x / 2 / k) * (x / 2 / k);
    total += term;
  }
  return total;
}

function divisor(a: i32, b: i32): i32 {
  return b == 0 ? a : divisor(b, a % b);
}

function tapsPerPhase(up: i32, down: i32): i32 {
  return LOW_TAPS * max(up, down) / up;
}

function design(from: i32, to: i32): usize {
  const common = divisor(from, to);
  const up = to / common;
  const down = from / common;
  const perPhase = tapsPerPhase(up, down);
  const length = perPhase * up;
  const cut = 0.5 / <f64> max(up, down); // in cycles per sample of the common rate
  const table = taps + tapsUsed;
  tapsUsed += <usize> length << 1;
  for (let phase = 0; phase < up; phase++) {
    const row = table + (<usize> (phase * perPhase) << 1);
    let total: f64 = 0;
    for (let pass = 0; pass < 2; pass++) {
      let rest: i32 = <i32> SCALE;
      for (let t = 0; t < perPhase; t++) {
        // tap t meets the sample perPhase - 1 - t before the newest
        const place = <f64> ((perPhase - 1 - t) * up + phase) - <f64> (length - 1) / 2;
        const x = 2 * Math.PI * cut * place;
        const edge = 2 * place / <f64> length;
        const value = Math.sin(x) / x * bessel(BETA * Math.sqrt(1 - edge * edge));
        if (pass == 0) {
          total += value;
          continue;
        }
        const tap = <i32> nearest<f64>(value / total * SCALE);
        rest -= tap;
        store<i16>(row + (<usize> t << 1), <i16> tap);
      }
      // Each phase passes direct current with the same gain, to the last bit: no image of it.
      if (pass == 1) {
        const middle = row + (<usize> (perPhase >> 1) << 1);
        store<i16>(middle, load<i16>(middle) + <i16> rest);
      }
    }
  }
  return table;
}

for (let from = 0; from < 4; from++) {
  for (let to = 0; to < 4; to++) {
    if (from != to) store<u32>(tables + (<usize> (from * 4 + to) << 2), <u32> design(rateOf(from), rateOf(to)));
  }
}

function rateOf(index: i32): i32 {
  return index == 3 ? 48000 : 8000 << index;
}

/** Forgets what the slot heard. */
export function resampleReset(slot: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  store<u8>(pairs + slot, 0xFF);
  return 0;
}

/**
 * `count` samples i16 (at most 960) at `input` from one rate to another: the samples written to `output`, exactly
 * count · to / from. -1: no such slot or rate; -2: not a whole number of output samples.
 */
export function resampleRun(slot: i32, from: i32, to: i32, output: usize, input: usize, count: i32): i32 {
  const a = indexOf(from);
  const b = indexOf(to);
  if (<u32> slot >= <u32> SLOTS || a < 0 || b < 0 || <u32> count > <u32> INPUT_MOST) return -1;
  if (a == b) {
    memory.copy(output, input, <usize> count << 1);
    return count;
  }
  const common = divisor(from, to);
  const up = to / common;
  const down = from / common;
  if (count % down != 0) return -2;
  const perPhase = tapsPerPhase(up, down);
  const kept = <usize> (perPhase - 1) << 1;
  const history = histories + <usize> slot * (HISTORY_MOST * 2);
  const pair = <u8> (a * 4 + b);
  if (load<u8>(pairs + slot) != pair) {
    memory.fill(history, 0, HISTORY_MOST * 2);
    store<u8>(pairs + slot, pair);
  }
  memory.copy(line, history, kept);
  memory.copy(line + kept, input, <usize> count << 1);
  const table = <usize> load<u32>(tables + (<usize> pair << 2));
  const length = count / down * up;
  const row = <usize> perPhase << 1;
  let phase = 0;
  let base = line;
  for (let n = 0; n < length; n++) {
    store<i16>(output + (<usize> n << 1), dot(base, table + <usize> phase * row, row));
    phase += down;
    while (phase >= up) {
      phase -= up;
      base += 2;
    }
  }
  memory.copy(history, line + (<usize> count << 1), kept);
  return length;
}

// @ts-ignore: decorator
@inline
function dot(samples: usize, coefficients: usize, bytes: usize): i16 {
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 32) {
    even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(samples + i), v128.load(coefficients + i)));
    odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(samples + i, 16), v128.load(coefficients + i, 16)));
  }
  const all = i32x4.add(even, odd);
  const pair = i32x4.add(all, v128.shuffle<i32>(all, all, 2, 3, 0, 1));
  const total = i32x4.extract_lane(pair, 0) + i32x4.extract_lane(pair, 1);
  return <i16> min(max((total + 8192) >> 14, -32768), 32767);
}
