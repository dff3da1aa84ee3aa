// Clips and tones on their way into the core. A clip of any length is copied ahead of need, half a ring at a time.
import type { ToneStep } from "../kernel/media.ts";
import type { Core } from "./core.ts";
import type { Playing, SharedClip } from "./protocol.ts";

const RING = 4096; // samples of the core's ring, 8 kHz
const STAGE = 960; // samples handed over at a time: 160 at least of the ring
const LOW = [697, 770, 852, 941];
const HIGH = [1209, 1336, 1477, 1633];
const LOW_DBM0 = -9;
const HIGH_DBM0 = -7;
/** Row and column on the keypad of events 0..15. */
const KEYS = [13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15];

interface Clip {
  readonly slot: number;
  readonly request: number;
  readonly clip: SharedClip;
  readonly samples: Int16Array;
  readonly loop: boolean;
  position: number; // samples of the clip handed over
  ended: boolean;
}

interface Tone {
  readonly request: number;
  readonly steps: readonly ToneStep[];
  readonly loop: boolean;
}

export class Players {
  readonly #core: Core;
  readonly #stage: Int16Array;
  readonly #clips = new Map<number, Clip>();
  readonly #tones = new Map<number, Tone>();

  constructor(core: Core) {
    this.#core = core;
    this.#stage = new Int16Array(core.memory.buffer, core.playerStage(), STAGE);
  }

  /** Plays from `position`; the core's notice carries `request` at the end. */
  play(slot: number, request: number, clip: SharedClip, position: number, loop: boolean): void {
    this.#core.playerStart(slot, request);
    const player = { slot, request, clip, samples: new Int16Array(clip.samples), loop, position, ended: false };
    this.#clips.set(slot, player);
    this.#fill(player);
  }

  /** False: too many steps, or a frequency or level out of range. */
  tone(slot: number, request: number, steps: readonly ToneStep[], loop: boolean): boolean {
    const core = this.#core;
    core.playerStop(slot);
    core.cadenceClear(slot);
    for (const step of steps) {
      if (core.cadenceAdd(slot, step.ms) < 0 || step.frequencies.length > 4) return false;
      for (const [i, hertz] of step.frequencies.entries()) {
        if (core.cadenceSine(slot, i, hertz, step.levelDbm0) < 0) return false;
      }
    }
    this.#tones.set(slot, { request, steps, loop });
    return core.playerTone(slot, request, Number(loop)) === 0;
  }

  /** In-band digits, events 0..15 (Q.23). */
  digits(slot: number, request: number, codes: readonly number[], durationMs: number, gapMs: number): boolean {
    const core = this.#core;
    core.playerStop(slot);
    core.cadenceClear(slot);
    for (const code of codes) {
      const key = KEYS[code];
      if (key === undefined || core.cadenceAdd(slot, Math.max(durationMs, 80)) < 0) return false;
      core.cadenceSine(slot, 0, LOW[key >> 2] ?? 0, LOW_DBM0);
      core.cadenceSine(slot, 1, HIGH[key & 3] ?? 0, HIGH_DBM0);
      if (core.cadenceAdd(slot, Math.max(gapMs, 45)) < 0) return false;
    }
    return core.playerTone(slot, request, 0) === 0;
  }

  /** Before each tick: rings that are half empty are filled. */
  feed(): void {
    for (const player of this.#clips.values()) {
      const room = this.#core.playerRoom(player.slot);
      if (room < 0) this.#clips.delete(player.slot);
      else if (room > RING / 2) this.#fill(player);
    }
  }

  #fill(player: Clip): void {
    const { samples, loop, slot, clip } = player;
    const stage = this.#stage;
    while (!player.ended && this.#core.playerRoom(slot) >= STAGE) {
      let count = 0;
      while (count < STAGE) {
        const part = Math.min(STAGE - count, samples.length - player.position);
        stage.set(samples.subarray(player.position, player.position + part), count);
        count += part;
        player.position += part;
        if (player.position < samples.length) continue;
        if (loop && samples.length > 0) player.position = 0;
        else break;
      }
      player.ended = count < STAGE || (!loop && player.position >= samples.length);
      const whole = Math.ceil(count / 6) * 6; // the last samples of 48 kHz: up to five of silence
      stage.fill(0, count, whole);
      if (this.#core.playerStaged(slot, clip.sampleRate, whole, Number(player.ended)) < 0) player.ended = true;
    }
  }

  /** What plays, taken out of this core without an end. */
  take(slot: number): Playing | undefined {
    const clip = this.#clips.get(slot);
    const tone = this.#tones.get(slot);
    const room = this.#core.playerRoom(slot);
    const playing = this.#core.playerTake(slot);
    this.forget(slot);
    if (playing === 2 && tone) return { kind: "tone", ...tone };
    if (playing !== 1 || clip === undefined) return undefined;
    const { request, loop, samples } = clip;
    const back = clip.position - Math.round((RING - room) * clip.clip.sampleRate / 8000);
    const position = back >= 0 || samples.length === 0 ? Math.max(back, 0) : back % samples.length + samples.length;
    return { kind: "clip", request, clip: clip.clip, position: Math.min(position, samples.length), loop };
  }

  resume(slot: number, playing: Playing): void {
    if (playing.kind === "clip") this.play(slot, playing.request, playing.clip, playing.position, playing.loop);
    else this.tone(slot, playing.request, playing.steps, playing.loop);
  }

  forget(slot: number): void {
    this.#clips.delete(slot);
    this.#tones.delete(slot);
  }
}
