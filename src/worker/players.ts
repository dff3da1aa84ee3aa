// Clips and tones on their way into the core. A clip of any length is copied ahead of need, half a ring at a time.
import type { Core } from "./core.ts";
import type { Playing, SharedClip } from "./protocol.ts";

const RING = 4096; // samples of the core's ring
const CHUNK = RING / 2;

interface Clip {
  readonly slot: number;
  readonly request: number;
  readonly clip: SharedClip;
  readonly samples: Int16Array;
  readonly loop: boolean;
  readonly ring: number; // index of i16
  written: number; // samples given to the ring
  position: number; // samples of the clip
}

export class Players {
  readonly #core: Core;
  readonly #ring: Int16Array;
  readonly #clips = new Map<number, Clip>();

  constructor(core: Core) {
    this.#core = core;
    this.#ring = new Int16Array(core.memory.buffer);
  }

  /** Plays from `position`; the core's notice carries `request` at the end. */
  play(slot: number, request: number, clip: SharedClip, position: number, loop: boolean): void {
    const samples = new Int16Array(clip.samples);
    const ring = this.#core.playerStart(slot, request) >> 1;
    const player = { slot, request, clip, samples, loop, ring, written: 0, position };
    this.#clips.set(slot, player);
    this.#fill(player);
  }

  /** Before each tick: rings that are half empty are filled. */
  feed(): void {
    for (const player of this.#clips.values()) {
      const room = this.#core.playerRoom(player.slot);
      if (room < 0) this.#clips.delete(player.slot);
      else if (room >= CHUNK) this.#fill(player);
    }
  }

  #fill(player: Clip): void {
    const { samples, loop, slot } = player;
    let room = this.#core.playerRoom(slot);
    do {
      const at = player.written % RING;
      const count = Math.min(room, RING - at, samples.length - player.position);
      this.#ring.set(samples.subarray(player.position, player.position + count), player.ring + at);
      player.position += count;
      player.written += count;
      room -= count;
      const ended = player.position >= samples.length;
      if (ended && loop && samples.length > 0) player.position = 0;
      this.#core.playerWrote(slot, count, Number(ended && player.position !== 0 || samples.length === 0));
      if (player.position >= samples.length) return;
    } while (room > 0);
  }

  /** What plays, taken out of this core without an end. */
  take(slot: number): Playing | undefined {
    const player = this.#clips.get(slot);
    const room = this.#core.playerRoom(slot);
    this.#clips.delete(slot);
    this.#core.playerTake(slot);
    if (player === undefined || room < 0) return undefined;
    const unheard = RING - room;
    const { request, clip, loop, samples } = player;
    const back = player.position - unheard;
    const position = back >= 0 ? back : loop ? ((back % samples.length) + samples.length) % samples.length : 0;
    return { kind: "clip", request, clip, position, loop };
  }

  resume(slot: number, playing: Playing): void {
    if (playing.kind === "clip") this.play(slot, playing.request, playing.clip, playing.position, playing.loop);
  }

  forget(slot: number): void {
    this.#clips.delete(slot);
  }
}
