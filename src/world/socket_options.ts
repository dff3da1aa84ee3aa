// What the runtime has no call for: DSCP and receive buffer of a datagram socket, the kernel's choice of a source address.
// Pointers are taken into ArrayBuffers of their own only: the elements of a small typed array lie in the collected heap, and
// may move.
import { dlopen, FFIType, ptr } from "bun:ffi";
import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

const AF_INET = 2;
const AF_INET6 = 10; // Linux
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IPPROTO_IPV6 = 41;
const IPV6_TCLASS = 67;
const CACHE_MS = 10_000;
const CACHE_ENTRIES = 4096;

const libc = process.platform === "linux" ? openLibc() : undefined;

function openLibc() {
  for (const name of ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]) {
    try {
      return dlopen(name, {
        socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        connect: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
        getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
        setsockopt: {
          args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
          returns: FFIType.i32,
        },
        close: { args: [FFIType.i32], returns: FFIType.i32 },
      }).symbols;
    } catch {
      continue; // another C library
    }
  }
  return undefined;
}

/** Marks what the socket sends with a DSCP (0..63); without effect where the platform has no call for it. */
export function setDscp(socket: object, ipv6: boolean, dscp: number): void {
  const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
  if (!libc || fd < 0) return;
  const value = new Int32Array(new ArrayBuffer(4)).fill(dscp << 2);
  libc.setsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_TCLASS : IP_TOS, ptr(value), 4);
}

/**
 * Room for what comes while we are busy: the usual 208 KiB hold some 160 messages, which is less than a tenth of a second of
 * a busy server. Beyond `net.core.rmem_max` only with the right to; without effect where the platform has no call for it.
 */
export function setReceiveBuffer(socket: object, octets: number): void {
  const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
  if (!libc || fd < 0) return;
  const value = new Int32Array(new ArrayBuffer(4)).fill(octets);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, ptr(value.buffer), 4) !== 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, ptr(value.buffer), 4);
  }
}

const routes = new Map<string, { readonly local: string | undefined; readonly until: number }>();

/** The local IP the kernel would use towards `remote`, remembered for ten seconds; undefined when there is no route. */
export function routeTowards(remote: string): string | undefined {
  const now = performance.now();
  const known = routes.get(remote);
  if (known && known.until > now) return known.local;
  const local = libc ? askKernel(remote) : guessInterface(remote);
  if (routes.size >= CACHE_ENTRIES) routes.clear();
  routes.set(remote, { local, until: now + CACHE_MS });
  return local;
}

/** Connecting a datagram socket sends nothing but makes the kernel choose a source address. */
function askKernel(remote: string): string | undefined {
  const address = sockaddr(remote);
  if (!libc || !address) return undefined;
  const fd = libc.socket(address.length === 16 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return guessInterface(remote);
  try {
    if (libc.connect(fd, ptr(address), address.length) !== 0) return undefined;
    const local = new Uint8Array(new ArrayBuffer(28));
    const size = new Uint32Array(new ArrayBuffer(4)).fill(local.length);
    if (libc.getsockname(fd, ptr(local), ptr(size)) !== 0) return undefined;
    return address.length === 16 ? local.subarray(4, 8).join(".") : compressIpv6(local.subarray(8, 24));
  } finally {
    libc.close(fd);
  }
}

/**
 * struct sockaddr_in (16 octets):  family(2, host order) port(2) address(4) zero(8)
 * struct sockaddr_in6 (28 octets): family(2) port(2) flowinfo(4) address(16) scope(4)
 */
function sockaddr(host: string): Uint8Array | undefined {
  if (isIPv4(host)) {
    const bytes = new Uint8Array(new ArrayBuffer(16));
    new DataView(bytes.buffer).setUint16(0, AF_INET, true);
    bytes[3] = 9; // any port but 0
    bytes.set(host.split(".").map(Number), 4);
    return bytes;
  }
  if (!isIPv6(host)) return undefined;
  const bytes = new Uint8Array(new ArrayBuffer(28));
  new DataView(bytes.buffer).setUint16(0, AF_INET6, true);
  bytes[3] = 9;
  bytes.set(expandIpv6(host), 8);
  return bytes;
}

function expandIpv6(host: string): Uint8Array {
  const canonical = new URL(`http://[${host.split("%")[0]}]`).hostname.slice(1, -1); // dotted tails become hexadecimal
  const [head = "", tail] = canonical.split("::");
  const words = (part: string) => part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  left.forEach((word, at) => view.setUint16(at * 2, word));
  right.forEach((word, at) => view.setUint16((8 - right.length + at) * 2, word));
  return bytes;
}

function compressIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const words = Array.from({ length: 8 }, (_, at) => view.getUint16(at * 2).toString(16)).join(":");
  return new URL(`http://[${words}]`).hostname.slice(1, -1);
}

/** Without the kernel's help: an interface in the same network, else the first one that is not loopback. */
function guessInterface(remote: string): string | undefined {
  const family = isIPv6(remote) ? "IPv6" : "IPv4";
  const loopback = remote === "::1" || remote.startsWith("127.");
  if (loopback) return remote;
  const candidates = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    .filter((candidate) => candidate.family === family && !candidate.internal);
  const prefix = (address: string) => address.split(/[.:]/).slice(0, family === "IPv4" ? 3 : 4).join(".");
  return (candidates.find((candidate) => prefix(candidate.address) === prefix(remote)) ?? candidates[0])?.address;
}
