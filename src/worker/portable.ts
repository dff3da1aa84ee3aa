// Packets where there is no epoll: Bun.udpSocket. Each datagram is copied into and out of the core's memory.
import type { udp } from "bun";
import type { Core } from "./core.ts";
import {
  ANY_PORT_TRIES,
  type DetachedPair,
  type OpenPair,
  type PacketIo,
  type PortPair,
  setClock,
} from "./packet_io.ts";
import { readAddress, writeAddress } from "./socket_address.ts";

const HOSTS_KEPT = 4096; // sources whose address is remembered in its binary form
const BUFFER = 2048;

interface Pair {
  readonly host: string;
  dscp: number;
  readonly port: number;
  readonly rtcpPort: number;
  readonly sockets: readonly [udp.Socket<"buffer">, udp.Socket<"buffer"> | undefined];
}

export function openPortableIo(core: Core): PacketIo {
  const memory = new Uint8Array(core.memory.buffer);
  const view = new DataView(core.memory.buffer);
  const words = new Uint32Array(core.memory.buffer);
  const pairs = new Map<number, Pair>();
  const hosts = new Map<string, Uint8Array>();
  const errors = { send: 0, receive: 0, trapped: 0 };
  const receiveAt = core.receiveBuffer();
  const sourceAt = core.receiveSource();
  const outbox = core.outboxEntries() >>> 2;

  function source(host: string, port: number): void {
    const known = hosts.get(host);
    if (known) {
      memory.set(known, sourceAt);
      view.setUint16(sourceAt + 2, port);
      return;
    }
    writeAddress(view, sourceAt, { host: host.replace(/%.*$/, ""), port });
    if (hosts.size >= HOSTS_KEPT) hosts.clear();
    hosts.set(host, memory.slice(sourceAt, sourceAt + 32));
  }

  function received(tag: number, bytes: Uint8Array, port: number, host: string): void {
    setClock(core);
    memory.set(bytes.length > BUFFER ? bytes.subarray(0, BUFFER) : bytes, receiveAt);
    source(host, port);
    try {
      if (core.receiveDatagram(tag >> 1, tag & 1, bytes.length) > 0) send();
    } catch {
      errors.trapped++; // costs the packet, not the other calls
      core.outboxClear();
    }
  }

  async function bound(tag: number, host: string, port: number): Promise<udp.Socket<"buffer"> | undefined> {
    try {
      return await Bun.udpSocket({
        hostname: host,
        port,
        socket: {
          data: (_socket, bytes, from, address) => received(tag, bytes, from, address),
          error: () => void errors.receive++, // an ICMP error: the next packet is as good
        },
      });
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
      throw new Error(`cannot bind ${host} port ${port}`, { cause: error });
    }
  }

  async function tryPair(slot: number, pair: OpenPair, port: number): Promise<PortPair | undefined> {
    const rtp = await bound(slot << 1, pair.host, port);
    if (rtp === undefined) return undefined;
    const rtcp = pair.mux || rtp.port % 2 !== 0 ? undefined : await bound((slot << 1) | 1, pair.host, rtp.port + 1);
    if (!pair.mux && rtcp === undefined) {
      rtp.close();
      return undefined;
    }
    const ports = { port: rtp.port, rtcpPort: rtcp?.port ?? rtp.port };
    pairs.set(slot, { host: pair.host, dscp: pair.dscp, ...ports, sockets: [rtp, rtcp] });
    return ports;
  }

  async function open(slot: number, pair: OpenPair): Promise<PortPair | undefined> {
    for (const port of pair.ports) {
      for (let i = port === 0 ? ANY_PORT_TRIES : 1; i > 0; i--) {
        const ports = await tryPair(slot, pair, port);
        if (ports) return ports;
      }
    }
    return undefined;
  }

  function close(slot: number): void {
    const pair = pairs.get(slot);
    pairs.delete(slot);
    for (const socket of pair?.sockets ?? []) socket?.close();
  }

  function send(): void {
    const count = core.outboxCount();
    for (let i = 0, at = outbox; i < count; i++, at += 4) {
      const tag = words[at] ?? 0;
      const offset = words[at + 1] ?? 0;
      const to = readAddress(view, words[at + 3] ?? 0);
      const socket = pairs.get(tag >> 1)?.sockets[tag & 1];
      if (socket === undefined || to === undefined) continue;
      try {
        if (!socket.send(memory.subarray(offset, offset + (words[at + 2] ?? 0)), to.port, to.host)) errors.send++;
      } catch {
        errors.send++; // ECONNREFUSED of an earlier packet, or no route: counted, the stream goes on
      }
    }
    core.outboxClear();
  }

  return {
    errors,
    open,
    close,
    send,
    poll: (timeoutMs) => new Promise((resolve) => setTimeout(resolve, timeoutMs)),
    setDscp(slot, dscp) {
      const pair = pairs.get(slot);
      if (pair) pair.dscp = dscp; // no portable call sets it: kept for a move to a worker that can
    },
    detach(slot) {
      const pair = pairs.get(slot);
      if (pair === undefined) return undefined;
      close(slot);
      const { host, port, rtcpPort, dscp } = pair;
      return { host, port, rtcpPort, dscp, descriptors: [-1, -1] };
    },
    async attach(slot, pair: DetachedPair) {
      const { host, port, rtcpPort, dscp } = pair;
      return await open(slot, { host, ports: [port], mux: port === rtcpPort, dscp }) !== undefined;
    },
    stop() {
      for (const slot of [...pairs.keys()]) close(slot);
    },
  };
}
