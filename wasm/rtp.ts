// RTP packets, read and written (RFC 3550 §5.1).
//
//    0                   1                   2                   3
//   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//   |                           timestamp                           |
//   |                             SSRC                              |
import { addressKnown } from "./address";
import { clockNow } from "./clock";
import { outboxQueue } from "./outbox";
import { srtpProtect } from "./srtp";
import {
  KEEPALIVE_AT,
  LAST_DURATION,
  LAST_SENT_AT,
  LAST_TIMESTAMP,
  NEXT_SEQUENCE,
  OCTETS_SENT,
  PACKETS_SENT,
  REMOTE,
  SEND_CLOCK,
  SEND_SOURCE,
  slotOf,
  SRTP_KIND,
  SSRC,
} from "./stream";

export const RTP_HEADER: i32 = 12;
export const SOURCE_NONE: i32 = 0;
export const SOURCE_GENERATED: i32 = 1;

// The header read last; payload is an offset in memory.
export let rtpMarker: bool = false;
export let rtpPayloadType: i32 = 0;
export let rtpSequence: u16 = 0;
export let rtpTimestamp: u32 = 0;
export let rtpSsrc: u32 = 0;
export let rtpPayload: usize = 0;
export let rtpOctets: i32 = 0;

/** Reads the header at `packet`. False: not RTP, or lengths that do not fit. */
export function rtpRead(packet: usize, octets: i32): bool {
  if (octets < RTP_HEADER) return false;
  const first = <i32> load<u8>(packet);
  if (first >> 6 != 2) return false;
  let header = RTP_HEADER + ((first & 15) << 2);
  if (first & 0x10) {
    if (header + 4 > octets) return false;
    header += 4 + (<i32> bswap<u16>(load<u16>(packet + header, 2)) << 2);
  }
  if (header > octets) return false;
  let payload = octets - header;
  if (first & 0x20) {
    const padding = <i32> load<u8>(packet + octets - 1);
    if (padding == 0 || padding > payload) return false;
    payload -= padding;
  }
  const second = <i32> load<u8>(packet, 1);
  rtpMarker = second >> 7 != 0;
  rtpPayloadType = second & 127;
  rtpSequence = bswap<u16>(load<u16>(packet, 2));
  rtpTimestamp = bswap<u32>(load<u32>(packet, 4));
  rtpSsrc = bswap<u32>(load<u32>(packet, 8));
  rtpPayload = packet + header;
  rtpOctets = payload;
  return true;
}

/** Writes the 12 octets of a header without CSRC and extension. */
export function rtpWrite(
  packet: usize,
  marker: bool,
  payloadType: i32,
  sequence: u16,
  timestamp: u32,
  ssrc: u32,
): void {
  store<u8>(packet, 0x80);
  store<u8>(packet, <u8> ((marker ? 0x80 : 0) | payloadType), 1);
  store<u16>(packet, bswap<u16>(sequence), 2);
  store<u32>(packet, bswap<u32>(timestamp), 4);
  store<u32>(packet, bswap<u32>(ssrc), 8);
}

/** Clock units from the start of the last packet sent until now. */
export function rtpElapsed(s: usize): u32 {
  const micros = clockNow() - load<i64>(s, LAST_SENT_AT);
  return <u32> (micros * <i64> load<u32>(s, SEND_CLOCK) / 1000000);
}

/**
 * Queues a packet whose payload lies 12 octets after `packet`. `duration` is in clock units; `at` is the place on the
 * stream's time line that is now (the timestamp, but for a telephone-event, whose timestamp stands still).
 */
export function rtpSend(
  s: usize,
  packet: usize,
  octets: i32,
  marker: bool,
  payloadType: i32,
  timestamp: u32,
  at: u32,
  duration: u32,
): i32 {
  const sequence = load<u16>(s, NEXT_SEQUENCE);
  rtpWrite(packet, marker, payloadType, sequence, timestamp, load<u32>(s, SSRC));
  store<u16>(s, sequence + 1, NEXT_SEQUENCE);
  store<u32>(s, at, LAST_TIMESTAMP);
  store<u32>(s, duration, LAST_DURATION);
  store<i32>(s, SOURCE_GENERATED, SEND_SOURCE);
  return rtpQueue(s, packet, octets);
}

/** Counts, protects and queues a finished packet. */
export function rtpQueue(s: usize, packet: usize, octets: i32): i32 {
  if (!addressKnown(s + REMOTE)) return 0;
  const now = clockNow();
  store<i64>(s, now, LAST_SENT_AT);
  store<i64>(s, now, KEEPALIVE_AT);
  store<u32>(s, load<u32>(s, PACKETS_SENT) + 1, PACKETS_SENT);
  store<u64>(s, load<u64>(s, OCTETS_SENT) + <u64> octets, OCTETS_SENT);
  const whole = load<u8>(s, SRTP_KIND) == 0 ? RTP_HEADER + octets : srtpProtect(s, packet, RTP_HEADER, octets);
  return whole == 0 ? 0 : outboxQueue(slotOf(s), 0, packet, whole, s + REMOTE);
}

/** Timestamp of the next generated packet; sets rtpNextMarker when it begins a talk spurt (RFC 3551 §4.1). */
export let rtpNextMarker: bool = false;
export function rtpNextTimestamp(s: usize): u32 {
  const last = load<u32>(s, LAST_TIMESTAMP);
  if (load<i64>(s, LAST_SENT_AT) == 0) {
    rtpNextMarker = true;
    return last;
  }
  const continuous = load<u32>(s, LAST_DURATION);
  const elapsed = rtpElapsed(s);
  const drift = <i32> (elapsed - continuous);
  if (load<i32>(s, SEND_SOURCE) == SOURCE_GENERATED && drift < 640) {
    rtpNextMarker = false;
    return last + continuous;
  }
  rtpNextMarker = true;
  return last + max(continuous, elapsed);
}
