// Play-out of a conference member: a ring of 256 ms indexed by RTP timestamp, so that order and gaps come right by
// themselves. Two frames wait at the start; a packet that comes too late makes the delay one frame longer, a backlog
// beyond six frames loses the oldest.
import {
  count,
  LATE,
  PLAYOUT_DROPPED,
  PLAYOUT_END,
  PLAYOUT_LOWEST,
  PLAYOUT_PERIOD,
  PLAYOUT_READ,
  PLAYOUT_STARTED,
  PLAYOUT_STARVED,
  STREAMS,
} from "./stream";

const FRAME: u32 = 160; // 20 ms at 8 kHz
const RING: u32 = 2048; // samples, a power of two
const CUSHION: u32 = 2 * FRAME;
const MOST: i32 = 6 * <i32> FRAME;
const GONE: i32 = 4000; // half a second off: another time line
const QUIET_FRAMES: u32 = 100; // starved for 2 s: begin anew with the next packet
const PERIOD_TICKS: u32 = 250; // 5 s

const rings: usize = memory.data(STREAMS * 2048 * 2, 16); // i16[STREAMS][RING]

function ringOf(slot: i32): usize {
  return rings + <usize> slot * (RING * 2);
}

function begin(s: usize, slot: i32, timestamp: u32): void {
  memory.fill(ringOf(slot), 0, RING * 2);
  store<u32>(s, timestamp - CUSHION, PLAYOUT_READ);
  store<u32>(s, timestamp, PLAYOUT_END);
  store<u32>(s, u32.MAX_VALUE, PLAYOUT_LOWEST);
  store<u32>(s, PERIOD_TICKS, PLAYOUT_PERIOD);
  store<u32>(s, 0, PLAYOUT_STARVED);
  store<u8>(s, 1, PLAYOUT_STARTED);
}

/** Moves the reader on over `samples`, which nobody will hear. */
function discard(s: usize, slot: i32, samples: u32): void {
  const ring = ringOf(slot);
  let read = load<u32>(s, PLAYOUT_READ);
  for (let i: u32 = 0; i < samples; i++) {
    store<i16>(ring + (((read + i) & (RING - 1)) << 1), 0);
  }
  read += samples;
  store<u32>(s, read, PLAYOUT_READ);
  store<u32>(s, load<u32>(s, PLAYOUT_DROPPED) + samples / FRAME, PLAYOUT_DROPPED);
}

/** Places decoded samples (at most 960) on the time line. */
export function playoutWrite(s: usize, slot: i32, samples: usize, length: i32, timestamp: u32): void {
  if (length <= 0 || length > 960) return;
  if (load<u8>(s, PLAYOUT_STARTED) == 0) begin(s, slot, timestamp);
  let offset = <i32> (timestamp - load<u32>(s, PLAYOUT_READ));
  if (offset < -GONE || offset > GONE) {
    begin(s, slot, timestamp);
    offset = <i32> CUSHION;
  } else if (offset < 0) {
    count(s, LATE);
    const frames = (<u32> -offset + FRAME - 1) / FRAME;
    store<u32>(s, load<u32>(s, PLAYOUT_READ) - frames * FRAME, PLAYOUT_READ);
    offset += <i32> (frames * FRAME);
  }
  const backlog = offset + length;
  if (backlog > MOST) {
    const over = ((<u32> (backlog - MOST) + FRAME - 1) / FRAME) * FRAME;
    if (over >= RING - FRAME) {
      begin(s, slot, timestamp);
      offset = <i32> CUSHION;
    } else {
      discard(s, slot, over);
      offset -= <i32> over;
      if (offset < 0) {
        begin(s, slot, timestamp);
        offset = <i32> CUSHION;
      }
    }
  }
  const at = (load<u32>(s, PLAYOUT_READ) + <u32> offset) & (RING - 1);
  const first = min(<u32> length, RING - at);
  const ring = ringOf(slot);
  memory.copy(ring + (at << 1), samples, first << 1);
  memory.copy(ring, samples + (first << 1), (<u32> length - first) << 1);
  const end = timestamp + <u32> length;
  if (<i32> (end - load<u32>(s, PLAYOUT_END)) > 0) store<u32>(s, end, PLAYOUT_END);
}

/** Copies the next 160 samples to `frame`. False when there is nothing to hear. */
export function playoutRead(s: usize, slot: i32, frame: usize): bool {
  if (load<u8>(s, PLAYOUT_STARTED) == 0) return false;
  let read = load<u32>(s, PLAYOUT_READ);
  const backlog = <i32> (load<u32>(s, PLAYOUT_END) - read);
  if (backlog <= 0) {
    const starved = load<u32>(s, PLAYOUT_STARVED) + 1;
    store<u32>(s, starved, PLAYOUT_STARVED);
    if (starved > QUIET_FRAMES) store<u8>(s, 0, PLAYOUT_STARTED);
    store<u32>(s, read + FRAME, PLAYOUT_READ);
    return false;
  }
  store<u32>(s, 0, PLAYOUT_STARVED);
  store<u32>(s, min(load<u32>(s, PLAYOUT_LOWEST), <u32> backlog), PLAYOUT_LOWEST);
  const period = load<u32>(s, PLAYOUT_PERIOD) - 1;
  store<u32>(s, period, PLAYOUT_PERIOD);
  if (period == 0) {
    // More than three frames waited for five seconds on end: the delay is longer than it need be.
    if (load<u32>(s, PLAYOUT_LOWEST) > 4 * FRAME) {
      discard(s, slot, FRAME);
      read += FRAME;
    }
    store<u32>(s, u32.MAX_VALUE, PLAYOUT_LOWEST);
    store<u32>(s, PERIOD_TICKS, PLAYOUT_PERIOD);
  }
  const ring = ringOf(slot);
  const at = read & (RING - 1);
  const first = min(FRAME, RING - at);
  memory.copy(frame, ring + (at << 1), first << 1);
  memory.copy(frame + (first << 1), ring, (FRAME - first) << 1);
  memory.fill(ring + (at << 1), 0, first << 1);
  memory.fill(ring, 0, (FRAME - first) << 1);
  store<u32>(s, read + FRAME, PLAYOUT_READ);
  return true;
}
