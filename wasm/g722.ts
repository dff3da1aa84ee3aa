// G.722 at 64 kbit/s (ITU-T G.722): 16 kHz, two bands of 8 kHz, six bits of ADPCM for the lower and two for the upper.
// Names of the steps are the recommendation's (§6.2). All arithmetic is its 16-bit arithmetic: results are bit-exact.
//
// The zeros of a predictor are six coefficients b and six differences d: lanes 0..5 of one vector each.

const SLOTS: i32 = 8192;
const TAPS: i32 = 24;
const SAMPLES_MOST: i32 = 960;

// A band, at 0 the lower, at BAND_BYTES the upper
const B: usize = 0; // i16[8]
const D: usize = 16; // i16[8], newest first
const A1: usize = 32; // i32
const A2: usize = 36;
const R1: usize = 40; // i32
const P1: usize = 44;
const P2: usize = 48;
const S: usize = 52; // i32 prediction
const SZ: usize = 56; // of the zeros
const NB: usize = 60; // logarithm of the scale
const DET: usize = 64; // scale
const BAND_BYTES: usize = 80;
const LINE: usize = 160; // i16[22] of the mirror filter, oldest first
const SLOT_BYTES: usize = 208;

const slots: usize = memory.data(8192 * 208, 16);
const line: usize = memory.data((24 + 960) * 2, 16);

const q6: usize = memory.data<i32>([
  0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
  1458, 1612, 1765, 1980, 2195, 2557, 2919,
]);
const qm4: usize = memory.data<i32>([
  0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
]);
const qm6: usize = memory.data<i32>([
  -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
  -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808,
  21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008,
  3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
]);
const qm2: usize = memory.data<i32>([-7408, -1616, 7408, 1616]);
const wl: usize = memory.data<i32>([-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60]); // by code
const wh: usize = memory.data<i32>([798, -214, 798, -214]); // by code
const ilb: usize = memory.data<i32>([
  2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
  3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
]);
const lowerTaps: usize = memory.data<i16>([
  3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876, 3876, 951, -805, -210, 362, 32, -156, 12, 53, -11, -11, 3,
]);
const upperTaps: usize = memory.data<i16>([
  -3, -11, 11, 53, -12, -156, -32, 362, 210, -805, -951, 3876, -3876, 951, 805, -210, -362, 32, 156, 12, -53, -11, 11,
  3,
]);
const firstTaps: usize = memory.data<i16>([
  0, -11, 0, 53, 0, -156, 0, 362, 0, -805, 0, 3876, 0, 951, 0, -210, 0, 32, 0, 12, 0, -11, 0, 3,
]);
const secondTaps: usize = memory.data<i16>([
  3, 0, -11, 0, 12, 0, 32, 0, -210, 0, 951, 0, 3876, 0, -805, 0, 362, 0, -156, 0, 53, 0, -11, 0,
]);

/** Slots 0..8191, what stream n hears (n) and says (4096 + n): forgets what was coded before. */
export function g722Reset(slot: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  const s = slots + <usize> slot * SLOT_BYTES;
  memory.fill(s, 0, SLOT_BYTES);
  store<i32>(s, 32, DET);
  store<i32>(s + BAND_BYTES, 8, DET);
  return 0;
}

/** `count` samples i16 (at most 960) to count / 2 octets: octets written. */
export function g722Encode(slot: i32, to: usize, samples: usize, count: i32): i32 {
  if (<u32> slot >= <u32> SLOTS || <u32> count > <u32> SAMPLES_MOST) return -1;
  const s = slots + <usize> slot * SLOT_BYTES;
  const octets = count >> 1;
  memory.copy(line, s + LINE, 44);
  memory.copy(line + 44, samples, <usize> octets << 2);
  let at = line;
  for (let i = 0; i < octets; i++) {
    const xl = filter(at, lowerTaps) >> 14;
    const xh = filter(at, upperTaps) >> 14;
    store<u8>(to + <usize> i, lowerCode(s, xl) | upperCode(s + BAND_BYTES, xh) << 6);
    at += 4;
  }
  memory.copy(s + LINE, at, 44);
  return octets;
}

/**
 * `count` octets (at most 480) to 2 · count samples i16: samples written. `limit` 1: what is beyond 16 bits stays at the
 * largest sample; 0: it wraps, as in libspandsp.
 */
export function g722Decode(slot: i32, to: usize, octets: usize, count: i32, limit: i32): i32 {
  if (<u32> slot >= <u32> SLOTS || <u32> count > <u32> (SAMPLES_MOST >> 1)) return -1;
  const s = slots + <usize> slot * SLOT_BYTES;
  memory.copy(line, s + LINE, 44);
  let at = line;
  for (let i = 0; i < count; i++) {
    const code = <i32> load<u8>(octets + <usize> i);
    const low = lowerSample(s, code & 63);
    const high = upperSample(s + BAND_BYTES, code >> 6);
    store<i16>(at, <i16> (low + high), 44);
    store<i16>(at, <i16> (low - high), 46);
    const first = filter(at, firstTaps) >> 11;
    const second = filter(at, secondTaps) >> 11;
    store<i16>(to + (<usize> i << 2), <i16> (limit ? saturate(first) : first));
    store<i16>(to + (<usize> i << 2), <i16> (limit ? saturate(second) : second), 2);
    at += 4;
  }
  memory.copy(s + LINE, at, 44);
  return count << 1;
}

// @ts-ignore: decorator
@inline
function filter(samples: usize, taps: usize): i32 {
  const sum = i32x4.add(
    i32x4.add(
      i32x4.dot_i16x8_s(v128.load(samples), v128.load(taps)),
      i32x4.dot_i16x8_s(v128.load(samples, 16), v128.load(taps, 16)),
    ),
    i32x4.dot_i16x8_s(v128.load(samples, 32), v128.load(taps, 32)),
  );
  return total(sum);
}

// @ts-ignore: decorator
@inline
function total(v: v128): i32 {
  const pair = i32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return i32x4.extract_lane(pair, 0) + i32x4.extract_lane(pair, 1);
}

// @ts-ignore: decorator
@inline
function saturate(x: i32): i32 {
  return min(max(x, -32768), 32767);
}

// @ts-ignore: decorator
@inline
function entry(table: usize, index: i32): i32 {
  return load<i32>(table + (<usize> index << 2));
}

/** QUANTL and what follows from the code. */
function lowerCode(band: usize, x: i32): i32 {
  const e = saturate(x - load<i32>(band, S));
  const size = e ^ (e >> 31);
  const det = load<i32>(band, DET);
  // The last level that is not above: the levels rise, so halving finds it.
  let level = 0;
  for (let half = 16; half > 0; half >>= 1) {
    const next = level + half;
    if (next < 30 && size >= (entry(q6, next) * det) >> 12) level = next;
  }
  const code = e < 0 ? (level < 2 ? 63 - level : 33 - level) : 61 - level;
  adaptLower(band, code >> 2);
  return code;
}

function lowerSample(band: usize, code: i32): i32 {
  const sample = load<i32>(band, S) + ((load<i32>(band, DET) * entry(qm6, code)) >> 15);
  adaptLower(band, code >> 2);
  return min(max(sample, -16384), 16383);
}

function upperCode(band: usize, x: i32): i32 {
  const e = saturate(x - load<i32>(band, S));
  const size = e ^ (e >> 31);
  const far = size >= (564 * load<i32>(band, DET)) >> 12;
  const code = e < 0 ? (far ? 0 : 1) : far ? 2 : 3;
  adaptUpper(band, code);
  return code;
}

function upperSample(band: usize, code: i32): i32 {
  const sample = load<i32>(band, S) + ((load<i32>(band, DET) * entry(qm2, code)) >> 15);
  adaptUpper(band, code);
  return min(max(sample, -16384), 16383);
}

/** INVQAL, LOGSCL, SCALEL, then the predictor. */
function adaptLower(band: usize, code: i32): void {
  const difference = (load<i32>(band, DET) * entry(qm4, code)) >> 15;
  scale(band, ((load<i32>(band, NB) * 127) >> 7) + entry(wl, code), 18432, 8);
  predict(band, difference);
}

function adaptUpper(band: usize, code: i32): void {
  const difference = (load<i32>(band, DET) * entry(qm2, code)) >> 15;
  scale(band, ((load<i32>(band, NB) * 127) >> 7) + entry(wh, code), 22528, 10);
  predict(band, difference);
}

// @ts-ignore: decorator
@inline
function scale(band: usize, wanted: i32, most: i32, shift: i32): void {
  const nb = min(max(wanted, 0), most);
  store<i32>(band, nb, NB);
  const mantissa = entry(ilb, (nb >> 6) & 31);
  const right = shift - (nb >> 11);
  store<i32>(band, (right < 0 ? mantissa << -right : mantissa >> right) << 2, DET);
}

/** Block 4: RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC. */
function predict(band: usize, d: i32): void {
  const r = saturate(load<i32>(band, S) + d);
  const p = saturate(load<i32>(band, SZ) + d);
  const p1 = load<i32>(band, P1);
  const a1 = load<i32>(band, A1);
  const r1 = load<i32>(band, R1);
  const alike = (p ^ p1) >= 0;

  const four = saturate(a1 << 2);
  const turned = alike ? min(-four, 32767) : four;
  const older = (p ^ load<i32>(band, P2)) >= 0 ? 128 : -128;
  const ap2 = min(max((turned >> 7) + older + ((load<i32>(band, A2) * 32512) >> 15), -12288), 12288);
  const bound = 15360 - ap2;
  const ap1 = min(max((alike ? 192 : -192) + ((a1 * 32640) >> 15), -bound), bound);

  const lanes = i16x8(-1, -1, -1, -1, -1, -1, 0, 0);
  const old = v128.load(band, D);
  let b = v128.load(band, B);
  const leak = i16x8.splat(32640);
  b = i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.extmul_low_i16x8_s(b, leak), 15),
    i32x4.shr_s(i32x4.extmul_high_i16x8_s(b, leak), 15),
  );
  if (d != 0) {
    const differ = i16x8.shr_s(v128.xor(old, i16x8.splat(<i16> d)), 15);
    const step = i16x8.sub(v128.xor(i16x8.splat(128), differ), differ);
    b = i16x8.add_sat_s(b, v128.and(step, lanes));
  }
  const now = i16x8.replace_lane(v128.shuffle<i16>(old, old, 0, 0, 1, 2, 3, 4, 5, 6), 0, <i16> d);
  const twice = i16x8.add_sat_s(now, now);
  const sz = saturate(total(i32x4.add(
    i32x4.shr_s(i32x4.extmul_low_i16x8_s(twice, b), 15),
    i32x4.shr_s(i32x4.extmul_high_i16x8_s(twice, b), 15),
  )));
  const sp = saturate(((ap1 * saturate(r + r)) >> 15) + ((ap2 * saturate(r1 + r1)) >> 15));
  v128.store(band, b, B);
  v128.store(band, now, D);
  store<i32>(band, ap1, A1);
  store<i32>(band, ap2, A2);
  store<i32>(band, r, R1);
  store<i32>(band, p1, P2);
  store<i32>(band, p, P1);
  store<i32>(band, sz, SZ);
  store<i32>(band, saturate(sp + sz), S);
}
