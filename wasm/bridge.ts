// Two streams that hear each other, or one that hears itself. A packet is relayed where it lies: its payload is not
// copied; between unequal codecs that are known here it is
// translated in its place.
import { addressKnown } from "./address";
import { codecIsDecoded, COMFORT_NOISE } from "./codec";
import { coderTranslate } from "./coder";
import {
  RTP_HEADER,
  rtpElapsed,
  rtpMarker,
  rtpOctets,
  rtpPayload,
  rtpQueue,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
  rtpWrite,
} from "./rtp";
import {
  ACCEPT_COUNT,
  ACCEPTED,
  CONFERENCE,
  DIGITS_STATE,
  EVENT_SEND_PT,
  FLAGS,
  LAST_DURATION,
  LAST_SENT_AT,
  LAST_TIMESTAMP,
  MODE,
  MODE_BRIDGE,
  MODE_ECHO,
  MODE_NONE,
  NEXT_SEQUENCE,
  openRecord,
  PEER,
  PLAYING,
  recordOf,
  RELAY_HIGHEST,
  RELAY_SEQUENCE,
  RELAY_SPAN,
  RELAY_SSRC,
  RELAY_TIMESTAMP,
  REMOTE,
  SEND_KIND,
  SEND_PT,
  SEND_SOURCE,
  SENDING,
  slotOf,
  SSRC,
  streamBind,
} from "./stream";

const VIDEO: u32 = 90000; // Hz of every video codec (RFC 3551 §5): there the marker ends a picture
const JUMP: i32 = 3000; // a larger step of the sequence begins a new mapping

export const RELAY_AUDIO: i32 = 0;
export const RELAY_EVENT: i32 = 1;

/** Both hear each other from now on; both leave what they were in. */
export function bridgeConnect(a: i32, b: i32): i32 {
  const s = openRecord(a);
  const d = openRecord(b);
  if (s == 0 || d == 0 || a == b) return -1;
  bridgeLeave(a);
  bridgeLeave(b);
  if (load<i32>(s, CONFERENCE) >= 0 || load<i32>(d, CONFERENCE) >= 0) return -2;
  store<i32>(s, b, PEER);
  store<i32>(d, a, PEER);
  store<i32>(s, MODE_BRIDGE, MODE);
  store<i32>(d, MODE_BRIDGE, MODE);
  streamBind(s);
  streamBind(d);
  return 0;
}

export function bridgeEcho(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  bridgeLeave(slot);
  if (load<i32>(s, CONFERENCE) >= 0) return -2;
  store<i32>(s, slot, PEER);
  store<i32>(s, MODE_ECHO, MODE);
  streamBind(s);
  return 0;
}

/** Hears nothing and is heard by nobody; so does the peer. */
export function bridgeLeave(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const mode = load<i32>(s, MODE);
  if (mode != MODE_BRIDGE && mode != MODE_ECHO) return 0;
  const peer = load<i32>(s, PEER);
  if (mode == MODE_BRIDGE && peer >= 0) alone(recordOf(peer));
  alone(s);
  return 0;
}

function alone(s: usize): void {
  store<i32>(s, -1, PEER);
  store<i32>(s, MODE_NONE, MODE);
  streamBind(s);
}

function takes(d: usize, kind: i32): i32 {
  const count = <i32> load<u8>(d, ACCEPT_COUNT);
  for (let i = 0; i < count; i++) {
    const entry = d + ACCEPTED + <usize> i * 8;
    if (<i32> load<u8>(entry) == kind) return <i32> load<u8>(entry, 1);
  }
  return -1;
}

/** The received packet is not passed on: what follows closes up, or the listener would count a loss. */
function skip(d: usize, source: i32): void {
  if (load<i32>(d, SEND_SOURCE) != source || load<u32>(d, RELAY_SSRC) != rtpSsrc) return;
  if (<i32> <i16> (rtpSequence - load<u16>(d, RELAY_HIGHEST)) <= 0) return;
  store<u16>(d, rtpSequence, RELAY_HIGHEST);
  store<u16>(d, load<u16>(d, RELAY_SEQUENCE) - 1, RELAY_SEQUENCE);
  store<u32>(d, 0, RELAY_SPAN);
}

/** Continues the listener's own sequence and time line from here with what `source` sends. */
function map(d: usize, source: i32): void {
  const last = load<u32>(d, LAST_TIMESTAMP);
  const at = load<i64>(d, LAST_SENT_AT) == 0 ? last : last + max(load<u32>(d, LAST_DURATION), rtpElapsed(d));
  store<i32>(d, source, SEND_SOURCE);
  store<u32>(d, rtpSsrc, RELAY_SSRC);
  store<u16>(d, load<u16>(d, NEXT_SEQUENCE) - rtpSequence, RELAY_SEQUENCE);
  store<u32>(d, at - rtpTimestamp, RELAY_TIMESTAMP);
  store<u16>(d, rtpSequence, RELAY_HIGHEST);
  store<u32>(d, 0, RELAY_SPAN);
}

/** Passes the packet in hand from `s` to its peer. 1: queued; 0: the peer sends nothing now; -1: it cannot take it. */
export function bridgeRelay(s: usize, kind: i32, clock: u32, what: i32): i32 {
  const d = recordOf(load<i32>(s, PEER));
  if ((load<u32>(d, FLAGS) & SENDING) == 0 || !addressKnown(d + REMOTE)) {
    store<i32>(d, 0, SEND_SOURCE);
    return 0;
  }
  if (load<u8>(d, PLAYING) != 0 || load<u8>(d, DIGITS_STATE) == 1 || load<u8>(d, DIGITS_STATE) == 2) return 0;
  const source = slotOf(s) + 2;
  const target = <i32> load<u8>(d, SEND_KIND);
  let payloadType = <i32> load<u8>(d, SEND_PT);
  let translate = false;
  if (what == RELAY_EVENT) {
    payloadType = <i32> load<u8>(d, EVENT_SEND_PT);
    if (payloadType == 255) {
      skip(d, source);
      return 0;
    }
  } else if (kind == COMFORT_NOISE) {
    payloadType = takes(d, COMFORT_NOISE);
    if (payloadType < 0) {
      skip(d, source);
      return 0;
    }
  } else if (kind != target) {
    if (!codecIsDecoded(kind) || !codecIsDecoded(target)) {
      skip(d, source);
      return -1;
    }
    translate = true;
  }
  let octets = rtpOctets;
  if (octets == 0) { // a keep-alive of the peer's, not ours
    skip(d, source);
    return 0;
  }
  let fresh = load<i32>(d, SEND_SOURCE) != source || load<u32>(d, RELAY_SSRC) != rtpSsrc;
  const ahead = <i32> <i16> (rtpSequence - load<u16>(d, RELAY_HIGHEST));
  if (!fresh && (ahead > JUMP || ahead < -JUMP)) fresh = true;
  if (fresh) {
    map(d, source);
  } else if (ahead > 0) {
    store<u16>(d, rtpSequence, RELAY_HIGHEST);
    store<u32>(d, min(load<u32>(d, RELAY_SPAN) + <u32> ahead, 30000), RELAY_SPAN);
  } else if (<u32> -ahead > load<u32>(d, RELAY_SPAN)) {
    return 0; // older than the mapping: its number was used for something else
  }
  const sequence = rtpSequence + load<u16>(d, RELAY_SEQUENCE);
  const timestamp = rtpTimestamp + load<u32>(d, RELAY_TIMESTAMP);
  const packet = rtpPayload - RTP_HEADER;
  if (translate) octets = coderTranslate(slotOf(s), kind, slotOf(d), target, rtpPayload, octets);
  rtpWrite(packet, rtpMarker || (fresh && clock != VIDEO), payloadType, sequence, timestamp, load<u32>(d, SSRC));
  if (fresh || ahead > 0) {
    const frame = what == RELAY_AUDIO && codecIsDecoded(kind) ? <u32> octets : clock / 50;
    // An event's timestamp stands still: its duration says where on the time line we are.
    const into = what == RELAY_EVENT && octets >= 4 ? <u32> bswap<u16>(load<u16>(rtpPayload, 2)) - frame : 0;
    store<u16>(d, sequence + 1, NEXT_SEQUENCE);
    store<u32>(d, timestamp + into, LAST_TIMESTAMP);
    store<u32>(d, frame, LAST_DURATION);
  }
  return rtpQueue(d, packet, octets);
}
