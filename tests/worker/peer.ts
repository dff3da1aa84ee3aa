// A peer of the media threads on real sockets of 127.0.0.1. What arrives is kept and waited for by condition, not by time.
import type { MediaPlane, StreamConfig } from "../../src/kernel/media.ts";
import { openMediaPlane } from "../../src/media/plane.ts";
import { realWorld } from "../../src/world/real_world.ts";
import type { DatagramSocket, SocketAddress } from "../../src/world/world.ts";
import { readRtp, type Rtp, rtp } from "../wasm/rig.ts";

export const world = realWorld();
export const IOS = process.platform === "linux" ? ["linux", "portable"] as const : ["portable"] as const;
export const LIMIT_MS = 30_000; // of a test: a busy machine is slow, not wrong

export type Packet = ReturnType<typeof readRtp> & { readonly from: number };

export const PCMU = { name: "PCMU", payloadType: 0, clockRate: 8000, channels: 1, ptimeMs: 20 };
export const PCMA = { name: "PCMA", payloadType: 8, clockRate: 8000, channels: 1, ptimeMs: 20 };

/** A plane with real threads. */
export function plane(io: (typeof IOS)[number], count = 1): Promise<MediaPlane> {
  const worker = () => new Worker(new URL("../../src/worker/worker.ts", import.meta.url).href);
  return openMediaPlane({ world, io, count, worker });
}

export function config(remote: SocketAddress | undefined, more: Partial<StreamConfig> = {}): StreamConfig {
  return {
    remote,
    remoteRtcp: undefined,
    sending: true,
    receiving: true,
    codec: PCMU,
    accepted: [PCMU],
    followPeerCodec: true,
    telephoneEvent: { send: 101, receive: 101, clockRate: 8000 },
    rtcpMux: false,
    symmetric: false,
    strictSource: "yes",
    timeoutSeconds: 0,
    keepaliveSeconds: 0,
    rtcpIntervalMs: 5000,
    cname: "patchbay@127.0.0.1",
    detectDtmf: false,
    ...more,
  };
}

/** One socket. `answer` is called for each packet that comes. */
export class Peer {
  readonly packets: Packet[] = [];
  answer: (packet: Packet) => void = () => {};
  #socket: DatagramSocket | undefined;
  #waiting = () => {};
  #sequence = 1000;
  #timestamp = 0;

  static async open(port = 0): Promise<Peer> {
    const peer = new Peer();
    peer.#socket = await world.network.bindDatagram({ host: "127.0.0.1", port }, {
      received: (bytes, from) => {
        if (bytes.length < 12) return;
        const packet = { ...readRtp(Buffer.from(bytes)), from: from.port };
        peer.packets.push(packet);
        peer.answer(packet);
        peer.#waiting();
      },
      unreachable: () => {},
    });
    return peer;
  }

  get local(): SocketAddress {
    return this.#socket!.local;
  }

  /** The next packet of this peer's stream: the payload, or 160 times an octet. */
  say(to: SocketAddress, payload: Uint8Array | number, more: Partial<Rtp> = {}): void {
    const octets = typeof payload === "number" ? new Uint8Array(160).fill(payload) : payload;
    const { sequence = this.#sequence++, timestamp = this.#timestamp } = more;
    this.#timestamp += 160;
    this.raw(to, rtp({ ...more, sequence, timestamp, payload: octets }));
  }

  raw(to: SocketAddress, bytes: Uint8Array): void {
    this.#socket!.send(bytes, to);
  }

  /** Resolves with the packets as soon as they satisfy. */
  async until(satisfied: (packets: readonly Packet[]) => boolean): Promise<readonly Packet[]> {
    while (!satisfied(this.packets)) await new Promise<void>((resolve) => this.#waiting = resolve);
    return this.packets;
  }

  close(): void {
    this.#socket?.close();
  }
}

/** True when sequence and SSRC show one stream without a hole. */
export function unbroken(packets: readonly Packet[]): boolean {
  return packets.every((packet, i) =>
    i === 0 || (packet.ssrc === packets[0]!.ssrc && packet.sequence === ((packets[i - 1]!.sequence + 1) & 0xffff))
  );
}
