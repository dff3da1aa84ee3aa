// Sequence, loss and jitter of what a source sends (RFC 3550 appendix A.1, A.3, A.8).
import { clockUnits } from "./clock";
import {
  count,
  DUPLICATES,
  LATE,
  LOST_BEFORE,
  RX_BAD,
  RX_BASE,
  RX_CYCLES,
  RX_EXPECTED_PRIOR,
  RX_HIGHEST,
  RX_JITTER,
  RX_RECEIVED,
  RX_RECEIVED_PRIOR,
  RX_SSRC,
  RX_STARTED,
  RX_TRANSIT,
  RX_WINDOW,
} from "./stream";

const MAX_DROPOUT: u32 = 3000;
const MAX_MISORDER: u32 = 100;

function restart(s: usize, ssrc: u32, sequence: u16): void {
  if (load<u8>(s, RX_STARTED)) store<i32>(s, sequenceLost(s), LOST_BEFORE);
  store<u8>(s, 1, RX_STARTED);
  store<u32>(s, ssrc, RX_SSRC);
  store<u16>(s, sequence, RX_HIGHEST);
  store<u32>(s, sequence, RX_BASE);
  store<u32>(s, 0, RX_CYCLES);
  store<u32>(s, 0x10000, RX_BAD);
  store<u32>(s, 1, RX_RECEIVED);
  store<u32>(s, 0, RX_EXPECTED_PRIOR);
  store<u32>(s, 0, RX_RECEIVED_PRIOR);
  store<u32>(s, 0, RX_TRANSIT);
  store<u32>(s, 0, RX_JITTER);
  store<u64>(s, 1, RX_WINDOW);
  store<u64>(s, 0, RX_WINDOW + 8);
}

function slide(s: usize, by: u32): void {
  const low = load<u64>(s, RX_WINDOW);
  const high = load<u64>(s, RX_WINDOW + 8);
  if (by < 64) {
    store<u64>(s, (low << by) | 1, RX_WINDOW);
    store<u64>(s, by == 0 ? high : (high << by) | (low >> (64 - by)), RX_WINDOW + 8);
  } else {
    store<u64>(s, 1, RX_WINDOW);
    store<u64>(s, by < 128 ? low << (by - 64) : 0, RX_WINDOW + 8);
  }
}

export const SEQUENCE_NEW: i32 = 2; // first of its source, or after a jump
export const SEQUENCE_NEXT: i32 = 1; // newer than all before
export const SEQUENCE_LATE: i32 = 0; // out of order, not seen before

/** What the packet is to its source; negative: drop it (counted). */
export function sequenceAccept(s: usize, ssrc: u32, sequence: u16): i32 {
  if (load<u8>(s, RX_STARTED) == 0 || load<u32>(s, RX_SSRC) != ssrc) {
    restart(s, ssrc, sequence);
    return SEQUENCE_NEW;
  }
  const highest = load<u16>(s, RX_HIGHEST);
  const ahead = <u32> (sequence - highest) & 0xffff;
  if (ahead == 0) {
    count(s, DUPLICATES);
    return -1;
  }
  if (ahead < MAX_DROPOUT) {
    if (sequence < highest) store<u32>(s, load<u32>(s, RX_CYCLES) + 0x10000, RX_CYCLES);
    store<u16>(s, sequence, RX_HIGHEST);
    slide(s, ahead);
    store<u32>(s, load<u32>(s, RX_RECEIVED) + 1, RX_RECEIVED);
    return SEQUENCE_NEXT;
  }
  if (ahead <= 0x10000 - MAX_MISORDER) {
    // A jump: believed when the next packet follows it.
    if (<u32> sequence == load<u32>(s, RX_BAD)) {
      restart(s, ssrc, sequence);
      return SEQUENCE_NEW;
    }
    store<u32>(s, <u32> (sequence + 1) & 0xffff, RX_BAD);
    count(s, LATE);
    return -1;
  }
  const back = 0x10000 - ahead;
  const word = s + RX_WINDOW + (back < 64 ? 0 : 8);
  const bit = <u64> 1 << (back & 63);
  if (load<u64>(word) & bit) {
    count(s, DUPLICATES);
    return -1;
  }
  store<u64>(word, load<u64>(word) | bit);
  store<u32>(s, load<u32>(s, RX_RECEIVED) + 1, RX_RECEIVED);
  return SEQUENCE_LATE;
}

/** RFC 3550 §6.4.1: J += (|D| - J) / 16, kept times 16. */
export function sequenceJitter(s: usize, timestamp: u32, clock: u32): void {
  const transit = clockUnits(clock) - timestamp;
  const before = load<u32>(s, RX_TRANSIT);
  store<u32>(s, transit, RX_TRANSIT);
  if (before == 0) return;
  const difference = <i32> (transit - before);
  const d = <u32> (difference < 0 ? -difference : difference);
  if (d > clock) return; // a new time line, not jitter
  const jitter = load<u32>(s, RX_JITTER);
  store<u32>(s, jitter + d - ((jitter + 8) >> 4), RX_JITTER);
}

export function sequenceExtended(s: usize): u32 {
  return load<u32>(s, RX_CYCLES) + <u32> load<u16>(s, RX_HIGHEST);
}

export function sequenceExpected(s: usize): u32 {
  return load<u8>(s, RX_STARTED) ? sequenceExtended(s) - load<u32>(s, RX_BASE) + 1 : 0;
}

/** Packets lost since the stream was opened; duplicates never count, so it may not fall below zero by them. */
export function sequenceLost(s: usize): i32 {
  return load<i32>(s, LOST_BEFORE) + <i32> (sequenceExpected(s) - load<u32>(s, RX_RECEIVED));
}
