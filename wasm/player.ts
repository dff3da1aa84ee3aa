// What a stream hears instead of its peer: a clip that the host writes ahead of need into a ring of 512 ms.
import { cadenceFrame, cadenceStart } from "./cadence";
import { NOTICE_PLAYED, noticePush } from "./notice";
import {
  openRecord,
  PLAY_ENDED,
  PLAY_GENERATION,
  PLAY_LOOP,
  PLAY_READ,
  PLAY_WRITTEN,
  PLAYING,
  slotOf,
  STREAMS,
} from "./stream";
import { resampleReset, resampleRun } from "./resample";

const FRAME: u32 = 160;
const RING: u32 = 4096; // samples, a power of two

export const PLAY_NOTHING: u8 = 0;
export const PLAY_CLIP: u8 = 1;
export const PLAY_TONE: u8 = 2;

const CLIPS: i32 = 4096; // slots of the resampler from here on belong to clips
const STAGE: i32 = 960;

const stage: usize = memory.data(960 * 2, 16); // i16[STAGE]
const resampled: usize = memory.data(960 * 2, 16); // i16[STAGE]
const rings: usize = memory.data(STREAMS * 4096 * 2, 16); // i16[STREAMS][RING], 8 kHz

/** Ends what is playing; its end is told with b = 0. */
export function playerStop(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  if (load<u8>(s, PLAYING) != PLAY_NOTHING) playerEnd(s, 0);
  return 0;
}

export function playerEnd(s: usize, whole: u32): void {
  store<u8>(s, PLAY_NOTHING, PLAYING);
  noticePush(NOTICE_PLAYED, slotOf(s), load<u32>(s, PLAY_GENERATION), whole);
}

/** Ends what is playing and tells nobody, as it goes on in another worker: 1 a clip, 2 a tone, 0 nothing. */
export function playerTake(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const playing = <i32> load<u8>(s, PLAYING);
  store<u8>(s, PLAY_NOTHING, PLAYING);
  return playing;
}

/** Begins a clip; `generation` comes back in its NOTICE_PLAYED. */
export function playerStart(slot: i32, generation: u32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  playerStop(slot);
  store<u32>(s, generation, PLAY_GENERATION);
  store<u32>(s, 0, PLAY_READ);
  store<u32>(s, 0, PLAY_WRITTEN);
  store<u8>(s, 0, PLAY_ENDED);
  store<u8>(s, PLAY_CLIP, PLAYING);
  resampleReset(CLIPS + slot);
  return 0;
}

/** Begins the tone whose steps the host added before (cadenceAdd). */
export function playerTone(slot: i32, generation: u32, loop: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  playerStop(slot);
  store<u32>(s, generation, PLAY_GENERATION);
  store<u8>(s, loop ? 1 : 0, PLAY_LOOP);
  cadenceStart(s, slot);
  store<u8>(s, PLAY_TONE, PLAYING);
  return 0;
}

/** Samples (8 kHz) the ring has room for; -1 when no clip plays. */
export function playerRoom(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || load<u8>(s, PLAYING) != PLAY_CLIP) return -1;
  return <i32> (RING - (load<u32>(s, PLAY_WRITTEN) - load<u32>(s, PLAY_READ)));
}

/** Offset of i16[960] where the host puts the next samples of a clip, for playerStaged. */
export function playerStage(): i32 {
  return <i32> stage;
}

/**
 * Takes `count` (at most 960) samples of `rate` Hz from the stage; `last` 1 when the clip ends with them. At 16 kHz their
 * number is even, at 48 kHz a multiple of six. -1: no clip plays; -2: no room, or a number that does not fit.
 */
export function playerStaged(slot: i32, rate: i32, count: i32, last: i32): i32 {
  const s = openRecord(slot);
  const room = playerRoom(slot);
  if (s == 0 || room < 0) return -1;
  if (<u32> count > <u32> STAGE) return -2;
  const length = resampleRun(CLIPS + slot, rate, 8000, resampled, stage, count);
  if (length < 0 || length > room) return -2;
  const written = load<u32>(s, PLAY_WRITTEN);
  const at = written & (RING - 1);
  const first = min(<u32> length, RING - at);
  const ring = rings + <usize> slot * (RING * 2);
  memory.copy(ring + (at << 1), resampled, first << 1);
  memory.copy(ring, resampled + (first << 1), (<u32> length - first) << 1);
  store<u32>(s, written + <u32> length, PLAY_WRITTEN);
  if (last) store<u8>(s, 1, PLAY_ENDED);
  return length;
}

/** The next 20 ms of what plays, at `frame`. False when nothing plays. */
export function playerFrame(s: usize, frame: usize): bool {
  const playing = load<u8>(s, PLAYING);
  if (playing == PLAY_NOTHING) return false;
  if (playing == PLAY_TONE) {
    if (cadenceFrame(s, slotOf(s), frame)) return true;
    playerEnd(s, 1);
    return false;
  }
  const read = load<u32>(s, PLAY_READ);
  const ready = min(load<u32>(s, PLAY_WRITTEN) - read, FRAME);
  if (ready == 0 && load<u8>(s, PLAY_ENDED) != 0) {
    playerEnd(s, 1);
    return false;
  }
  const ring = rings + <usize> slotOf(s) * (RING * 2);
  const at = read & (RING - 1);
  const first = min(ready, RING - at);
  memory.copy(frame, ring + (at << 1), first << 1);
  memory.copy(frame + (first << 1), ring, (ready - first) << 1);
  memory.fill(frame + (ready << 1), 0, (FRAME - ready) << 1); // the host is late, or the clip ends here
  store<u32>(s, read + ready, PLAY_READ);
  return true;
}
