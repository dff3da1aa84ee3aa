// Packets on Linux: epoll, recvfrom and sendto straight on the core's memory.
import { dlopen, FFIType, type Pointer, ptr, read } from "bun:ffi";
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

const { i32, u32, ptr: pointer } = FFIType;
const SYMBOLS = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  getsockname: { args: [i32, pointer, pointer], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  epoll_create1: { args: [i32], returns: i32 },
  epoll_ctl: { args: [i32, i32, i32, pointer], returns: i32 },
  epoll_wait: { args: [i32, pointer, i32, i32], returns: i32 },
  recvfrom: { args: [i32, pointer, u32, i32, pointer, pointer], returns: i32 },
  sendto: { args: [i32, pointer, u32, i32, pointer, u32], returns: i32 },
  close: { args: [i32], returns: i32 },
  __errno_location: { args: [], returns: pointer },
} as const;

/** glibc, or musl by the name of its architecture. */
function openLibc() {
  const musl = process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1";
  try {
    return dlopen("libc.so.6", SYMBOLS);
  } catch (cause) {
    try {
      return dlopen(musl, SYMBOLS);
    } catch {
      throw new Error("no C library to open", { cause });
    }
  }
}

const AF_INET = 2;
const AF_INET6 = 10;
const DATAGRAM = 2 | 0o4000 | 0o2000000; // SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC
const EPOLL_CLOEXEC = 0o2000000;
const ADD = 1;
const REMOVE = 2;
const EPOLLIN = 1;
const DONTWAIT = 0x40;
const TRUNC = 0x20; // recvfrom tells the whole length of what it cut
const EVENTS = 256;
const BUFFER = 2048;
const ADDRESS = 28;
const SLOTS = 4096;
const EADDRINUSE = 98;

/** A pointer is a number to bun:ffi; only its type is its own. */
function place(base: Pointer, offset: number): Pointer {
  return (base + offset) as Pointer;
}

export function openLinuxIo(core: Core): PacketIo {
  const libc = openLibc().symbols;
  const memory = new Uint8Array(core.memory.buffer);
  const base = ptr(memory);
  const words = new Uint32Array(core.memory.buffer);
  const shorts = new Uint16Array(core.memory.buffer);
  // epoll_event is packed on x86-64 only
  const stride = process.arch === "x64" ? 3 : 4;
  // Views of an ArrayBuffer of their own: a small typed array keeps its elements in the heap, and they may move.
  const events = new Uint32Array(new ArrayBuffer(EVENTS * stride * 4));
  const eventsAt = ptr(events);
  const tagAt = stride === 3 ? 1 : 2;
  const scratch = new DataView(new ArrayBuffer(64));
  const scratchAt = ptr(scratch);
  const valueAt = place(scratchAt, 32);
  const length = new Uint32Array(new ArrayBuffer(4));
  const lengthAt = ptr(length);
  const descriptors = new Int32Array(SLOTS * 2).fill(-1); // by slot << 1 | rtcp
  const hosts = new Map<number, { host: string; port: number; rtcpPort: number; dscp: number }>();
  const errors = { send: 0, receive: 0, trapped: 0 };
  const receiveAt = place(base, core.receiveBuffer());
  const sourceAt = place(base, core.receiveSource());
  const outbox = core.outboxEntries() >>> 2;
  const epoll = libc.epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) throw new Error(`epoll_create1: errno ${errno()}`);

  function errno(): number {
    const at = libc.__errno_location();
    return at === null ? 0 : read.i32(at, 0);
  }

  function option(descriptor: number, level: number, name: number, value: number): void {
    scratch.setUint32(32, value, true);
    libc.setsockopt(descriptor, level, name, valueAt, 4);
  }

  function mark(descriptor: number, host: string, dscp: number): void {
    if (host.includes(":")) option(descriptor, 41, 67, dscp << 2); // IPV6_TCLASS
    else option(descriptor, 0, 1, dscp << 2); // IP_TOS
  }

  /** A bound socket, or undefined when the port is in use. */
  function bound(host: string, port: number, dscp: number): number | undefined {
    const octets = writeAddress(scratch, 0, { host, port });
    if (octets === 0) throw new Error(`${host} is not an IP address`);
    const descriptor = libc.socket(octets === 16 ? AF_INET : AF_INET6, DATAGRAM, 0);
    if (descriptor < 0) throw new Error(`socket: errno ${errno()}`);
    if (octets !== 16) option(descriptor, 41, 26, 1); // IPV6_V6ONLY
    if (dscp > 0) mark(descriptor, host, dscp);
    writeAddress(scratch, 0, { host, port });
    if (libc.bind(descriptor, scratchAt, octets) === 0) return descriptor;
    const why = errno();
    libc.close(descriptor);
    if (why === EADDRINUSE) return undefined;
    throw new Error(`cannot bind ${host} port ${port}: errno ${why}`);
  }

  function portOf(descriptor: number): number {
    length[0] = ADDRESS;
    libc.getsockname(descriptor, scratchAt, lengthAt);
    return readAddress(scratch, 0)?.port ?? 0;
  }

  function watch(tag: number, descriptor: number): void {
    descriptors[tag] = descriptor;
    scratch.setUint32(32, EPOLLIN, true);
    for (let i = 36; i < 48; i += 4) scratch.setUint32(i, 0);
    scratch.setUint32(32 + tagAt * 4, tag, true);
    libc.epoll_ctl(epoll, ADD, descriptor, valueAt);
  }

  function unwatch(tag: number): number {
    const descriptor = descriptors[tag] ?? -1;
    if (descriptor >= 0) libc.epoll_ctl(epoll, REMOVE, descriptor, scratchAt);
    descriptors[tag] = -1;
    return descriptor;
  }

  function tryPair(slot: number, pair: OpenPair, port: number): PortPair | undefined {
    const rtp = bound(pair.host, port, pair.dscp);
    if (rtp === undefined) return undefined;
    const actual = portOf(rtp);
    const rtcp = pair.mux ? -1 : actual % 2 === 0 ? bound(pair.host, actual + 1, pair.dscp) : undefined;
    if (rtcp === undefined) {
      libc.close(rtp);
      return undefined;
    }
    watch(slot << 1, rtp);
    if (rtcp >= 0) watch((slot << 1) | 1, rtcp);
    const ports = { port: actual, rtcpPort: pair.mux ? actual : actual + 1 };
    hosts.set(slot, { host: pair.host, dscp: pair.dscp, ...ports });
    return ports;
  }

  /** A trap of the core costs the packet, not the other calls. */
  function receive(tag: number, octets: number): number {
    try {
      return core.receiveDatagram(tag >> 1, tag & 1, octets);
    } catch {
      errors.trapped++;
      core.outboxClear();
      return 0;
    }
  }

  function send(): void {
    const count = core.outboxCount();
    for (let i = 0, at = outbox; i < count; i++, at += 4) {
      const destination = words[at + 3] as number;
      const octets = libc.sendto(
        descriptors[words[at] as number] as number,
        place(base, words[at + 1] as number),
        words[at + 2] as number,
        DONTWAIT,
        place(base, destination),
        shorts[destination >> 1] === AF_INET ? 16 : ADDRESS,
      );
      if (octets < 0) errors.send++;
    }
    core.outboxClear();
  }

  return {
    errors,
    send,
    open(slot, pair) {
      for (const port of pair.ports) {
        for (let i = port === 0 ? ANY_PORT_TRIES : 1; i > 0; i--) {
          const ports = tryPair(slot, pair, port);
          if (ports) return ports;
        }
      }
      return undefined;
    },
    close(slot) {
      for (const tag of [slot << 1, (slot << 1) | 1]) {
        const descriptor = unwatch(tag);
        if (descriptor >= 0) libc.close(descriptor);
      }
      hosts.delete(slot);
    },
    poll(timeoutMs) {
      const count = libc.epoll_wait(epoll, eventsAt, EVENTS, timeoutMs);
      if (count <= 0) return;
      setClock(core);
      for (let i = 0, at = tagAt; i < count; i++, at += stride) {
        const tag = events[at] as number;
        length[0] = ADDRESS;
        const octets = libc.recvfrom(
          descriptors[tag] as number,
          receiveAt,
          BUFFER,
          DONTWAIT | TRUNC,
          sourceAt,
          lengthAt,
        );
        if (octets < 0) errors.receive++; // an ICMP error, or another reader: the next packet is as good
        else if (receive(tag, octets) > 0) send();
      }
    },
    setDscp(slot, dscp) {
      const pair = hosts.get(slot);
      if (pair === undefined) return;
      pair.dscp = dscp;
      for (const tag of [slot << 1, (slot << 1) | 1]) {
        const descriptor = descriptors[tag] ?? -1;
        if (descriptor >= 0) mark(descriptor, pair.host, dscp);
      }
    },
    detach(slot) {
      const pair = hosts.get(slot);
      if (pair === undefined) return undefined;
      hosts.delete(slot);
      return { ...pair, descriptors: [unwatch(slot << 1), unwatch((slot << 1) | 1)] };
    },
    attach(slot, pair: DetachedPair) {
      const [rtp, rtcp] = pair.descriptors;
      if (rtp < 0) return false;
      watch(slot << 1, rtp);
      if (rtcp >= 0) watch((slot << 1) | 1, rtcp);
      hosts.set(slot, { host: pair.host, port: pair.port, rtcpPort: pair.rtcpPort, dscp: pair.dscp });
      return true;
    },
    stop() {
      for (const slot of [...hosts.keys()]) this.close(slot);
      libc.close(epoll);
    },
  };
}
