// RTCP: what we report and what we learn from the peer's reports (RFC 3550 §6).
import { addressKnown } from "./address";
import { clockNow, clockNtpFraction, clockNtpSeconds } from "./clock";
import { outboxCell, outboxQueue } from "./outbox";
import { randomBelow, randomU32 } from "./random";
import { rtpElapsed } from "./rtp";
import { sequenceExpected, sequenceExtended, sequenceLost } from "./sequence";
import { sourceAcceptRtcp } from "./source";
import { srtcpProtect, srtcpReceive } from "./srtp";
import {
  CNAME,
  CNAME_OCTETS,
  count,
  FLAGS,
  FOREIGN,
  LAST_SENT_AT,
  LAST_SR,
  LAST_SR_AT,
  LAST_TIMESTAMP,
  LOST_BEFORE,
  MALFORMED,
  MODE,
  MODE_BRIDGE,
  OCTETS_SENT,
  openRecord,
  PACKETS_SENT,
  PACKETS_SENT_REPORTED,
  PEER,
  PICTURE_AT,
  recordOf,
  REMOTE,
  REMOTE_BYES,
  REMOTE_FRACTION,
  REMOTE_JITTER,
  REMOTE_LOST,
  REMOTE_RTCP,
  ROUND_TRIP,
  RTCP_INTERVAL,
  RTCP_MUX,
  RTCP_NEXT_AT,
  RX_EXPECTED_PRIOR,
  RX_JITTER,
  RX_RECEIVED,
  RX_RECEIVED_PRIOR,
  RX_SSRC,
  RX_STARTED,
  slotOf,
  SRTP_KIND,
  SSRC,
  SSRC_CHANGED,
} from "./stream";

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const FEEDBACK: u8 = 206; // about the payload (RFC 4585 §6.1)
const PICTURE_LOSS: i32 = 1; // RFC 4585 §6.3.1
const INTRA_REQUEST: i32 = 4; // RFC 5104 §4.3.1
const PICTURE_MS: u32 = 100; // at least, between two requests that are passed on
const ROUND_TRIP_MOST: u32 = 30 << 16; // 30 s

function put32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

function head(at: usize, itemCount: i32, type: u8, words: i32): void {
  store<u8>(at, <u8> (0x80 | itemCount));
  store<u8>(at, type, 1);
  store<u16>(at, bswap<u16>(<u16> words), 2);
}

/** The report block on the source we hear (RFC 3550 §6.4.1), 24 octets. */
function block(s: usize, at: usize): void {
  const expected = sequenceExpected(s);
  const received = load<u32>(s, RX_RECEIVED);
  const inInterval = expected - load<u32>(s, RX_EXPECTED_PRIOR);
  const lostInInterval = <i32> (inInterval - (received - load<u32>(s, RX_RECEIVED_PRIOR)));
  store<u32>(s, expected, RX_EXPECTED_PRIOR);
  store<u32>(s, received, RX_RECEIVED_PRIOR);
  const fraction = inInterval == 0 || lostInInterval <= 0 ? 0 : min(((<u32> lostInInterval) << 8) / inInterval, 255);
  const lost = min(max(sequenceLost(s) - load<i32>(s, LOST_BEFORE), -0x800000), 0x7fffff);
  put32(at, load<u32>(s, RX_SSRC));
  put32(at + 4, (fraction << 24) | (<u32> lost & 0xffffff));
  put32(at + 8, sequenceExtended(s));
  put32(at + 12, load<u32>(s, RX_JITTER) >> 4);
  const lastSr = load<u32>(s, LAST_SR);
  put32(at + 16, lastSr);
  put32(at + 20, lastSr == 0 ? 0 : <u32> ((clockNow() - load<i64>(s, LAST_SR_AT)) * 65536 / 1000000));
}

/** Queues SR or RR, SDES, and what else there is: 0, BYE, FEEDBACK (picture loss). */
function send(s: usize, more: u8): i32 {
  const mux = (load<u32>(s, FLAGS) & RTCP_MUX) != 0;
  const address = s + (mux ? REMOTE : REMOTE_RTCP);
  if (!addressKnown(address)) return 0;
  const packet = outboxCell();
  if (packet == 0) return 0;
  const ssrc = load<u32>(s, SSRC);
  const blocks = load<u8>(s, RX_STARTED) != 0 ? 1 : 0;
  const sent = load<u32>(s, PACKETS_SENT);
  let at = packet;
  if (sent != load<u32>(s, PACKETS_SENT_REPORTED)) {
    head(at, blocks, SR, 6 + 6 * blocks);
    put32(at + 4, ssrc);
    put32(at + 8, clockNtpSeconds());
    put32(at + 12, clockNtpFraction());
    put32(at + 16, load<u32>(s, LAST_TIMESTAMP) + rtpElapsed(s));
    put32(at + 20, sent);
    put32(at + 24, <u32> load<u64>(s, OCTETS_SENT));
    at += 28;
    store<u32>(s, sent, PACKETS_SENT_REPORTED);
  } else {
    head(at, blocks, RR, 1 + 6 * blocks);
    put32(at + 4, ssrc);
    at += 8;
  }
  if (blocks) {
    block(s, at);
    at += 24;
  }
  // SDES: one chunk with CNAME, an item of type 0 at its end, padded to a word
  const octets = <i32> load<u8>(s, CNAME_OCTETS);
  const items = (2 + octets + 1 + 3) & ~3;
  head(at, 1, SDES, 1 + items / 4);
  put32(at + 4, ssrc);
  memory.fill(at + 8, 0, items);
  store<u8>(at, 1, 8);
  store<u8>(at, <u8> octets, 9);
  memory.copy(at + 10, s + CNAME, octets);
  at += 8 + items;
  if (more == BYE) {
    head(at, 1, BYE, 1);
    put32(at + 4, ssrc);
    at += 8;
  } else if (more == FEEDBACK) {
    head(at, PICTURE_LOSS, FEEDBACK, 2);
    put32(at + 4, ssrc);
    put32(at + 8, load<u32>(s, RX_SSRC));
    at += 12;
  }
  let whole = <i32> (at - packet);
  if (load<u8>(s, SRTP_KIND) != 0) whole = srtcpProtect(s, packet, whole);
  return whole == 0 ? 0 : outboxQueue(slotOf(s), mux ? 0 : 1, packet, whole, address);
}

/** The report of this tick, when it is due. */
export function rtcpTick(s: usize): void {
  const next = load<i64>(s, RTCP_NEXT_AT);
  const now = clockNow();
  if (next == 0 || now < next) return;
  // RFC 3550 §6.3.1: 0.5 .. 1.5 of the interval
  store<i64>(s, now + <i64> load<u32>(s, RTCP_INTERVAL) * <i64> (500 + randomBelow(1001)), RTCP_NEXT_AT);
  if (load<i64>(s, LAST_SENT_AT) == 0 && load<u8>(s, RX_STARTED) == 0) return; // nothing happened yet
  send(s, 0);
}

/** The one who watches what `s` passes on lacks a picture: asks the one who films for a whole one. */
function wanted(s: usize): void {
  if (load<i32>(s, MODE) != MODE_BRIDGE) return;
  const d = recordOf(load<i32>(s, PEER));
  const now = <u32> (clockNow() / 1000);
  if (load<u8>(d, RX_STARTED) == 0 || now - load<u32>(d, PICTURE_AT) < PICTURE_MS) return;
  store<u32>(d, now, PICTURE_AT);
  send(d, FEEDBACK);
}

/** Says good-bye before a stream closes: number of packets queued. */
export function rtcpBye(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  return load<u32>(s, PACKETS_SENT) == 0 ? 0 : send(s, BYE);
}

/** Another source has our SSRC (RFC 3550 §8.2): BYE for the old one, once; a peer that mirrors us always has it. */
export function rtcpCollision(s: usize): void {
  if (load<u8>(s, SSRC_CHANGED) != 0) return;
  store<u8>(s, 1, SSRC_CHANGED);
  send(s, BYE);
  store<u32>(s, randomU32(), SSRC);
  store<u32>(s, 0, PACKETS_SENT_REPORTED);
}

function learn(s: usize, at: usize): void {
  if (bswap<u32>(load<u32>(at)) != load<u32>(s, SSRC)) return;
  const loss = bswap<u32>(load<u32>(at, 4));
  store<u32>(s, loss >> 24, REMOTE_FRACTION);
  store<i32>(s, (<i32> (loss << 8)) >> 8, REMOTE_LOST);
  store<u32>(s, bswap<u32>(load<u32>(at, 12)), REMOTE_JITTER);
  const lsr = bswap<u32>(load<u32>(at, 16));
  if (lsr == 0) return;
  const now = (clockNtpSeconds() << 16) | (clockNtpFraction() >> 16);
  const trip = now - lsr - bswap<u32>(load<u32>(at, 20));
  if (<i32> trip < 0 && <i32> trip > -66) store<i32>(s, 0, ROUND_TRIP); // the clocks round: within 1 ms of nothing
  else if (trip <= ROUND_TRIP_MOST) store<i32>(s, <i32> (<u64> trip * 1000000 / 65536), ROUND_TRIP);
}

/** Reads a compound packet; a bad length ends it. */
export function rtcpReceive(s: usize, packet: usize, octets: i32, from: usize): void {
  if (load<u8>(s, SRTP_KIND) != 0) {
    octets = srtcpReceive(s, packet, octets);
    if (octets < 0) return;
  }
  if (!sourceAcceptRtcp(s, from)) {
    count(s, FOREIGN);
    return;
  }
  let at = 0;
  while (at < octets) {
    if (octets - at < 4) break;
    const p = packet + at;
    const first = load<u8>(p);
    const bytes = (<i32> bswap<u16>(load<u16>(p, 2)) + 1) << 2;
    if (first >> 6 != 2 || bytes > octets - at) break;
    const type = load<u8>(p, 1);
    let blocks = <i32> (first & 31);
    if (type == SR || type == RR) {
      const fixed = type == SR ? 28 : 8;
      if (fixed + blocks * 24 > bytes) break;
      if (type == SR && load<u8>(s, RX_STARTED) != 0 && bswap<u32>(load<u32>(p, 4)) == load<u32>(s, RX_SSRC)) {
        store<u32>(s, (bswap<u32>(load<u32>(p, 8)) << 16) | (bswap<u32>(load<u32>(p, 12)) >> 16), LAST_SR);
        store<i64>(s, clockNow(), LAST_SR_AT);
      }
      for (let i = 0; i < blocks; i++) learn(s, p + fixed + i * 24);
    } else if (type == FEEDBACK) {
      if (blocks == PICTURE_LOSS || blocks == INTRA_REQUEST) wanted(s);
    } else if (type == BYE) {
      count(s, REMOTE_BYES); // counted, no more: anybody can send one
    }
    at += bytes;
  }
  if (at != octets) count(s, MALFORMED);
}
