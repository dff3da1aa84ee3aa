// A datagram of an open stream: read, checked, counted, heard. Any octets give an answer, never a trap.
import { bridgeRelay, RELAY_AUDIO, RELAY_EVENT } from "./bridge";
import { clockNow } from "./clock";
import { codecIsDecoded, codecRemembers, COMFORT_NOISE } from "./codec";
import { coderDecode, coderNext, coderSamples } from "./coder";
import { dtmfFeed, dtmfLength } from "./dtmf";
import { eventReceive, eventTell } from "./event";
import { outboxCount } from "./outbox";
import { playoutWrite } from "./playout";
import { recorderAppend } from "./recorder";
import { rtcpCollision, rtcpReceive } from "./rtcp";
import { rtpMarker, rtpOctets, rtpPayload, rtpPayloadType, rtpRead, rtpSequence, rtpSsrc, rtpTimestamp } from "./rtp";
import { SEQUENCE_LATE, sequenceAccept, sequenceJitter } from "./sequence";
import { sourceAccept } from "./source";
import { srtpReceive } from "./srtp";
import {
  ACCEPT_MAP,
  ACCEPTED,
  CODEC_KIND,
  count,
  DETECT_DTMF,
  EVENT_CLOCK,
  EVENT_RECEIVE_PT,
  FLAGS,
  FOLLOW_PEER_CODEC,
  FOREIGN,
  LAST_RECEIVED_AT,
  MALFORMED,
  MODE,
  MODE_CONFERENCE,
  NOISE,
  OCTETS_RECEIVED,
  openRecord,
  PACKETS_RECEIVED,
  RECEIVING,
  RECORDING,
  RTCP_MUX,
  RX_CLOCK,
  RX_KIND,
  SEND_CLOCK,
  SEND_KIND,
  SEND_PT,
  SEND_PTIME,
  slotOf,
  SRTP_KIND,
  SSRC,
  TIMED_OUT,
  UNDELIVERED,
  UNHANDLED,
  UNKNOWN_PAYLOAD,
  WANT_RELAY,
  WANT_SAMPLES,
  WANTS,
} from "./stream";

const BUFFER: i32 = 2048;

const buffer: usize = memory.data(2048 + 64, 16);
const source: usize = memory.data(64, 16);

/** Offset of 2,048 octets where the host puts a datagram. */
export function receiveBuffer(): i32 {
  return <i32> buffer;
}

/** Offset of 32 octets where the host puts its source. */
export function receiveSource(): i32 {
  return <i32> source;
}

/** The datagram in the buffer came to the RTP (0) or RTCP (1) port of `slot`: entries in the outbox, -1: no such stream. */
export function receiveDatagram(slot: i32, rtcp: i32, octets: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  if (octets <= 0 || octets > BUFFER) count(s, octets == 0 ? UNHANDLED : MALFORMED);
  else if (rtcp != 0) rtcpReceive(s, buffer, octets, source);
  else demultiplex(s, octets);
  return outboxCount();
}

/** RFC 7983: 128..191 in the first octet is RTP or RTCP; RFC 5761: RTCP has 192..223 in the second. */
function demultiplex(s: usize, octets: i32): void {
  if (load<u8>(buffer) >> 6 != 2) {
    count(s, UNHANDLED); // STUN, DTLS, anything
    return;
  }
  const second = <i32> load<u8>(buffer, 1);
  if (octets > 1 && second >= 192 && second <= 223) {
    if (load<u32>(s, FLAGS) & RTCP_MUX) rtcpReceive(s, buffer, octets, source);
    else count(s, UNHANDLED);
    return;
  }
  if (load<u8>(s, SRTP_KIND) != 0) {
    octets = srtpReceive(s, buffer, octets); // before anything is learnt from a packet that anybody may have sent
    if (octets < 0) return;
  }
  if (!rtpRead(buffer, octets)) {
    count(s, MALFORMED);
    return;
  }
  if (!sourceAccept(s, source, rtpSequence, rtpSsrc)) {
    count(s, FOREIGN);
    return;
  }
  if (rtpSsrc == load<u32>(s, SSRC)) rtcpCollision(s);
  hear(s);
}

/** A packet of our source. */
function hear(s: usize): void {
  const order = sequenceAccept(s, rtpSsrc, rtpSequence);
  if (order < 0) return;
  store<i64>(s, clockNow(), LAST_RECEIVED_AT);
  store<u8>(s, 0, TIMED_OUT);
  store<u32>(s, load<u32>(s, PACKETS_RECEIVED) + 1, PACKETS_RECEIVED);
  store<u64>(s, load<u64>(s, OCTETS_RECEIVED) + <u64> rtpOctets, OCTETS_RECEIVED);
  if ((load<u32>(s, FLAGS) & RECEIVING) == 0) return;
  const wants = load<u32>(s, WANTS);
  if (rtpPayloadType == <i32> load<u8>(s, EVENT_RECEIVE_PT)) {
    eventReceive(s, rtpPayload, rtpOctets, rtpSequence, rtpTimestamp, rtpMarker);
    if (wants & WANT_RELAY) relay(s, 0, load<u32>(s, EVENT_CLOCK), RELAY_EVENT);
    return;
  }
  const accepted = <usize> load<u8>(s + ACCEPT_MAP + rtpPayloadType);
  if (accepted == 0) {
    if (rtpOctets > 0) count(s, UNKNOWN_PAYLOAD); // an empty one is a keep-alive (RFC 6263 §4.1)
    return;
  }
  const entry = s + ACCEPTED + (accepted - 1) * 8;
  const kind = <i32> load<u8>(entry);
  const clock = load<u32>(entry, 4);
  if (order != SEQUENCE_LATE) sequenceJitter(s, rtpTimestamp, clock);
  if (kind != <i32> load<u8>(s, RX_KIND) && kind != COMFORT_NOISE) {
    store<u8>(s, <u8> kind, RX_KIND);
    store<u32>(s, clock, RX_CLOCK);
    if (load<u32>(s, FLAGS) & FOLLOW_PEER_CODEC) follow(s, entry);
  }
  coderNext();
  if (wants & WANT_SAMPLES && !(order == SEQUENCE_LATE && codecRemembers(kind))) samples(s, kind);
  if (wants & WANT_RELAY) relay(s, kind, clock, RELAY_AUDIO);
}

function relay(s: usize, kind: i32, clock: u32, what: i32): void {
  if (bridgeRelay(s, kind, clock, what) < 0) count(s, UNDELIVERED);
}

/** Sends what the peer sends. Its payload type for what we were to send anyhow may differ from ours (RFC 3264 §5.1). */
function follow(s: usize, entry: usize): void {
  if (load<u8>(entry) == load<u8>(s, CODEC_KIND)) {
    store<u64>(s, load<u64>(s, CODEC_KIND), SEND_KIND);
    return;
  }
  store<u8>(s, load<u8>(entry), SEND_KIND);
  store<u8>(s, load<u8>(entry, 1), SEND_PT);
  store<u16>(s, load<u16>(entry, 2), SEND_PTIME);
  store<u32>(s, load<u32>(entry, 4), SEND_CLOCK);
}

/** Decodes for those who need samples. */
function samples(s: usize, kind: i32): void {
  if (kind == COMFORT_NOISE) {
    if (rtpOctets > 0) store<u8>(s, (load<u8>(rtpPayload) & 127) + 1, NOISE);
    return;
  }
  if (!codecIsDecoded(kind)) {
    count(s, UNDELIVERED);
    return;
  }
  const slot = slotOf(s);
  const length = coderDecode(slot, kind, rtpPayload, rtpOctets);
  if (length == 0) return;
  const decoded = coderSamples();
  store<u8>(s, 0, NOISE);
  if (load<u8>(s, RECORDING) != 0) recorderAppend(s, slot, decoded, length, rtpTimestamp);
  if (load<u32>(s, FLAGS) & DETECT_DTMF) {
    const digit = dtmfFeed(slot, decoded, length);
    if (digit > 0) eventTell(s, <u32> digit, <u32> dtmfLength(slot) / 8);
  }
  if (load<i32>(s, MODE) == MODE_CONFERENCE) playoutWrite(s, slot, decoded, length, rtpTimestamp);
}
