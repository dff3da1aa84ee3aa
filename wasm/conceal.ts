// What a listener hears instead of a packet that is missing (after ITU-T G.711 appendix I, without its delay): the last pitch
// periods again, from 10 ms on softer, silent after 60 ms; and the way back into what is received.

const STREAMS: i32 = 4096;
const FRAME: i32 = 160; // 20 ms at 8 kHz
const STAGE: i32 = 80; // 10 ms: then one more period is repeated, up to three
const SHORTEST: i32 = 40; // pitch periods: 200 Hz
const LONGEST: i32 = 120; // 66 Hz
const WINDOW: i32 = 160; // that are compared with those a period before
const HISTORY: i32 = 480; // three of the longest periods, and a quarter, and more
const SILENT: i32 = 480; // samples after which nothing is left

// of a stream
const PAST: usize = 0; // i16[HISTORY] heard last
const LOST: usize = 960; // i32 samples that are being concealed
const PERIOD: usize = 964; // i32
const AT: usize = 968; // i32 place in what is repeated
const STAGES: usize = 972; // i32 periods that are repeated
const STATE: usize = 976;

const states: usize = memory.data(STREAMS * <i32> STATE, 16);
const scaled: usize = memory.data(HISTORY * 2 + 32, 16);
const made: usize = memory.data(FRAME * 2, 16);

function stateOf(slot: i32): usize {
  return states + <usize> slot * STATE;
}

export function concealReset(slot: i32): void {
  memory.fill(stateOf(slot), 0, STATE);
}

/** The frame of 160 samples was received: it is led into where something was concealed, and remembered. */
export function concealHeard(slot: i32, frame: usize): void {
  const s = stateOf(slot);
  const lost = load<i32>(s, LOST);
  if (lost > 0) {
    // a quarter of a period, 4 ms more for each 10 ms, 10 ms at most
    const length = min((load<i32>(s, PERIOD) >> 2) + 32 * (lost / STAGE), STAGE);
    make(s, length);
    for (let n = 0; n < length; n++) {
      const at = frame + (<usize> n << 1);
      const before = <i32> load<i16>(made + (<usize> n << 1));
      const after = <i32> load<i16>(at);
      store<i16>(at, <i16> ((before * (length - n) + after * n) / length));
    }
    store<i32>(s, 0, LOST);
  }
  remember(s, frame);
}

/** Makes a frame for one that is missing. False: it is silent by now. */
export function concealFrame(slot: i32, frame: usize): bool {
  const s = stateOf(slot);
  const lost = load<i32>(s, LOST);
  if (lost >= SILENT) {
    memory.fill(frame, 0, FRAME * 2);
    return false;
  }
  if (lost == 0) {
    store<i32>(s, pitch(s), PERIOD);
    store<i32>(s, 0, AT);
    store<i32>(s, 1, STAGES);
  }
  make(s, FRAME);
  memory.copy(frame, made, FRAME * 2);
  return true;
}

function remember(s: usize, frame: usize): void {
  memory.copy(s + PAST, s + PAST + FRAME * 2, (HISTORY - FRAME) * 2);
  memory.copy(s + PAST + (HISTORY - FRAME) * 2, frame, FRAME * 2);
}

/** Sample `at` of the last `periods` periods repeated; its last quarter period becomes what came before the first. */
function repeated(s: usize, periods: i32, period: i32, at: i32): i32 {
  const length = periods * period;
  const from = HISTORY - length + at;
  const sample = <i32> load<i16>(s + PAST + (<usize> from << 1));
  const quarter = period >> 2;
  const into = at - (length - quarter);
  if (into < 0) return sample;
  const before = <i32> load<i16>(s + PAST + (<usize> (from - length) << 1));
  return (sample * (quarter - into) + before * into) / quarter;
}

/** Goes on with what is repeated: `count` samples to `made`. */
function make(s: usize, count: i32): void {
  const period = load<i32>(s, PERIOD);
  const quarter = period >> 2;
  let lost = load<i32>(s, LOST);
  let at = load<i32>(s, AT);
  let stages = load<i32>(s, STAGES);
  let old = 0; // where the stage before goes on, while both are heard
  let both = 0;
  let stage = lost % STAGE;
  for (let n = 0; n < count; n++) {
    if (stage == 0 && lost > 0 && stages < 3) {
      old = at;
      both = quarter;
      stages += 1;
      at = at % period; // in the first, the oldest, of the periods
    }
    let sample = repeated(s, stages, period, at);
    if (both > 0) {
      const before = repeated(s, stages - 1, period, old);
      sample = (before * both + sample * (quarter - both)) / quarter;
      old += 1;
      if (old == (stages - 1) * period) old = 0;
      both -= 1;
    }
    // -20 % for each 10 ms after the first
    const gain = lost < STAGE ? 400 : max(SILENT - lost, 0);
    store<i16>(made + (<usize> n << 1), <i16> (sample * gain / 400));
    at += 1;
    if (at == stages * period) at = 0;
    stage += 1;
    if (stage == STAGE) stage = 0;
    lost += 1;
  }
  store<i32>(s, lost, LOST);
  store<i32>(s, at, AT);
  store<i32>(s, stages, STAGES);
}

/** The lag at which the last 20 ms are most like what came before (normalised correlation): 40 to 120 samples. */
function pitch(s: usize): i32 {
  let most = 0;
  for (let n = 0; n < HISTORY; n++) {
    const x = <i32> load<i16>(s + PAST + (<usize> n << 1));
    most |= x < 0 ? ~x : x;
  }
  const shift = max(21 - clz(most), 0); // 11 bits are left: 160 products fit into 32 bits
  for (let n = 0; n < HISTORY; n++) {
    const at = <usize> n << 1;
    store<i16>(scaled + at, <i16> (<i32> load<i16>(s + PAST + at) >> shift));
  }
  let best = LONGEST;
  let score: f32 = 0;
  for (let lag = SHORTEST; lag <= LONGEST; lag += 2) {
    const found = likeness(lag);
    if (found > score) {
      score = found;
      best = lag;
    }
  }
  const coarse = best;
  for (let lag = max(coarse - 1, SHORTEST); lag <= min(coarse + 1, LONGEST); lag += 2) {
    const found = likeness(lag);
    if (found > score) {
      score = found;
      best = lag;
    }
  }
  return best;
}

function likeness(lag: i32): f32 {
  const now = scaled + <usize> (HISTORY - WINDOW) * 2;
  const then = now - (<usize> lag << 1);
  let product = i32x4.splat(0);
  let energy = i32x4.splat(0);
  for (let at: usize = 0; at < <usize> WINDOW * 2; at += 16) {
    const x = v128.load(then + at);
    product = i32x4.add(product, i32x4.dot_i16x8_s(v128.load(now + at), x));
    energy = i32x4.add(energy, i32x4.dot_i16x8_s(x, x));
  }
  const c = <f32> sum(product);
  return c <= 0 ? 0 : c * c / max(<f32> sum(energy), 1);
}

// @ts-ignore: decorator
@inline
function sum(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}
