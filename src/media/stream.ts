import type { AudioClip, MediaEvent, MediaStream, StreamConfig, StreamStats, ToneStep } from "../kernel/media.ts";
import type { Answer, Command } from "../worker/protocol.ts";
import type { SocketAddress } from "../world/world.ts";
import type { Plane } from "./plane.ts";
import type { MediaThread, StreamSink } from "./thread.ts";

type SampleSink = (samples: Int16Array, sampleRate: number) => void;

/** A stream seen from signaling. It lives in one thread at a time; while it moves, commands wait. */
export class RemoteStream implements MediaStream, StreamSink {
  readonly #listeners = new Set<(event: MediaEvent) => void>();
  readonly #recorders = new Set<SampleSink>();
  #moving: Promise<void> | undefined;
  #closed = false;

  constructor(
    readonly plane: Plane,
    public thread: MediaThread,
    readonly id: number,
    readonly local: SocketAddress,
    readonly localRtcp: SocketAddress,
    readonly pooled: boolean, // its port rests in the pool after use
  ) {
    thread.sinks.set(id, this);
    plane.note(this, 1);
  }

  async configure(wanted: StreamConfig): Promise<void> {
    const remote = this.plane.foreign(wanted.remote);
    const config = { ...wanted, remote, remoteRtcp: remote && this.plane.foreign(wanted.remoteRtcp) };
    const kinds = [this.plane.kind(config.codec), config.accepted.map((codec) => this.plane.kind(codec))] as const;
    while (this.#moving) await this.#moving;
    this.#open();
    this.thread.tell({ kind: "configure", stream: this.id, config, kinds });
  }

  async connect(peer: MediaStream): Promise<void> {
    if (!(peer instanceof RemoteStream)) throw new Error("a stream connects to a stream of the same plane");
    if (peer === this) throw new Error("cannot connect a stream to itself");
    this.plane.leave(this);
    this.plane.leave(peer);
    await this.#together(() => peer.thread, () => peer.#moving);
    peer.#open();
    await this.#ask({ kind: "connect", stream: this.id, peer: peer.id });
  }

  disconnect(): Promise<void> {
    this.plane.leave(this);
    return this.#ask({ kind: "disconnect", stream: this.id });
  }

  echo(): Promise<void> {
    this.plane.leave(this);
    return this.#ask({ kind: "echo", stream: this.id });
  }

  async join(conference: string, options: { readonly muted: boolean }): Promise<void> {
    this.#open();
    this.plane.leave(this, conference);
    const room = this.plane.enter(conference, this);
    try {
      await this.#together(() => room.thread, () => undefined);
      await this.#ask({ kind: "join", stream: this.id, conference: room.number, muted: options.muted });
    } catch (error) {
      this.plane.leave(this);
      throw error;
    }
  }

  play(clip: AudioClip, options: { readonly loop: boolean }): Promise<boolean> {
    return this.#ask({ kind: "play", stream: this.id, clip: this.plane.shared(clip), loop: options.loop });
  }

  tone(steps: readonly ToneStep[], options: { readonly loop: boolean }): Promise<boolean> {
    return this.#ask({ kind: "tone", stream: this.id, steps, loop: options.loop });
  }

  stopPlaying(): Promise<void> {
    return this.#ask({ kind: "stopPlaying", stream: this.id });
  }

  async record(sink: SampleSink): Promise<{ stop(): Promise<void> }> {
    this.#recorders.add(sink);
    await this.#ask({ kind: "record", stream: this.id, on: true });
    return {
      stop: async () => {
        if (!this.#recorders.has(sink)) return;
        if (this.#recorders.size === 1 && !this.#closed) {
          await this.#ask({ kind: "record", stream: this.id, on: false });
        }
        this.#recorders.delete(sink);
      },
    };
  }

  sendDigits(digits: string, options: { readonly durationMs: number; readonly gapMs: number }): Promise<void> {
    return this.#ask({ kind: "sendDigits", stream: this.id, digits, ...options });
  }

  stats(): Promise<StreamStats> {
    return this.#ask({ kind: "stats", stream: this.id });
  }

  on(listener: (event: MediaEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<StreamStats | undefined> {
    if (this.#closed) return undefined;
    while (this.#moving) await this.#moving;
    if (this.#closed) return undefined;
    const closed = this.thread.ask({ kind: "close", stream: this.id });
    this.#forget();
    return await closed;
  }

  /** From the thread. A stream whose thread died is closed. */
  event(event: MediaEvent): void {
    if (event.kind === "closed") this.#forget();
    for (const listener of [...this.#listeners]) listener(event);
  }

  samples(samples: Int16Array, sampleRate: number): void {
    for (const sink of this.#recorders) sink(samples, sampleRate);
  }

  #forget(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.plane.leave(this);
    this.plane.note(this, -1);
    this.thread.sinks.delete(this.id);
    if (this.pooled) this.plane.ports.rest(this.local.host, this.local.port);
  }

  #open(): void {
    if (this.#closed) throw new Error(`media stream ${this.id} is closed`);
  }

  /** At once when it does not move, so that commands keep their order. */
  async #ask<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<Answer<K>> {
    while (this.#moving) await this.#moving;
    this.#open();
    return await this.thread.ask(command);
  }

  /** Moves to the thread that `wanted` names, when that is another and neither stream is on its way. */
  async #together(wanted: () => MediaThread, busy: () => Promise<void> | undefined): Promise<void> {
    for (;;) {
      this.#open();
      const moving = this.#moving ?? busy();
      if (moving) await moving;
      else if (wanted() === this.thread) return;
      else await this.#move(wanted());
    }
  }

  #move(to: MediaThread): Promise<void> {
    const moving = this.#carry(to).finally(() => this.#moving = undefined);
    this.#moving = moving.catch(() => {}); // those who wait find the stream where it is, or closed
    return moving;
  }

  async #carry(to: MediaThread): Promise<void> {
    const from = this.thread;
    const luggage = await from.ask({ kind: "detach", stream: this.id });
    from.sinks.delete(this.id);
    try {
      to.sinks.set(this.id, this);
      await to.ask({ kind: "attach", stream: this.id, luggage });
      this.thread = to;
    } catch (error) {
      to.sinks.delete(this.id);
      from.sinks.set(this.id, this);
      await from.ask({ kind: "attach", stream: this.id, luggage });
      throw error;
    }
  }
}
