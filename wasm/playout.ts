// Play-out of a conference member, an adaptive jitter buffer: a ring of 256 ms indexed by RTP timestamp, so that order and
// gaps come right by themselves. How long before its turn each of the last 64 packets came decides the delay: when two came
// too late it grows by a frame, when all but one had more than two to spare it shrinks by one. What is missing is concealed.
//
//   READ: timestamp of the next sample out · END: after the last sample in · spare time of a packet: its timestamp - READ
import { concealFrame, concealHeard, concealReset } from "./conceal";
import { noiseFrame } from "./noise";
import {
  count,
  LATE,
  NOISE,
  PLAYOUT_DROPPED,
  PLAYOUT_END,
  PLAYOUT_MOVED,
  PLAYOUT_PACKETS,
  PLAYOUT_READ,
  PLAYOUT_STARTED,
  PLAYOUT_STARVED,
  PLAYOUT_TICKS,
  STREAMS,
} from "./stream";

const FRAME: u32 = 160; // 20 ms at 8 kHz
const RING: u32 = 2048; // samples, a power of two
const CUSHION: u32 = 2 * FRAME; // at the start
const MOST: i32 = 10 * <i32> FRAME; // 200 ms
const GONE: i32 = 8000; // a second off: another time line
const QUIET_FRAMES: u32 = 100; // starved for 2 s: begin anew with the next packet
const SPARES: u32 = 64; // packets that decide, a power of two
const ENOUGH: i32 = 2 * <i32> FRAME + 10; // to spare: as much as at the start
const STEP_TICKS: u32 = 2; // at least, between two steps

const rings: usize = memory.data(STREAMS * 2048 * 2, 16); // i16[STREAMS][RING]
const there: usize = memory.data(STREAMS * 2048, 16); // u8[STREAMS][RING], 1: that sample was received
const spares: usize = memory.data(STREAMS * 64 * 4, 16); // i32[STREAMS][SPARES], less what the reader was moved until then
const second: usize = memory.data(320, 16);
const received: usize = memory.data(320, 16);

function ringOf(slot: i32): usize {
  return rings + <usize> slot * (RING * 2);
}

function thereOf(slot: i32): usize {
  return there + <usize> slot * RING;
}

function sparesOf(slot: i32): usize {
  return spares + <usize> slot * (SPARES * 4);
}

function begin(s: usize, slot: i32, timestamp: u32): void {
  if (load<u8>(s, PLAYOUT_STARTED) == 0) concealReset(slot);
  memory.fill(thereOf(slot), 0, RING);
  store<u32>(s, timestamp - CUSHION, PLAYOUT_READ);
  store<u32>(s, timestamp, PLAYOUT_END);
  store<i32>(s, 0, PLAYOUT_MOVED);
  store<u32>(s, 0, PLAYOUT_PACKETS);
  store<u32>(s, 0, PLAYOUT_TICKS);
  store<u32>(s, 0, PLAYOUT_STARVED);
  store<u8>(s, 1, PLAYOUT_STARTED);
}

/** Takes `samples` that nobody will hear out of the ring and moves the reader behind them. */
function discard(s: usize, slot: i32, samples: u32): void {
  const read = load<u32>(s, PLAYOUT_READ);
  forget(slot, read, samples);
  store<u32>(s, read + samples, PLAYOUT_READ);
  store<i32>(s, load<i32>(s, PLAYOUT_MOVED) - <i32> samples, PLAYOUT_MOVED);
  store<u32>(s, load<u32>(s, PLAYOUT_DROPPED) + samples / FRAME, PLAYOUT_DROPPED);
}

function forget(slot: i32, from: u32, samples: u32): void {
  const at = from & (RING - 1);
  const first = min(samples, RING - at);
  memory.fill(thereOf(slot) + at, 0, first);
  memory.fill(thereOf(slot), 0, samples - first);
}

/** Places decoded samples (at most 960) on the time line. */
export function playoutWrite(s: usize, slot: i32, samples: usize, length: i32, timestamp: u32): void {
  if (length <= 0 || length > 960) return;
  if (load<u8>(s, PLAYOUT_STARTED) == 0) begin(s, slot, timestamp);
  let spare = <i32> (timestamp - load<u32>(s, PLAYOUT_READ));
  if (spare < -GONE || spare > GONE) {
    begin(s, slot, timestamp);
    spare = <i32> CUSHION;
  }
  const packets = load<u32>(s, PLAYOUT_PACKETS);
  store<i32>(sparesOf(slot) + (<usize> (packets & (SPARES - 1)) << 2), spare - load<i32>(s, PLAYOUT_MOVED));
  store<u32>(s, packets + 1, PLAYOUT_PACKETS);
  if (spare < 0) {
    count(s, LATE);
    // What came after it was heard already: too late. Else the time line waits for it.
    if (<i32> (timestamp - load<u32>(s, PLAYOUT_END)) < 0) return;
    const back = ((<u32> -spare + FRAME - 1) / FRAME) * FRAME;
    store<u32>(s, load<u32>(s, PLAYOUT_READ) - back, PLAYOUT_READ);
    store<i32>(s, load<i32>(s, PLAYOUT_MOVED) + <i32> back, PLAYOUT_MOVED);
    spare += <i32> back;
  }
  const over = spare + length - MOST;
  if (over > 0) {
    const whole = ((<u32> over + FRAME - 1) / FRAME) * FRAME;
    if (whole >= RING || <i32> whole > spare) {
      begin(s, slot, timestamp);
      spare = <i32> CUSHION;
    } else {
      discard(s, slot, whole);
      spare -= <i32> whole;
    }
  }
  const at = (load<u32>(s, PLAYOUT_READ) + <u32> spare) & (RING - 1);
  const first = min(<u32> length, RING - at);
  const ring = ringOf(slot);
  memory.copy(ring + (at << 1), samples, first << 1);
  memory.copy(ring, samples + (first << 1), (<u32> length - first) << 1);
  memory.fill(thereOf(slot) + at, 1, first);
  memory.fill(thereOf(slot), 1, <u32> length - first);
  const end = timestamp + <u32> length;
  if (<i32> (end - load<u32>(s, PLAYOUT_END)) > 0) store<u32>(s, end, PLAYOUT_END);
}

/** The second least time to spare of the last packets, as it would be now; none: a frame. */
function spareTime(s: usize, slot: i32): i32 {
  const packets = min(load<u32>(s, PLAYOUT_PACKETS), SPARES);
  if (packets < 2) return <i32> FRAME;
  let least = i32.MAX_VALUE;
  let next = i32.MAX_VALUE;
  for (let i: u32 = 0; i < packets; i++) {
    const spare = load<i32>(sparesOf(slot) + (<usize> i << 2));
    if (spare < least) {
      next = least;
      least = spare;
    } else if (spare < next) {
      next = spare;
    }
  }
  return next + load<i32>(s, PLAYOUT_MOVED);
}

/** Copies 160 samples from `read` on, and takes them out of the ring: how many were there. */
function take(slot: i32, read: u32, frame: usize): u32 {
  const at = read & (RING - 1);
  const first = min(FRAME, RING - at);
  const ring = ringOf(slot);
  memory.copy(frame, ring + (at << 1), first << 1);
  memory.copy(frame + (first << 1), ring, (FRAME - first) << 1);
  let found: u32 = 0;
  for (let n: u32 = 0; n < FRAME; n += 8) {
    // 8 does not divide the ring's wrap for every timestamp: octet by octet there
    const place = (at + n) & (RING - 1);
    if (place + 8 <= RING) found += <u32> popcnt<u64>(load<u64>(thereOf(slot) + place));
    else for (let i: u32 = 0; i < 8; i++) found += load<u8>(thereOf(slot) + ((place + i) & (RING - 1)));
  }
  if (found > 0 && found < FRAME) patch(slot, at, frame);
  forget(slot, read, FRAME);
  return found;
}

/** Part of a frame is missing: what is concealed stands there. */
function patch(slot: i32, at: u32, frame: usize): void {
  memory.copy(received, frame, FRAME << 1);
  concealFrame(slot, frame);
  for (let n: u32 = 0; n < FRAME; n++) {
    if (load<u8>(thereOf(slot) + ((at + n) & (RING - 1))) == 0) continue;
    store<u16>(frame + (n << 1), load<u16>(received + (n << 1)));
  }
}

/** Copies the next 160 samples to `frame`. False when there is nothing to hear. */
export function playoutRead(s: usize, slot: i32, frame: usize): bool {
  const noise = <i32> load<u8>(s, NOISE) - 1;
  if (load<u8>(s, PLAYOUT_STARTED) == 0) return noise >= 0 && noiseFrame(noise, frame);
  const read = load<u32>(s, PLAYOUT_READ);
  if (<i32> (load<u32>(s, PLAYOUT_END) - read) <= 0) {
    const starved = load<u32>(s, PLAYOUT_STARVED) + 1;
    store<u32>(s, starved, PLAYOUT_STARVED);
    if (starved > QUIET_FRAMES) store<u8>(s, 0, PLAYOUT_STARTED);
    store<u32>(s, read + FRAME, PLAYOUT_READ);
    // A pause in speech is no loss.
    return noise >= 0 ? noiseFrame(noise, frame) : concealFrame(slot, frame);
  }
  store<u32>(s, 0, PLAYOUT_STARVED);
  const ticks = load<u32>(s, PLAYOUT_TICKS) + 1;
  store<u32>(s, ticks, PLAYOUT_TICKS);
  if (ticks >= STEP_TICKS && (ticks & 1) == 0) { // every other tick is enough
    const spare = spareTime(s, slot);
    if (spare < 0) {
      store<u32>(s, 0, PLAYOUT_TICKS);
      store<i32>(s, load<i32>(s, PLAYOUT_MOVED) + <i32> FRAME, PLAYOUT_MOVED);
      store<u32>(s, read - FRAME, PLAYOUT_READ);
      return next(s, slot, read - FRAME, frame);
    }
    if (spare >= ENOUGH && load<u32>(s, PLAYOUT_PACKETS) >= SPARES) {
      store<u32>(s, 0, PLAYOUT_TICKS);
      return shorter(s, slot, read, frame);
    }
  }
  return next(s, slot, read, frame);
}

/** The frame at `read`, or what conceals it. */
function next(s: usize, slot: i32, read: u32, frame: usize): bool {
  store<u32>(s, read + FRAME, PLAYOUT_READ);
  const found = take(slot, read, frame);
  if (found == 0) return concealFrame(slot, frame);
  concealHeard(slot, frame);
  return true;
}

/** Two frames in the time of one, the first led over into the second; of one that is missing nothing is heard. */
function shorter(s: usize, slot: i32, read: u32, frame: usize): bool {
  const found = take(slot, read, frame);
  discard(s, slot, FRAME);
  if (found == 0) return next(s, slot, read + FRAME, frame);
  store<u32>(s, read + 2 * FRAME, PLAYOUT_READ);
  if (take(slot, read + FRAME, second) == FRAME) {
    for (let n: u32 = 0; n < FRAME; n++) {
      const at = n << 1;
      const a = <i32> load<i16>(frame + at) * <i32> (FRAME - n);
      const b = <i32> load<i16>(second + at) * <i32> n;
      store<i16>(frame + at, <i16> ((a + b) / <i32> FRAME));
    }
  }
  concealHeard(slot, frame);
  return true;
}
