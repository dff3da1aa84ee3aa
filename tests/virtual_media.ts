// The media plane of a virtual universe: ports, bridges, conferences and players as the real one has them, but no packets.
// What passes through a stream is tested in tests/media and tests/wasm; here one looks at who would hear whom.
import {
  type AudioClip,
  type MediaEvent,
  type MediaPlane,
  type MediaStream,
  NoPort,
  type StreamConfig,
  type StreamStats,
  type ToneStep,
} from "../src/kernel/media.ts";
import type { SocketAddress, World } from "../src/world/world.ts";

const noStats: StreamStats = {
  packetsReceived: 0,
  octetsReceived: 0,
  packetsSent: 0,
  octetsSent: 0,
  lost: 0,
  late: 0,
  duplicates: 0,
  malformed: 0,
  foreign: 0,
  unauthentic: 0,
  replayed: 0,
  jitterMs: 0,
  roundTripMs: -1,
  remoteLost: 0,
  remoteJitterMs: 0,
  codec: "",
};

export class VirtualMedia implements MediaPlane {
  readonly workers = 1;
  readonly streams = new Set<VirtualAudio>();
  readonly conferences = new Map<string, Set<VirtualAudio>>();
  readonly #ports = new Set<number>();
  #ids = 0;

  constructor(readonly world: Pick<World, "after">) {}

  closed(stream: VirtualAudio): void {
    this.streams.delete(stream);
    this.#ports.delete(stream.local.port);
  }

  get counts(): { readonly streams: number; readonly conferences: number } {
    return { streams: this.streams.size, conferences: this.conferences.size };
  }

  open(options: Parameters<MediaPlane["open"]>[0]): Promise<MediaStream> {
    const [first, last] = options.ports;
    for (let port = first + (first & 1); port < last; port += 2) {
      if (this.#ports.has(port)) continue;
      const stream = new VirtualAudio(this, ++this.#ids, { host: options.host, port });
      this.streams.add(stream);
      this.#ports.add(port);
      return Promise.resolve(stream);
    }
    return Promise.reject(new NoPort(`no free port in ${first}-${last}`));
  }

  /** The stream that receives at this port. */
  at(port: number): VirtualAudio {
    for (const stream of this.streams) if (stream.local.port === port) return stream;
    throw new Error(`nobody listens at port ${port}`);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** What a stream hears, for `toEqual`: another stream's port, itself, a conference, a clip or tone, or nothing. */
export type Hears =
  | { readonly peer: number }
  | "itself"
  | { readonly conference: string }
  | { readonly clip: AudioClip }
  | { readonly tone: readonly ToneStep[] }
  | "nothing";

export class VirtualAudio implements MediaStream {
  config: StreamConfig | undefined;
  /** Digits asked to be sent, in order. */
  sent = "";
  configured = 0;
  #peer: VirtualAudio | undefined;
  #own: "echo" | undefined;
  #conference: string | undefined;
  #player: { readonly what: Hears; readonly done: (whole: boolean) => void } | undefined;
  readonly #listeners = new Set<(event: MediaEvent) => void>();
  #closed = false;

  constructor(readonly plane: VirtualMedia, readonly id: number, readonly local: SocketAddress) {}

  get localRtcp(): SocketAddress {
    return { host: this.local.host, port: this.local.port + 1 };
  }

  get hears(): Hears {
    if (this.#player) return this.#player.what;
    if (this.#peer) return { peer: this.#peer.local.port };
    if (this.#own) return "itself";
    return this.#conference === undefined ? "nothing" : { conference: this.#conference };
  }

  /** The peer does something: presses a key, falls silent. */
  happens(event: MediaEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  async configure(config: StreamConfig): Promise<void> {
    this.#alive();
    this.config = config;
    this.configured++;
  }

  async connect(peer: MediaStream): Promise<void> {
    this.#alive();
    if (!(peer instanceof VirtualAudio)) throw new Error("a stream of another plane");
    peer.#alive();
    this.#leave();
    peer.#leave();
    this.#peer = peer;
    peer.#peer = this;
  }

  async disconnect(): Promise<void> {
    this.#alive();
    this.#leave();
  }

  async echo(): Promise<void> {
    this.#alive();
    this.#leave();
    this.#own = "echo";
  }

  async join(conference: string): Promise<void> {
    this.#alive();
    this.#leave();
    this.#conference = conference;
    const members = this.plane.conferences.get(conference) ?? new Set<VirtualAudio>();
    this.plane.conferences.set(conference, members.add(this));
  }

  play(clip: AudioClip, { loop }: { readonly loop: boolean }): Promise<boolean> {
    return this.#play({ clip }, loop ? undefined : clip.samples.length / clip.sampleRate * 1000);
  }

  tone(steps: readonly ToneStep[], { loop }: { readonly loop: boolean }): Promise<boolean> {
    return this.#play({ tone: steps }, loop ? undefined : steps.reduce((sum, s) => sum + s.ms, 0));
  }

  #play(what: Hears, ms: number | undefined): Promise<boolean> {
    this.#alive();
    this.#player?.done(false);
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : this.plane.world.after(ms, () => this.#player?.done(true));
      const done = (whole: boolean) => {
        timer?.cancel();
        this.#player = undefined;
        resolve(whole);
      };
      this.#player = { what, done };
    });
  }

  async stopPlaying(): Promise<void> {
    this.#alive();
    this.#player?.done(false);
  }

  async record(): Promise<{ stop(): Promise<void> }> {
    return { stop: async () => {} };
  }

  async sendDigits(digits: string): Promise<void> {
    this.#alive();
    this.sent += digits;
  }

  async stats(): Promise<StreamStats> {
    this.#alive();
    return noStats;
  }

  on(listener: (event: MediaEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<StreamStats | undefined> {
    if (this.#closed) return undefined;
    this.#player?.done(false);
    this.#leave();
    this.#closed = true;
    this.plane.closed(this);
    return noStats;
  }

  #alive(): void {
    if (this.#closed) throw new Error(`stream ${this.id} is closed`);
  }

  #leave(): void {
    if (this.#peer) this.#peer.#peer = undefined;
    this.#peer = undefined;
    this.#own = undefined;
    if (this.#conference === undefined) return;
    const members = this.plane.conferences.get(this.#conference);
    members?.delete(this);
    if (members?.size === 0) this.plane.conferences.delete(this.#conference);
    this.#conference = undefined;
  }
}
