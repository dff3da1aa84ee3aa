// Addresses between text and the layout the kernel and the core use (wasm/address.ts), 32 octets each.
import type { SocketAddress } from "../world/world.ts";

const INET = 2;
const INET6 = 10;

function v4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.map(Number);
}

/** The 8 groups of an IPv6 literal, undefined when it is none. */
function v6(text: string): number[] | undefined {
  const dotted = text.lastIndexOf(":") + 1;
  const tail = text.includes(".") ? v4(text.slice(dotted)) : [];
  if (tail === undefined) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = tail;
  const words = tail.length === 0
    ? text
    : `${text.slice(0, dotted)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const halves = words.split("::");
  if (halves.length > 2) return undefined;
  const [left = [], right = []] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array<string>(missing).fill("0"), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.map((group) => parseInt(group, 16));
}

/** Writes an address at `offset`; its length for the kernel, 0 (and family 0) when `host` is not an IP literal. */
export function writeAddress(view: DataView, offset: number, address: SocketAddress | undefined): number {
  for (let i = 0; i < 32; i += 4) view.setUint32(offset + i, 0);
  if (address === undefined || address.port < 0 || address.port > 65535) return 0;
  const four = v4(address.host);
  if (four) {
    view.setUint16(offset, INET, true);
    view.setUint16(offset + 2, address.port);
    four.forEach((octet, i) => view.setUint8(offset + 4 + i, octet));
    return 16;
  }
  const eight = v6(address.host);
  if (eight === undefined) return 0;
  view.setUint16(offset, INET6, true);
  view.setUint16(offset + 2, address.port);
  eight.forEach((group, i) => view.setUint16(offset + 8 + 2 * i, group));
  return 28;
}

/** Reads what writeAddress wrote; undefined for family 0. */
export function readAddress(view: DataView, offset: number): SocketAddress | undefined {
  const family = view.getUint16(offset, true);
  const port = view.getUint16(offset + 2);
  if (family === INET) {
    const octets = [4, 5, 6, 7].map((i) => view.getUint8(offset + i));
    return { host: octets.join("."), port };
  }
  if (family !== INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(offset + 8 + 2 * i));
  return { host: compress(groups), port };
}

/** RFC 5952: lower case, the first longest run of zeros (of two or more) as "::". */
function compress(groups: readonly number[]): string {
  let best = 0;
  let length = 1;
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === 0) end++;
    if (end - at > length) [best, length] = [at, end - at];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, best).join(":")}::${hex.slice(best + length).join(":")}`;
}

/** Where media may never be sent: unspecified, "this network", multicast, broadcast; the text says why. */
export function refusedDestination(address: SocketAddress): string | undefined {
  const four = v4(address.host);
  if (four) {
    const [first = 0] = four;
    if (first === 0) return "0.0.0.0/8";
    if (first >= 224 && first < 240) return "multicast";
    if (four.every((octet) => octet === 255)) return "broadcast";
    return address.port === 0 ? "port 0" : undefined;
  }
  const eight = v6(address.host);
  if (eight === undefined) return "not an IP address";
  const [first = 0] = eight;
  if (first >> 8 === 0xff) return "multicast";
  if (eight.every((group) => group === 0)) return "unspecified";
  return address.port === 0 ? "port 0" : undefined;
}
