// The capture format every analyser reads: Ethernet, IP and UDP headers made up around each message.
import type { SocketAddress } from "../../world/world.ts";

const MOST_OCTETS = 65_475; // what fits into one IPv4 datagram with its headers

/** Magic, version 2.4, no zone, longest packet, Ethernet. */
export function pcapHeader(): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 65_535, true);
  view.setUint32(20, 1, true);
  return bytes;
}

/**
 * One message as one UDP packet, whatever carried it.
 *
 *     record: seconds(4) microseconds(4) captured(4) original(4)
 *     Ethernet: 12 zero octets, EtherType(2)     IPv4: 20 octets, IPv6: 40 octets     UDP: ports(2+2) length(2) checksum(2)
 */
export function pcapRecord(message: Uint8Array, from: SocketAddress, to: SocketAddress, wallMs: number): Uint8Array {
  const payload = message.subarray(0, MOST_OCTETS);
  const ipv6 = from.host.includes(":") || to.host.includes(":");
  const ip = ipv6 ? 40 : 20;
  const headers = 14 + ip + 8;
  const bytes = new Uint8Array(16 + headers + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(wallMs / 1000), true);
  view.setUint32(4, Math.floor(wallMs % 1000 * 1000), true);
  view.setUint32(8, headers + payload.length, true);
  view.setUint32(12, headers + message.length, true);
  view.setUint16(16 + 12, ipv6 ? 0x86dd : 0x0800);
  const at = 16 + 14;
  if (ipv6) {
    bytes[at] = 0x60;
    view.setUint16(at + 4, 8 + payload.length);
    bytes[at + 6] = 17; // UDP
    bytes[at + 7] = 128;
    bytes.set(address6(from.host), at + 8);
    bytes.set(address6(to.host), at + 24);
  } else {
    bytes[at] = 0x45;
    view.setUint16(at + 2, 28 + payload.length);
    bytes[at + 8] = 128;
    bytes[at + 9] = 17;
    bytes.set(address4(from.host), at + 12);
    bytes.set(address4(to.host), at + 16);
    view.setUint16(at + 10, checksum(view, at));
  }
  const udp = at + ip;
  view.setUint16(udp, from.port);
  view.setUint16(udp + 2, to.port);
  view.setUint16(udp + 4, 8 + payload.length);
  bytes.set(payload, udp + 8);
  return bytes;
}

/** RFC 791 §3.1 over the 20 octets of a header whose checksum is still 0. */
function checksum(view: DataView, at: number): number {
  let sum = 0;
  for (let offset = 0; offset < 20; offset += 2) sum += view.getUint16(at + offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const address4 = (host: string): number[] => host.includes(":") ? [0, 0, 0, 0] : host.split(".").map(Number);

function address6(host: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (!host.includes(":")) {
    bytes.set([0xff, 0xff, ...address4(host)], 10); // ::ffff:192.0.2.1
    return bytes;
  }
  const canonical = new URL(`http://[${host.split("%")[0]}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const words = (part: string | undefined) => part ? part.split(":").map((word) => Number.parseInt(word, 16)) : [];
  const view = new DataView(bytes.buffer);
  words(head).forEach((word, index) => view.setUint16(index * 2, word));
  const right = words(tail);
  right.forEach((word, index) => view.setUint16((8 - right.length + index) * 2, word));
  return bytes;
}
