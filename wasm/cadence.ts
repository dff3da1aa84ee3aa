// A pattern of tones: steps of up to four sines or silence, each for a number of samples. The sines are tone.ts's.
import { openRecord, PLAY_LEFT, PLAY_LOOP, PLAY_STEP, PLAY_STEPS, STREAMS } from "./stream";
import { toneGate, tonePeak, toneReset, toneRun, toneSine } from "./tone";

const STEPS: i32 = 128;
const STEP_BYTES: usize = 36; // f32 Hz [4] (0: off), f32 peak [4], u32 samples (0: for ever)
const RATE: i32 = 8000;
const FRAME: u32 = 160;

const tables: usize = memory.data(STREAMS * 128 * 36, 16); // [STREAMS][STEPS]

function stepAt(slot: i32, index: i32): usize {
  return tables + (<usize> slot * STEPS + index) * STEP_BYTES;
}

/** Forgets the steps of a stream that plays no tone. */
export function cadenceClear(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  store<u8>(s, 0, PLAY_STEPS);
  return 0;
}

/** One more step of silence, `ms` long (0: for ever): its number; -1: no such stream; -2: 128 steps are there. */
export function cadenceAdd(slot: i32, ms: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const index = <i32> load<u8>(s, PLAY_STEPS);
  if (index >= STEPS || ms < 0 || ms > 3600000) return -2;
  memory.fill(stepAt(slot, index), 0, STEP_BYTES);
  store<u32>(stepAt(slot, index), <u32> ms * (RATE / 1000), 32);
  store<u8>(s, <u8> (index + 1), PLAY_STEPS);
  return index;
}

/** Sine `index` (0..3) of the step added last: Hz and level of its own. */
export function cadenceSine(slot: i32, index: i32, hertz: f64, dbm0: f64): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const steps = <i32> load<u8>(s, PLAY_STEPS);
  const peak = tonePeak(dbm0);
  if (steps == 0 || <u32> index > 3 || !(hertz > 0 && hertz < RATE / 2) || !(peak >= 0 && peak <= 32767)) return -2;
  const step = stepAt(slot, steps - 1) + (<usize> index << 2);
  store<f32>(step, <f32> hertz);
  store<f32>(step, <f32> peak, 16);
  return 0;
}

export function cadenceStart(s: usize, slot: i32): void {
  toneReset(slot, RATE);
  store<u8>(s, 0, PLAY_STEP);
  if (load<u8>(s, PLAY_STEPS) != 0) enter(s, slot, 0);
}

function enter(s: usize, slot: i32, index: i32): void {
  const step = stepAt(slot, index);
  store<u8>(s, <u8> index, PLAY_STEP);
  store<u32>(s, load<u32>(step, 32), PLAY_LEFT);
  let sounds = false;
  for (let i = 0; i < 4; i++) sounds = sounds || load<f32>(step + (<usize> i << 2)) > 0;
  // What fades out at the start of a silence keeps its sines until then.
  if (sounds) {
    for (let i = 0; i < 4; i++) {
      const at = step + (<usize> i << 2);
      toneSine(slot, i, load<f32>(at), load<f32>(at) > 0 ? load<f32>(at, 16) : 0);
    }
  }
  toneGate(slot, sounds ? 1 : 0);
}

/** The next 160 samples at `frame`. False: the pattern is at its end. */
export function cadenceFrame(s: usize, slot: i32, frame: usize): bool {
  const steps = <i32> load<u8>(s, PLAY_STEPS);
  let at: u32 = 0;
  while (at < FRAME) {
    const step = stepAt(slot, <i32> load<u8>(s, PLAY_STEP));
    const endless = steps != 0 && load<u32>(step, 32) == 0;
    const left = steps == 0 ? 0 : endless ? FRAME : load<u32>(s, PLAY_LEFT);
    const part = min(left, FRAME - at);
    if (part > 0) toneRun(slot, frame + (at << 1), <i32> part);
    at += part;
    if (endless) break;
    store<u32>(s, left - part, PLAY_LEFT);
    if (left > part) break;
    let next = <i32> load<u8>(s, PLAY_STEP) + 1;
    if (next >= steps) {
      // At the end a frame that began is filled up with silence.
      if (steps == 0 || load<u8>(s, PLAY_LOOP) == 0) {
        if (at == 0) return false;
        memory.fill(frame + (at << 1), 0, (FRAME - at) << 1);
        store<u8>(s, <u8> steps, PLAY_STEP);
        store<u8>(s, 0, PLAY_STEPS);
        return true;
      }
      next = 0;
    }
    enter(s, slot, next);
  }
  return true;
}
