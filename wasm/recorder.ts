// What is received, decoded, for the host: a ring of 512 ms that it empties once per tick.
import { openRecord, RECORD_STARTED, RECORD_TIMESTAMP, RECORD_WRITTEN, RECORDING, streamBind, STREAMS } from "./stream";

const RING: u32 = 4096; // samples, a power of two
const GAP_MOST: i32 = 1600; // a longer gap is a pause, not loss: closed up

const rings: usize = memory.data(STREAMS * 4096 * 2, 16); // i16[STREAMS][RING]

/** Starts (1) or stops (0) recording: offset of the ring of 4,096 samples, -1 when there is no such stream. */
export function recorderSet(slot: i32, on: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  store<u8>(s, on ? 1 : 0, RECORDING);
  store<u8>(s, 0, RECORD_STARTED);
  streamBind(s);
  return <i32> (rings + <usize> slot * (RING * 2));
}

/** Samples written since the stream was opened (mod 2^32); the ring holds the last 4,096. */
export function recorderWritten(slot: i32): u32 {
  const s = openRecord(slot);
  return s == 0 ? 0 : load<u32>(s, RECORD_WRITTEN);
}

function put(ring: usize, at: u32, samples: usize, length: u32): void {
  const place = at & (RING - 1);
  const first = min(length, RING - place);
  if (samples == 0) {
    memory.fill(ring + (place << 1), 0, first << 1);
    memory.fill(ring, 0, (length - first) << 1);
    return;
  }
  memory.copy(ring + (place << 1), samples, first << 1);
  memory.copy(ring, samples + (first << 1), (length - first) << 1);
}

/** Appends decoded samples; silence for what is missing, nothing for what comes too late. */
export function recorderAppend(s: usize, slot: i32, samples: usize, length: i32, timestamp: u32): void {
  const ring = rings + <usize> slot * (RING * 2);
  let written = load<u32>(s, RECORD_WRITTEN);
  if (load<u8>(s, RECORD_STARTED) != 0) {
    const gap = <i32> (timestamp - load<u32>(s, RECORD_TIMESTAMP));
    if (gap < 0 && gap > -GAP_MOST) return;
    if (gap > 0 && gap <= GAP_MOST) {
      put(ring, written, 0, <u32> gap);
      written += <u32> gap;
    }
  }
  put(ring, written, samples, <u32> length);
  store<u32>(s, written + <u32> length, RECORD_WRITTEN);
  store<u32>(s, timestamp + <u32> length, RECORD_TIMESTAMP);
  store<u8>(s, 1, RECORD_STARTED);
}
