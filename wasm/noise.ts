// Comfort noise (RFC 3389 §3): white noise at the level a packet names, below that of a square wave at full scale.
import { randomU32 } from "./random";

const SILENT: i32 = 90; // -dBov from which on nothing is left in 16 bits
const STEP: f32 = 0.8912509; // -1 dB

let state: u32 = 0;

/** 160 samples at `level` -dBov. False: that is silence. */
export function noiseFrame(level: i32, frame: usize): bool {
  if (level >= SILENT) return false;
  let peak: f32 = 32767 * 1.7320508; // evenly spread: the square root of 3 above the mean
  for (let i = 0; i < level; i++) peak *= STEP;
  peak = min<f32>(peak, 32767);
  if (state == 0) state = randomU32() | 1;
  for (let at: usize = 0; at < 320; at += 2) {
    state = state * 1664525 + 1013904223;
    store<i16>(frame + at, <i16> (<f32> (<i32> state) * peak / 2147483648));
  }
  return true;
}
