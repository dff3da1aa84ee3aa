// What a stream hears instead of its peer: a clip that the host writes ahead of need into a ring of 512 ms.
import { NOTICE_PLAYED, noticePush } from "./notice";
import { openRecord, PLAY_ENDED, PLAY_GENERATION, PLAY_READ, PLAY_WRITTEN, PLAYING, slotOf, STREAMS } from "./stream";

const FRAME: u32 = 160;
const RING: u32 = 4096; // samples, a power of two

export const PLAY_NOTHING: u8 = 0;
export const PLAY_CLIP: u8 = 1;

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

/** Ends what is playing and tells nobody: it goes on in another worker. */
export function playerTake(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  store<u8>(s, PLAY_NOTHING, PLAYING);
  return 0;
}

/** Begins a clip; `generation` comes back in its NOTICE_PLAYED. Offset of the ring of 4,096 samples at 8 kHz, or -1. */
export function playerStart(slot: i32, generation: u32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  playerStop(slot);
  store<u32>(s, generation, PLAY_GENERATION);
  store<u32>(s, 0, PLAY_READ);
  store<u32>(s, 0, PLAY_WRITTEN);
  store<u8>(s, 0, PLAY_ENDED);
  store<u8>(s, PLAY_CLIP, PLAYING);
  return <i32> (rings + <usize> slot * (RING * 2));
}

/** Offset of the ring of an open stream, for the host that goes on feeding it after a move. */
export function playerRing(slot: i32): i32 {
  return openRecord(slot) == 0 ? -1 : <i32> (rings + <usize> slot * (RING * 2));
}

/** Samples the ring has room for; -1 when no clip plays. */
export function playerRoom(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || load<u8>(s, PLAYING) != PLAY_CLIP) return -1;
  return <i32> (RING - (load<u32>(s, PLAY_WRITTEN) - load<u32>(s, PLAY_READ)));
}

/** The host wrote `samples` more after those before; `last` 1 when the clip ends with them. */
export function playerWrote(slot: i32, samples: i32, last: i32): i32 {
  const s = openRecord(slot);
  const room = playerRoom(slot);
  if (s == 0 || samples < 0 || samples > room) return -1;
  store<u32>(s, load<u32>(s, PLAY_WRITTEN) + <u32> samples, PLAY_WRITTEN);
  if (last) store<u8>(s, 1, PLAY_ENDED);
  return 0;
}

/** The next 20 ms of what plays, at `frame`. False when nothing plays. */
export function playerFrame(s: usize, frame: usize): bool {
  const playing = load<u8>(s, PLAYING);
  if (playing == PLAY_NOTHING) return false;
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
