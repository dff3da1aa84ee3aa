// The core without sockets: datagrams and time are handed in, what it sends and tells is handed back.
import { type Core, loadCore } from "../../src/worker/core.ts";
import { writeAddress } from "../../src/worker/socket_address.ts";

export const PCMU = { kind: 1, payloadType: 0 };
export const PCMA = { kind: 2, payloadType: 8 };
export const OTHER = { kind: 70, payloadType: 97 };

export interface Sent {
  readonly slot: number;
  readonly rtcp: boolean;
  readonly bytes: Buffer;
  readonly port: number; // of the address it goes to
}

export interface Notice {
  readonly kind: number;
  readonly slot: number;
  readonly a: number;
  readonly b: number;
}

export interface Setup {
  readonly port?: number; // the peer's RTP port on 192.0.2.1; 0: none
  readonly codec?: { readonly kind: number; readonly payloadType: number };
  readonly accepted?: readonly { readonly kind: number; readonly payloadType: number }[];
  readonly flags?: number; // default sending and receiving
  readonly strict?: number; // default 1
  readonly event?: number; // payload type, 255: none
  readonly timeout?: number;
  readonly keepalive?: number;
  readonly ptime?: number;
  readonly signaling?: string; // host
}

export interface Rtp {
  readonly payloadType?: number;
  readonly marker?: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly payload?: Uint8Array;
}

export function rtp(packet: Rtp): Buffer {
  const payload = packet.payload ?? new Uint8Array(160).fill(0x55);
  const bytes = Buffer.alloc(12 + payload.length);
  bytes[0] = 0x80;
  bytes[1] = (packet.marker ? 0x80 : 0) | (packet.payloadType ?? 0);
  bytes.writeUInt16BE(packet.sequence & 0xffff, 2);
  bytes.writeUInt32BE(packet.timestamp >>> 0, 4);
  bytes.writeUInt32BE((packet.ssrc ?? 0xfeed) >>> 0, 8);
  bytes.set(payload, 12);
  return bytes;
}

export function readRtp(bytes: Buffer) {
  return {
    payloadType: (bytes[1] ?? 0) & 0x7f,
    marker: ((bytes[1] ?? 0) & 0x80) !== 0,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    payload: bytes.subarray(12),
  };
}

export class Rig {
  readonly view: DataView;
  readonly octets: Buffer;
  now = 1_000_000_000; // microseconds

  constructor(readonly core: Core) {
    this.view = new DataView(core.memory.buffer);
    this.octets = Buffer.from(core.memory.buffer);
    this.advance(0);
  }

  advance(ms: number): void {
    this.now += ms * 1000;
    this.core.clockSet(this.now, 1_700_000_000_000_000 + this.now);
  }

  open(setup: Setup = {}): number {
    const slot = this.core.streamOpen();
    this.configure(slot, setup);
    return slot;
  }

  configure(slot: number, setup: Setup): void {
    const { core } = this;
    const codec = setup.codec ?? PCMU;
    core.streamCodec(slot, codec.kind, codec.payloadType, setup.ptime ?? 20, 8000);
    for (const entry of setup.accepted ?? [codec]) core.streamAccept(slot, entry.kind, entry.payloadType, 20, 8000);
    core.streamEvents(slot, setup.event ?? 101, setup.event ?? 101, 8000);
    core.streamTimers(slot, setup.timeout ?? 0, setup.keepalive ?? 0, 5000);
    const name = Buffer.from("patchbay@example.org");
    this.octets.set(name, core.streamCname(slot, name.length));
    const remote = setup.port === 0 ? undefined : { host: "192.0.2.1", port: setup.port ?? 4000 };
    writeAddress(this.view, core.streamHanded(), remote);
    writeAddress(this.view, core.streamHanded() + 32, remote && { ...remote, port: remote.port + 1 });
    const signaling = setup.signaling === undefined ? undefined : { host: setup.signaling, port: 0 };
    writeAddress(this.view, core.streamHanded() + 64, signaling);
    core.streamRemote(slot);
    core.streamFlags(slot, setup.flags ?? 3, setup.strict ?? 1);
  }

  /** Hands in a datagram from `port` of `host`: what is sent because of it. */
  datagram(slot: number, bytes: Uint8Array, port = 4000, options: { host?: string; rtcp?: boolean } = {}): Sent[] {
    this.octets.set(bytes.subarray(0, 2048), this.core.receiveBuffer());
    writeAddress(this.view, this.core.receiveSource(), { host: options.host ?? "192.0.2.1", port });
    this.core.receiveDatagram(slot, Number(options.rtcp ?? false), bytes.length);
    return this.sent();
  }

  /** 20 ms later: what is sent by itself. */
  tick(): Sent[] {
    this.advance(20);
    this.core.tickRun();
    return this.sent();
  }

  ticks(count: number): Sent[] {
    return Array.from({ length: count }, () => this.tick()).flat();
  }

  sent(): Sent[] {
    const sent = Array.from({ length: this.core.outboxCount() }, (_, i) => {
      const at = this.core.outboxEntries() + i * 16;
      const [tag, offset, length, address] = [0, 4, 8, 12].map((field) => this.view.getUint32(at + field, true));
      return {
        slot: tag! >> 1,
        rtcp: (tag! & 1) === 1,
        bytes: Buffer.from(this.octets.subarray(offset!, offset! + length!)),
        port: this.view.getUint16(address! + 2),
      };
    });
    this.core.outboxClear();
    return sent;
  }

  notices(kind?: number): Notice[] {
    const all = Array.from({ length: this.core.noticeTake() }, (_, i) => {
      const at = this.core.noticeRecords() + i * 16;
      const [kind, slot, a, b] = [0, 4, 8, 12].map((field) => this.view.getUint32(at + field, true));
      return { kind: kind!, slot: slot!, a: a!, b: b! };
    });
    return kind === undefined ? all : all.filter((notice) => notice.kind === kind);
  }

  /** A counter by its place in the snapshot (src/worker/core.ts). */
  stat(slot: number, index: number): number {
    return this.view.getInt32(this.core.streamStats(slot) + index * 4, true);
  }
}

export async function rig(): Promise<Rig> {
  return new Rig(await loadCore());
}
