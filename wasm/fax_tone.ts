// Fax tones at 8 kHz: CNG (1100 Hz, ITU-T T.30 §4.1), CED (2100 Hz, §4.2) and the preamble of V.21 channel 2 (flags of
// HDLC at 1650 and 1850 Hz, 300 bit/s, §5.3.1).
//
// Four samples at a time are projected on the four frequencies. A steady tone is known by blocks of 10 ms: nearly all
// energy at one frequency, which the advance of phase from block to block measures, level and frequency unchanging. The
// preamble is known by its runs: six ones, two zeros, as the stronger of its two tones over one bit tells.

const SLOTS: i32 = 1024;
const STEP: i32 = 4; // samples
const STEPS: i32 = 20; // of a block
const BLOCK: i32 = STEP * STEPS; // samples
const BIT_STEPS: i32 = 7; // 3.5 ms, one bit of 3.33
const TURN: i32 = 160; // samples after which every phase repeats

const LEAST: f32 = 78; // peak: -49 dBm0
const PURE: f32 = 0.78; // of the energy of a block
const LEVEL_CHANGE: f32 = 1.6; // power against the mean, either way: 2 dB
const WANDER: f32 = 7; // Hz against the mean
const CNG_OFF: f32 = 45; // Hz; the next tone to be refused is 1000
const CED_OFF: f32 = 27; // 2060
const CNG_BLOCKS: u32 = 41; // 410 ms: none of 400 has as many, each of 450 has
const CED_BLOCKS: u32 = 232;
const FLAGS: u32 = 5;
const FSK_PURE: f32 = 0.6;

const CNG: i32 = 0x66; // f
const CED: i32 = 0x65; // e
const V21: i32 = 0x76; // v

// A steady tone, at 0 of 1100 Hz, at TONE_BYTES of 2100 Hz
const RE: usize = 0; // f32 of the last block
const IM: usize = 4;
const GOOD: usize = 8; // u32 blocks in a row
const MISSED: usize = 12; // u32 blocks in a row without it
const POWER: usize = 16; // f32 sum over the good
const DRIFT: usize = 20; // f32 sum of Hz off, over DRIFTS
const DRIFTS: usize = 24; // u32
const TOLD: usize = 28; // u32 1: reported, until it ends
const TONE_BYTES: usize = 32;

const SAMPLES: usize = 64; // i16[STEP]
const FILLED: usize = 72; // u32 samples of a step
const STEP_OF: usize = 76; // u32 step of the block
const PHASE: usize = 80; // u32 sample, mod TURN
const ENERGY: usize = 84; // f32 of the block so far
const SUM_RE: usize = 96; // f32[4] of the block so far
const SUM_IM: usize = 112;
const RING_RE: usize = 128; // f32[8][4] of the last steps
const RING_IM: usize = 256;
const RING_ENERGY: usize = 384; // f32[8]
const RING_AT: usize = 416; // u32
const MARK: usize = 420; // u32 1: 1650 Hz is the stronger
const RUN: usize = 424; // u32 steps it has been so
const FLAG_RUNS: usize = 428; // u32 runs in a row that fit flags
const FLAG_TOLD: usize = 432; // u32
const SLOT_BYTES: usize = 448;

const slots: usize = memory.data(1024 * 448, 16);
const cosines: usize = memory.data(160 * 16, 16); // f32[TURN][4]
const sines: usize = memory.data(160 * 16, 16);

for (let n = 0; n < TURN; n++) {
  for (let tone = 0; tone < 4; tone++) {
    // 1100, 2100, 1650, 1850 Hz: whole turns in 160 samples
    const turns = tone == 0 ? 22 : tone == 1 ? 42 : tone == 2 ? 33 : 37;
    const angle = 2 * Math.PI * <f64> ((turns * n) % TURN) / <f64> TURN;
    store<f32>(cosines + (<usize> (n * 4 + tone) << 2), <f32> Math.cos(angle));
    store<f32>(sines + (<usize> (n * 4 + tone) << 2), <f32> -Math.sin(angle));
  }
}

/** Slots 0..1023: forgets what the slot heard. */
export function faxToneReset(slot: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  memory.fill(slots + <usize> slot * SLOT_BYTES, 0, SLOT_BYTES);
  return 0;
}

/** The next `count` samples i16: `f` CNG, `e` CED, `v` preamble of V.21 when one was recognised in them, 0: none. */
export function faxToneFeed(slot: i32, samples: usize, count: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  const s = slots + <usize> slot * SLOT_BYTES;
  let found = 0;
  let filled = load<u32>(s, FILLED);
  for (let i = 0; i < count; i++) {
    store<i16>(s + SAMPLES + (<usize> filled << 1), load<i16>(samples + (<usize> i << 1)));
    if (++filled < <u32> STEP) continue;
    filled = 0;
    const tone = step(s);
    if (tone != 0) found = tone;
  }
  store<u32>(s, filled, FILLED);
  return found;
}

function step(s: usize): i32 {
  const phase = load<u32>(s, PHASE);
  let re = f32x4.splat(0);
  let im = f32x4.splat(0);
  let energy: f32 = 0;
  for (let n = 0; n < STEP; n++) {
    const value = <f32> load<i16>(s + SAMPLES + (<usize> n << 1));
    const x = f32x4.splat(value);
    const row = <usize> (phase + n) << 4;
    re = f32x4.add(re, f32x4.mul(x, v128.load(cosines + row)));
    im = f32x4.add(im, f32x4.mul(x, v128.load(sines + row)));
    energy += value * value;
  }
  store<u32>(s, phase + STEP == TURN ? 0 : phase + STEP, PHASE);
  const at = load<u32>(s, RING_AT);
  v128.store(s + RING_RE + (<usize> at << 4), re);
  v128.store(s + RING_IM + (<usize> at << 4), im);
  store<f32>(s + (<usize> at << 2), energy, RING_ENERGY);
  store<u32>(s, (at + 1) & 7, RING_AT);
  v128.store(s, f32x4.add(v128.load(s, SUM_RE), re), SUM_RE);
  v128.store(s, f32x4.add(v128.load(s, SUM_IM), im), SUM_IM);
  store<f32>(s, load<f32>(s, ENERGY) + energy, ENERGY);
  let found = preamble(s, at);
  const steps = load<u32>(s, STEP_OF) + 1;
  store<u32>(s, steps, STEP_OF);
  if (steps < <u32> STEPS) return found;
  const whole = load<f32>(s, ENERGY);
  if (steady(s, load<f32>(s, SUM_RE), load<f32>(s, SUM_IM), whole, CNG_OFF, CNG_BLOCKS)) found = CNG;
  if (steady(s + TONE_BYTES, load<f32>(s, SUM_RE + 4), load<f32>(s, SUM_IM + 4), whole, CED_OFF, CED_BLOCKS)) found = CED;
  memory.fill(s + SUM_RE, 0, 32);
  store<f32>(s, 0, ENERGY);
  store<u32>(s, 0, STEP_OF);
  return found;
}

/** A block projected on the tone: true once it has sounded for `blocks`. One block in a row may miss. */
function steady(t: usize, re: f32, im: f32, energy: f32, off: f32, blocks: u32): bool {
  const power = re * re + im * im;
  let good = load<u32>(t, GOOD);
  const known = good > 0 && load<u32>(t, MISSED) == 0;
  const turn = known ? turned(t, re, im) : 0;
  store<f32>(t, re, RE);
  store<f32>(t, im, IM);
  const hertz: f32 = turn * (8000 / (2 * <f32> Math.PI * <f32> BLOCK));
  // What of a sine off by that much is left in the projection: sinc²
  const half: f32 = turn * 0.5;
  const kept: f32 = half < 0.01 && half > -0.01 ? 1 : square(<f32> Math.sin(<f64> half) / half);
  let fits = energy > LEAST * LEAST * 0.5 * <f32> BLOCK && power > (known ? PURE * kept : 0.5) * energy * <f32> (BLOCK / 2);
  if (fits && good > 0) {
    const mean = load<f32>(t, POWER) / <f32> good;
    if (power > mean * LEVEL_CHANGE || power * LEVEL_CHANGE < mean) fits = false;
    const drifts = load<u32>(t, DRIFTS);
    if (known && drifts > 0 && abs(hertz - load<f32>(t, DRIFT) / <f32> drifts) > WANDER) fits = false;
    if (known && abs(hertz) > off) fits = false;
  }
  if (!fits) {
    const missed = load<u32>(t, MISSED) + 1;
    store<u32>(t, missed, MISSED);
    if (missed < 2) return false;
    memory.fill(t + GOOD, 0, TOLD - GOOD);
    if (missed >= 4 || power < 0.5 * energy * <f32> (BLOCK / 2)) store<u32>(t, 0, TOLD);
    return false;
  }
  store<u32>(t, 0, MISSED);
  store<u32>(t, ++good, GOOD);
  store<f32>(t, load<f32>(t, POWER) + power, POWER);
  if (known) {
    store<f32>(t, load<f32>(t, DRIFT) + hertz, DRIFT);
    store<u32>(t, load<u32>(t, DRIFTS) + 1, DRIFTS);
  }
  if (good < blocks || load<u32>(t, TOLD) != 0) return false;
  store<u32>(t, 1, TOLD);
  return true;
}

// @ts-ignore: decorator
@inline
function square(x: f32): f32 {
  return x * x;
}

/** The advance of phase since the last block, -π .. π. */
function turned(t: usize, re: f32, im: f32): f32 {
  const a = load<f32>(t, RE);
  const b = load<f32>(t, IM);
  return <f32> Math.atan2(<f64> (im * a - re * b), <f64> (re * a + im * b));
}

/** The runs of ones (1650 Hz) and zeros: true after five flags. */
function preamble(s: usize, at: u32): i32 {
  let re = f32x4.splat(0);
  let im = f32x4.splat(0);
  let energy: f32 = 0;
  for (let i: u32 = 0; i < <u32> BIT_STEPS; i++) {
    const from = (at - i) & 7;
    re = f32x4.add(re, v128.load(s + RING_RE + (<usize> from << 4)));
    im = f32x4.add(im, v128.load(s + RING_IM + (<usize> from << 4)));
    energy += load<f32>(s + (<usize> from << 2), RING_ENERGY);
  }
  const power = f32x4.add(f32x4.mul(re, re), f32x4.mul(im, im));
  const one = f32x4.extract_lane(power, 2);
  const zero = f32x4.extract_lane(power, 3);
  const mark: u32 = one > zero ? 1 : 0;
  const run = load<u32>(s, RUN) + 1;
  if (mark == load<u32>(s, MARK)) {
    store<u32>(s, run, RUN);
    // in the middle of six ones there is nothing else
    if (mark != 0 && run == 20 && !(one > FSK_PURE * energy * <f32> (BIT_STEPS * STEP / 2) && loud(energy))) forget(s);
    if (run > 54) forget(s); // longer than a flag
    return 0;
  }
  store<u32>(s, mark, MARK);
  store<u32>(s, 1, RUN);
  // 40 steps of ones; 6.7 or 13.3 of zeros, as flags share a zero or not
  const ended = run - 1;
  const fits = mark == 0 ? ended >= 34 && ended <= 46 : ended >= 4 && ended <= 18;
  if (!fits) {
    forget(s);
    return 0;
  }
  if (mark != 0) return 0;
  const runs = load<u32>(s, FLAG_RUNS) + 1;
  store<u32>(s, runs, FLAG_RUNS);
  if (runs < FLAGS || load<u32>(s, FLAG_TOLD) != 0) return 0;
  store<u32>(s, 1, FLAG_TOLD);
  return V21;
}

// @ts-ignore: decorator
@inline
function loud(energy: f32): bool {
  return energy > LEAST * LEAST * 0.5 * <f32> (BIT_STEPS * STEP);
}

function forget(s: usize): void {
  store<u32>(s, 0, FLAG_RUNS);
  if (load<u32>(s, FLAG_TOLD) != 0 && load<u32>(s, RUN) > 54) store<u32>(s, 0, FLAG_TOLD);
}
