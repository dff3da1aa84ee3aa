import type { Channel, ChannelEvent } from "../kernel/services.ts";
import type { DialplanHost } from "../kernel/dialplan.ts";
import type { MediaStream } from "../kernel/media.ts";
import { beside, type Sounds } from "./application.ts";

const MOST_DIGITS = 32; // that wait for one side
const LONGEST_DIGIT_MS = 5000;

/** What a bridge does when one side holds the other. */
export interface HoldRules {
  /** Passes the hold on (re-INVITE) instead of playing music. */
  passes(channel: Channel): boolean;
  /** Name of the music the held side hears; undefined: silence. */
  music(channel: Channel): string | undefined;
}

/**
 * Two answered channels that hear each other, until one of them ends. Sound is joined in the media plane; here only hold
 * and resume, digits that the other side takes in another way, and changes of media are passed on.
 */
export class Bridge {
  #joined = false;
  /** Video of one side and what it is connected to. */
  readonly #seen = new Map<MediaStream, MediaStream>();
  #work: Promise<void> = Promise.resolve();
  readonly #held = new Set<Channel>();
  readonly #digits = new Map<Channel, { waiting: number; last: Promise<void> }>();
  #dropped = false;

  constructor(
    readonly one: Channel,
    readonly other: Channel,
    readonly host: Pick<DialplanHost, "events" | "log" | "world">,
    readonly sounds: Sounds,
    readonly rules: HoldRules,
  ) {}

  /** Joins sound and pictures; may be called again, and already for early media. */
  join(): Promise<void> {
    return this.#queue(async () => {
      const [a, b] = [this.one.audio, this.other.audio];
      if (this.#held.size > 0) return;
      if (!this.#joined && a && b) {
        await a.connect(b);
        this.#joined = true;
      }
      for (const [mine, theirs] of this.#pictures()) {
        if (this.#seen.get(mine) === theirs) continue;
        await mine.connect(theirs);
        this.#seen.set(mine, theirs);
      }
    });
  }

  /** Video of both sides, line for line. */
  #pictures(): [MediaStream, MediaStream][] {
    const [mine, theirs] = [this.one, this.other].map(({ lines }) =>
      lines.flatMap((line) => line.type === "video" && line.stream ? [line.stream] : [])
    );
    return (mine ?? []).flatMap((stream, at) => {
      const other = theirs?.[at];
      return other ? [[stream, other]] : [];
    });
  }

  /** Resolves when `signal` came, one side ended, or after the time. */
  async run(signal: AbortSignal, limitMs?: number): Promise<void> {
    await this.join();
    const { one, other } = this;
    this.host.events.emit("call.bridged", { calls: [one.id, other.id] });
    await new Promise<void>((resolve) => {
      const stops = [
        one.on((event) => event.kind === "ended" ? done() : this.#heard(one, other, event)),
        other.on((event) => event.kind === "ended" ? done() : this.#heard(other, one, event)),
      ];
      const timer = limitMs === undefined ? undefined : this.host.world.after(limitMs, () => done());
      const done = () => {
        timer?.cancel();
        signal.removeEventListener("abort", done);
        for (const stop of stops) stop();
        resolve();
      };
      signal.addEventListener("abort", done);
      if (signal.aborted || one.state === "ended" || other.state === "ended") done();
    });
    await this.#work;
  }

  /** Takes the sound apart: both sides hear nothing. */
  async leave(): Promise<void> {
    await this.#queue(async () => {
      const left = [this.one, this.other].find((side) => !side.ended.aborted);
      for (const { type, stream } of left?.lines ?? []) {
        if (type === "video" ? this.#seen.size > 0 : this.#joined) await stream?.disconnect();
      }
      this.#joined = false;
      this.#seen.clear();
    });
  }

  #heard(from: Channel, to: Channel, event: ChannelEvent): void {
    if (event.kind === "held" || event.kind === "resumed") {
      void this.#queue(() => event.kind === "held" ? this.#hold(from, to) : this.#resume(from, to));
    }
    // Where both sides have digits as RTP events, or both as tones, the media plane passes them on.
    if (event.kind === "digit" && (event.by === "info" || from.digits !== to.digits)) {
      this.#press(to, event.digit, Math.min(event.durationMs, LONGEST_DIGIT_MS));
    }
    if (event.kind === "picture") void this.#attempt(() => to.indicate("picture"));
    if (event.kind === "renegotiated") void this.join();
  }

  /** Digits wait for each other; nothing waits for them, as a peer may take its time to answer an INFO. */
  #press(to: Channel, digit: string, durationMs: number): void {
    const line = this.#digits.get(to) ?? { waiting: 0, last: Promise.resolve() };
    this.#digits.set(to, line);
    if (line.waiting >= MOST_DIGITS) {
      if (!this.#dropped) this.host.log.warning("bridge: digits come too fast and are dropped", { to: to.id });
      this.#dropped = true;
      return;
    }
    line.waiting++;
    line.last = line.last.then(async () => {
      await this.#attempt(() => to.sendDigits(digit, { durationMs, over: true }));
      line.waiting--;
    });
  }

  async #hold(by: Channel, held: Channel): Promise<void> {
    if (this.#held.has(by)) return;
    this.#held.add(by);
    if (this.rules.passes(held)) return await held.indicate("hold");
    const clip = await this.sounds.music(this.rules.music(by));
    if (clip === undefined || held.audio === undefined) return;
    if (this.#joined) await held.audio.disconnect();
    this.#joined = false;
    beside(held.audio.play(clip, { loop: true }), held, this.host.log);
  }

  async #resume(by: Channel, held: Channel): Promise<void> {
    if (!this.#held.delete(by)) return;
    if (this.rules.passes(held)) return await held.indicate("unhold");
    if (this.#joined || held.audio === undefined || by.audio === undefined) return;
    await held.audio.stopPlaying();
    if (this.#held.size > 0) return; // the other side holds too: it plays until that ends
    await held.audio.connect(by.audio);
    this.#joined = true;
  }

  /** One after the other. */
  #queue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(() => this.#attempt(work));
    return this.#work;
  }

  /** What fails because a side has gone is not worth a word. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.one.ended.aborted || this.other.ended.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      this.host.log.warning(`bridge: ${why}`, { one: this.one.id, other: this.other.id });
    }
  }
}
