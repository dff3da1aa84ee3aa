// Generator of up to four sines per slot, phase continuous over frames. The caller opens and closes the gate (cadence);
// an edge is a ramp of 2 ms.

const SLOTS: i32 = 4096;
const SINES: i32 = 4;
const SLOT_BYTES: usize = 96;

// f64[SINES] phase in turns · f64[SINES] turns per sample · f32[SINES] peak · f32 gain · f32 gain target · f32 ramp step
const PHASE: usize = 0;
const STEP: usize = 32;
const PEAK: usize = 64;
const GAIN: usize = 80;
const TARGET: usize = 84;
const RAMP: usize = 88;
const RATE: usize = 92; // u32 Hz, 0: never set

const slots: usize = memory.data(4096 * 96, 16);
const sum: usize = memory.data(64 * 8, 16); // f64[64]

const CHUNK: i32 = 64;

function at(slot: i32): usize {
  return slots + <usize> slot * SLOT_BYTES;
}

/** Forgets the sines of the slot and closes its gate at once. Rate in Hz, 8,000 to 48,000. */
export function toneReset(slot: i32, rate: i32): i32 {
  if (<u32> slot >= <u32> SLOTS || rate < 8000 || rate > 48000) return -1;
  memory.fill(at(slot), 0, SLOT_BYTES);
  store<u32>(at(slot), rate, RATE);
  store<f32>(at(slot), 500 / <f32> rate, RAMP);
  return 0;
}

/** Sine `index` (0..3) of the slot: frequency in Hz below half the rate, peak in steps of 16 bits (0: off). */
export function toneSine(slot: i32, index: i32, hertz: f64, peak: f64): i32 {
  if (<u32> slot >= <u32> SLOTS || <u32> index >= <u32> SINES) return -1;
  const s = at(slot);
  const rate = <f64> load<u32>(s, RATE);
  if (rate == 0 || !(hertz >= 0 && hertz < rate / 2) || !(peak >= 0 && peak <= 32767)) return -2;
  store<f64>(s + (<usize> index << 3), hertz / rate, STEP);
  store<f32>(s + (<usize> index << 2), <f32> peak, PEAK);
  return 0;
}

/** Opens or closes the gate: the sound rises or falls within 2 ms of the next samples. Phases begin anew on silence. */
export function toneGate(slot: i32, on: i32): i32 {
  if (<u32> slot >= <u32> SLOTS || load<u32>(at(slot), RATE) == 0) return -1;
  const s = at(slot);
  if (on != 0 && load<f32>(s, GAIN) == 0) memory.fill(s + PHASE, 0, SINES * 8);
  store<f32>(s, on != 0 ? 1 : 0, TARGET);
  return 0;
}

/** Peak of a sine of this level, 0 dBm0 being 3.14 dB under full scale. */
export function tonePeak(dbm0: f64): f64 {
  return 32767 * Math.pow(10, (dbm0 - 3.14) / 20);
}

// Two samples per step: y[n + 2] = 2 cos(2w) y[n] - y[n - 2].
function addSine(phase: f64, step: f64, peak: f64, count: i32): void {
  const turn = 2 * Math.PI;
  const k = 2 * Math.cos(2 * step * turn);
  const factor = f64x2.splat(k);
  let before = f64x2(peak * Math.sin((phase - 2 * step) * turn), peak * Math.sin((phase - step) * turn));
  let now = f64x2(peak * Math.sin(phase * turn), peak * Math.sin((phase + step) * turn));
  for (let i = 0; i < count; i += 2) {
    const to = sum + (<usize> i << 3);
    v128.store(to, f64x2.add(v128.load(to), now));
    const after = f64x2.sub(f64x2.mul(factor, now), before);
    before = now;
    now = after;
  }
}

/** The next `count` samples i16 at `to`. 1: sound; 0: silence, written as zeros; -1: no such slot. */
export function toneRun(slot: i32, to: usize, count: i32): i32 {
  if (<u32> slot >= <u32> SLOTS) return -1;
  const s = at(slot);
  let gain = load<f32>(s, GAIN);
  const target = load<f32>(s, TARGET);
  if (gain == 0 && target == 0) {
    memory.fill(to, 0, <usize> count << 1);
    return 0;
  }
  const ramp = load<f32>(s, RAMP);
  for (let done = 0; done < count; done += CHUNK) {
    const part = min(count - done, CHUNK);
    memory.fill(sum, 0, CHUNK * 8);
    for (let i = 0; i < SINES; i++) {
      const peak = <f64> load<f32>(s + (<usize> i << 2), PEAK);
      const phase = s + (<usize> i << 3);
      const step = load<f64>(phase, STEP);
      if (peak > 0) addSine(load<f64>(phase), step, peak, part);
      const moved = load<f64>(phase) + step * <f64> part;
      store<f64>(phase, moved - Math.floor(moved));
    }
    const out = to + (<usize> done << 1);
    for (let i = 0; i < part; i++) {
      if (gain < target) gain = min(target, gain + ramp);
      else if (gain > target) gain = max(target, gain - ramp);
      const value = load<f64>(sum + (<usize> i << 3)) * <f64> gain;
      store<i16>(out + (<usize> i << 1), <i16> nearest<f64>(min(max(value, -32768), 32767)));
    }
  }
  store<f32>(s, gain, GAIN);
  return 1;
}
