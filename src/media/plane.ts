import { type AudioClip, type MediaCodec, type MediaPlane, type MediaStream, NoPort } from "../kernel/media.ts";
import { CODEC_KINDS, FIRST_OTHER_KIND, type SharedClip } from "../worker/protocol.ts";
import type { SocketAddress, World } from "../world/world.ts";
import { PortPool } from "./ports.ts";
import { RemoteStream } from "./stream.ts";
import { MediaThread, Requests } from "./thread.ts";

const CANDIDATES = 1; // pairs offered to a thread at a time

export interface MediaPlaneOptions {
  readonly world: Pick<World, "random" | "after" | "network">;
  readonly count: number;
  /** Makes the thread of this number. Only main.ts may: in the executable the URL resolves against its place. */
  readonly worker: (index: number) => Worker;
  /** "auto" (default) takes the kernel's calls on Linux, Bun's sockets elsewhere. */
  readonly io?: "auto" | "linux" | "portable";
}

/** A conference and the thread where its members live. */
interface Room {
  readonly number: number;
  thread: MediaThread;
  readonly members: Set<RemoteStream>;
}

/** The media threads as one. */
export class Plane implements MediaPlane {
  readonly ports: PortPool;
  readonly #options: MediaPlaneOptions;
  readonly #requests = new Requests();
  readonly #threads: MediaThread[] = [];
  readonly #rooms = new Map<string, Room>();
  readonly #kinds = new Map<string, number>(Object.entries(CODEC_KINDS));
  readonly #open = new Map<number, number>(); // by port, how many of our sockets have it
  readonly #clips = new WeakMap<AudioClip, SharedClip>();
  #lastStream = 0;
  #lastRoom = 0;
  #stopping = false;
  #broken = ""; // why the last thread could not be replaced

  constructor(options: MediaPlaneOptions) {
    this.#options = options;
    this.ports = new PortPool(options.world);
  }

  /** Starts all threads. */
  async start(): Promise<void> {
    const indexes = Array.from({ length: Math.max(1, this.#options.count) }, (_, index) => index);
    await Promise.all(indexes.map((index) => this.#startThread(index)));
  }

  /** A thread that died takes its streams with it (they are told); another takes its place. */
  async #startThread(index: number): Promise<void> {
    let running = false;
    const thread = new MediaThread(this.#options.worker(index), this.#requests, () => {
      if (!running) return; // start rejects
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      if (!this.#stopping) this.#startThread(index).catch((error) => this.#broken = String(error));
    });
    await thread.start(this.#options.io ?? "auto");
    running = true;
    this.#threads.push(thread);
  }

  get workers(): number {
    return this.#threads.length;
  }

  get counts(): { readonly streams: number; readonly conferences: number; readonly members: number } {
    const rooms = [...this.#rooms.values()];
    return {
      streams: this.#threads.reduce((sum, { sinks }) => sum + sinks.size, 0),
      conferences: rooms.length,
      members: rooms.reduce((sum, { members }) => sum + members.size, 0),
    };
  }

  async open(options: Parameters<MediaPlane["open"]>[0]): Promise<MediaStream> {
    const { host, dscp = 0, rtcpMux: mux = false } = options;
    const thread = options.near instanceof RemoteStream ? options.near.thread : this.#least();
    const any = options.ports[0] === 0 && options.ports[1] === 0;
    const stream = ++this.#lastStream;
    for (;;) {
      const ports = any ? [0] : this.ports.reserve(host, options.ports, CANDIDATES);
      if (ports.length === 0) throw new NoPort(`no free RTP port in ${options.ports.join("-")} on ${host}`);
      const opened = await this.#offer(thread, stream, host, ports, mux, dscp);
      if (opened === "inUse") {
        if (any) throw new NoPort(`no free RTP port on ${host}`);
        for (const port of ports) this.ports.rest(host, port); // another program's: looked at again later
        continue;
      }
      if (!any) { for (const port of ports) if (port !== opened.port) this.ports.release(host, port); }
      const local = { host, port: opened.port };
      return new RemoteStream(this, thread, stream, local, { host, port: opened.rtcpPort }, !any);
    }
  }

  async #offer(thread: MediaThread, stream: number, host: string, ports: number[], mux: boolean, dscp: number) {
    try {
      return await thread.ask({ kind: "open", stream, pair: { host, ports, mux, dscp } });
    } catch (error) {
      for (const port of ports) this.ports.release(host, port);
      throw error;
    }
  }

  #least(): MediaThread {
    if (this.#threads.length === 0) throw new Error(`no media thread runs: ${this.#broken}`);
    return this.#threads.reduce((least, thread) => thread.sinks.size < least.sinks.size ? thread : least);
  }

  /** Notes the ports of a stream, or (`by` -1) forgets them. */
  note(stream: RemoteStream, by: 1 | -1): void {
    for (const port of new Set([stream.local.port, stream.localRtcp.port])) {
      const count = (this.#open.get(port) ?? 0) + by;
      if (count > 0) this.#open.set(port, count);
      else this.#open.delete(port);
    }
  }

  /** Undefined for one of our own ports: two echoes that answer each other would never stop. */
  foreign(address: SocketAddress | undefined): SocketAddress | undefined {
    if (address === undefined || !this.#open.has(address.port)) return address;
    const { network } = this.#options.world;
    return network.localAddressTowards(address.host) === address.host ? undefined : address;
  }

  /** The core's number of a codec, the same in all threads. */
  kind(codec: MediaCodec): number {
    const name = `${codec.name === "CN" ? "CN" : codec.name}/${codec.clockRate}/${codec.channels}`;
    const known = this.#kinds.get(name);
    if (known !== undefined) return known;
    // 192 names at most; more are told apart no longer, and so never taken for one another: 255 is nobody's
    const kind = Math.min(FIRST_OTHER_KIND + this.#kinds.size, 255);
    if (kind < 255) this.#kinds.set(name, kind);
    return kind;
  }

  /** The clip in memory that the threads share, made once. */
  shared(clip: AudioClip): SharedClip {
    const known = this.#clips.get(clip);
    if (known) return known;
    const samples = new SharedArrayBuffer(clip.samples.byteLength);
    new Int16Array(samples).set(clip.samples);
    const shared = { samples, sampleRate: clip.sampleRate };
    this.#clips.set(clip, shared);
    return shared;
  }

  /** Makes the stream a member; the first one decides the thread. */
  enter(name: string, stream: RemoteStream): Room {
    const room = this.#rooms.get(name) ?? { number: ++this.#lastRoom, thread: stream.thread, members: new Set() };
    this.#rooms.set(name, room);
    room.members.add(stream);
    return room;
  }

  /** Takes the stream out of every room but `except`. */
  leave(stream: RemoteStream, except?: string): void {
    for (const [name, room] of this.#rooms) {
      if (name === except || !room.members.delete(stream)) continue;
      if (room.members.size === 0) this.#rooms.delete(name);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }
}

/** Starts the media threads. Rejects when one does not start. */
export async function openMediaPlane(options: MediaPlaneOptions): Promise<MediaPlane> {
  const plane = new Plane(options);
  await plane.start();
  return plane;
}
