// HEP version 3: one captured message with its addresses and time as chunks (vendor, type, length, value), big-endian.
import { type IpNumber, parseIp } from "../../kernel/network.ts";
import type { SocketAddress } from "../../world/world.ts";

const MOST_OCTETS = 65_507; // what fits into one IPv4 datagram
const HEAD = 6; // "HEP3" and the length of everything
const CHUNK = 6; // vendor, type and length of a chunk
const SIP = 1;
const IPV4 = 2;
const IPV6 = 10;
const UDP = 17;
const TCP = 6;

export interface Captured {
  readonly from: SocketAddress;
  readonly to: SocketAddress;
  readonly reliable: boolean;
  readonly wallMs: number;
  readonly captureId: number;
  readonly correlation: string;
  readonly payload: Uint8Array;
}

/** Chunks the same in every packet. */
export interface Identity {
  readonly password: string;
  readonly name: string;
}

const encoder = new TextEncoder();

class Chunks {
  readonly #parts: Uint8Array[] = [];
  octets = HEAD;

  add(type: number, value: Uint8Array): void {
    const chunk = new Uint8Array(CHUNK + value.length);
    const view = new DataView(chunk.buffer);
    view.setUint16(2, type);
    view.setUint16(4, chunk.length);
    chunk.set(value, CHUNK);
    this.#parts.push(chunk);
    this.octets += chunk.length;
  }

  number(type: number, octets: 1 | 2 | 4, value: number): void {
    const bytes = new Uint8Array(octets);
    for (let at = 0; at < octets; at++) bytes[at] = value >>> (8 * (octets - 1 - at));
    this.add(type, bytes);
  }

  packet(): Uint8Array {
    const packet = new Uint8Array(this.octets);
    packet.set(encoder.encode("HEP3"));
    new DataView(packet.buffer).setUint16(4, this.octets);
    let at = HEAD;
    for (const part of this.#parts) {
      packet.set(part, at);
      at += part.length;
    }
    return packet;
  }
}

/** The packet, and whether the message had to be cut; undefined when the addresses are of two families. */
export function hepPacket(
  captured: Captured,
  identity: Identity,
): { readonly bytes: Uint8Array; readonly cut: boolean } | undefined {
  const from = parseIp(captured.from.host);
  const to = parseIp(captured.to.host);
  if (!from || !to || from.version !== to.version) return undefined;
  const v4 = from.version === 4;
  const chunks = new Chunks();
  chunks.number(0x01, 1, v4 ? IPV4 : IPV6);
  chunks.number(0x02, 1, captured.reliable ? TCP : UDP);
  chunks.number(0x07, 2, captured.from.port);
  chunks.number(0x08, 2, captured.to.port);
  chunks.number(0x09, 4, Math.floor(captured.wallMs / 1000));
  chunks.number(0x0a, 4, Math.floor(captured.wallMs % 1000 * 1000));
  chunks.number(0x0b, 1, SIP);
  chunks.number(0x0c, 4, captured.captureId);
  chunks.add(v4 ? 0x03 : 0x05, octetsOf(from));
  chunks.add(v4 ? 0x04 : 0x06, octetsOf(to));
  if (identity.password !== "") chunks.add(0x0e, encoder.encode(identity.password));
  chunks.add(0x11, encoder.encode(captured.correlation));
  if (identity.name !== "") chunks.add(0x13, encoder.encode(identity.name));
  const room = MOST_OCTETS - chunks.octets - CHUNK;
  chunks.add(0x0f, captured.payload.subarray(0, room));
  return { bytes: chunks.packet(), cut: captured.payload.length > room };
}

function octetsOf({ version, value }: IpNumber): Uint8Array {
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  for (let at = bytes.length - 1, left = value; at >= 0; at--, left >>= 8n) bytes[at] = Number(left & 0xffn);
  return bytes;
}
