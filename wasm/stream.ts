// One RTP stream: a record of fixed size, so that a stream moves to another worker as one block of octets.
// Every field of every noun that keeps state per stream is named here, with its offset.
import { ADDRESS_BYTES, addressClear, addressCopy, addressEquals, addressKnown } from "./address";
import { clockNow } from "./clock";
import { coderReset } from "./coder";
import { dtmfReset } from "./dtmf";
import { randomBelow, randomU32 } from "./random";
import { srtpAdopt, srtpForget } from "./srtp";

export const STREAMS: i32 = 4096;
export const STREAM_BYTES: usize = 1536;

export const MODE_NONE: i32 = 0;
export const MODE_BRIDGE: i32 = 1;
export const MODE_ECHO: i32 = 2;
export const MODE_CONFERENCE: i32 = 3;

export const SENDING: u32 = 1;
export const RECEIVING: u32 = 2;
export const FOLLOW_PEER_CODEC: u32 = 4;
export const RTCP_MUX: u32 = 8;
export const SYMMETRIC: u32 = 16;
export const DETECT_DTMF: u32 = 32;

// What the received packet goes through, bound when something changes (streamBind), not looked up per packet.
export const WANT_SAMPLES: u32 = 1; // decode: conference, recording, in-band DTMF
export const WANT_RELAY: u32 = 2; // bridge or echo

// identity and binding
export const IN_USE: usize = 0; // u8
export const RECORDING: usize = 1; // u8
export const NOISE: usize = 2; // u8: 1 + level of the comfort noise heard last, 0: speech was heard since
export const WANTS: usize = 4; // u32
export const FLAGS: usize = 8; // u32
export const STRICT: usize = 12; // u32: 0 no, 1 yes, 2 seqno
export const MODE: usize = 16; // i32
export const PEER: usize = 20; // i32 slot, -1
export const CONFERENCE: usize = 24; // i32, -1
export const ACTIVE_AT: usize = 28; // i32, place in the list of open streams

// addresses, 32 octets each
export const REMOTE: usize = 32; // where RTP goes
export const REMOTE_RTCP: usize = 64;
export const SDP_REMOTE: usize = 96; // as negotiated
export const LOCKED: usize = 128; // the source we accept
export const CANDIDATE: usize = 160;
export const SDP_RTCP: usize = 192;

// codec we send; CODEC_* is what was configured, SEND_* what is used now
export const SEND_KIND: usize = 224; // u8
export const SEND_PT: usize = 225; // u8
export const SEND_PTIME: usize = 226; // u16 ms
export const SEND_CLOCK: usize = 228; // u32 Hz
export const CODEC_KIND: usize = 232;
export const CODEC_PT: usize = 233;
export const CODEC_PTIME: usize = 234;
export const CODEC_CLOCK: usize = 236;
export const EVENT_SEND_PT: usize = 240; // u8, 255 none
export const EVENT_RECEIVE_PT: usize = 241; // u8, 255 none
export const EVENT_CLOCK: usize = 244; // u32

// sending
export const SSRC: usize = 248; // u32
export const NEXT_SEQUENCE: usize = 252; // u16
export const SSRC_CHANGED: usize = 254; // u8, a collision was answered
export const LAST_TIMESTAMP: usize = 256; // u32, of the last packet sent
export const LAST_DURATION: usize = 260; // u32, its clock units
export const LAST_SENT_AT: usize = 264; // i64 micros, 0 never
export const PACKETS_SENT: usize = 272; // u32
export const PACKETS_SENT_REPORTED: usize = 276; // u32, at the last SR
export const OCTETS_SENT: usize = 280; // u64 of payload
export const SEND_SOURCE: usize = 288; // i32: 0 none, 1 generated here, 2 + slot relayed
export const RELAY_SSRC: usize = 292; // u32
export const RELAY_SEQUENCE: usize = 296; // u16 added to the received sequence
export const RELAY_HIGHEST: usize = 298; // u16 highest received sequence relayed
export const RELAY_TIMESTAMP: usize = 300; // u32 added to the received timestamp
export const RELAY_SPAN: usize = 304; // u32 packets since the mapping began

// receiving
export const RX_SSRC: usize = 312; // u32
export const RX_STARTED: usize = 316; // u8
export const RX_HIGHEST: usize = 318; // u16
export const RX_CYCLES: usize = 320; // u32, multiples of 65,536
export const RX_BASE: usize = 324; // u32
export const RX_BAD: usize = 328; // u32
export const RX_RECEIVED: usize = 332; // u32 since this SSRC began
export const RX_EXPECTED_PRIOR: usize = 336; // u32
export const RX_RECEIVED_PRIOR: usize = 340; // u32
export const RX_TRANSIT: usize = 344; // u32
export const RX_JITTER: usize = 348; // u32, 16 × clock units
export const RX_WINDOW: usize = 352; // u64 × 2, bit n: highest - n was received
export const LAST_RECEIVED_AT: usize = 368; // i64
export const PACKETS_RECEIVED: usize = 376; // u32
export const LOST_BEFORE: usize = 380; // i32, of earlier SSRCs
export const OCTETS_RECEIVED: usize = 384; // u64 of payload
export const LATE: usize = 392; // u32
export const DUPLICATES: usize = 396;
export const MALFORMED: usize = 400;
export const FOREIGN: usize = 404;
export const UNHANDLED: usize = 408; // STUN, DTLS, RTCP on a port without mux
export const UNKNOWN_PAYLOAD: usize = 412;
export const UNDELIVERED: usize = 416; // accepted, but nobody could use it
export const RX_KIND: usize = 420; // u8
export const RX_CLOCK: usize = 424; // u32

// source lock
export const LOCK_STATE: usize = 432; // u32: 0 learning, 1 locked
export const CANDIDATE_SEQUENCE: usize = 436; // u16
export const CANDIDATE_COUNT: usize = 440; // u32
export const CANDIDATE_SSRC: usize = 444; // u32
export const CANDIDATE_AT: usize = 448; // i64
export const LEARNING_SINCE: usize = 456; // i64

// timers
export const TIMEOUT_SECONDS: usize = 464; // u32
export const TIMED_OUT: usize = 468; // u8
export const TIMEOUT_SINCE: usize = 472; // i64
export const KEEPALIVE_SECONDS: usize = 480; // u32
export const RTCP_INTERVAL: usize = 484; // u32 ms
export const RTCP_NEXT_AT: usize = 488; // i64
export const KEEPALIVE_AT: usize = 496; // i64, last sent or configured

// RTCP
export const LAST_SR: usize = 504; // u32, middle of its NTP time
export const LAST_SR_AT: usize = 512; // i64
export const ROUND_TRIP: usize = 520; // i32 micros, -1
export const REMOTE_LOST: usize = 524; // i32
export const REMOTE_JITTER: usize = 528; // u32 clock units
export const REMOTE_FRACTION: usize = 532; // u32
export const REMOTE_BYES: usize = 536; // u32
export const CNAME_OCTETS: usize = 540; // u8
export const CNAME: usize = 541; // 64 octets

// RFC 4733 received
export const EVENT_ACTIVE: usize = 608; // u8
export const EVENT_CODE: usize = 609; // u8
export const EVENT_ENDED: usize = 610; // u8, EVENT_TIMESTAMP was reported
export const EVENT_SEQUENCE: usize = 612; // u16
export const EVENT_TIMESTAMP: usize = 616; // u32
export const EVENT_DURATION: usize = 620; // u32 clock units
export const EVENT_BASE: usize = 624; // u32, units of earlier segments
export const EVENT_AT: usize = 632; // i64

// digits to send
export const DIGITS_STATE: usize = 640; // u8: 0 idle, 1 sending, 2 ending, 3 gap
export const DIGITS_CODE: usize = 641; // u8
export const DIGITS_COUNT: usize = 642; // u8
export const DIGITS_FIRST: usize = 643; // u8, next packet carries the marker
export const DIGITS_TIMESTAMP: usize = 644; // u32
export const DIGITS_DURATION: usize = 648; // u32 clock units so far
export const DIGITS_SEGMENT: usize = 652; // u32 units of this digit's earlier segments
export const DIGITS_ENDS: usize = 656; // i32 end packets left
export const DIGITS_TOTAL: usize = 660; // u32 ms
export const DIGITS_GAP: usize = 664; // u32 ms
export const DIGITS_WAIT: usize = 668; // i32 ticks of gap left
export const DIGITS: usize = 672; // 64 octets, codes 0..16

// what is generated here: clip or tone
export const PLAYING: usize = 736; // u8: 0 nothing, 1 clip, 2 tone
export const PLAY_LOOP: usize = 737; // u8
export const PLAY_ENDED: usize = 738; // u8, the host has written the last sample
export const PLAY_STEP: usize = 739; // u8
export const PLAY_STEPS: usize = 740; // u8
export const PLAY_GENERATION: usize = 744; // u32
export const PLAY_READ: usize = 748; // u32 samples
export const PLAY_WRITTEN: usize = 752; // u32 samples
export const PLAY_LEFT: usize = 756; // u32 samples left of this step
export const PENDING: usize = 760; // u32 samples waiting for a packet longer than the tick

// recording
export const RECORD_WRITTEN: usize = 764; // u32 samples
export const RECORD_TIMESTAMP: usize = 768; // u32, next expected
export const RECORD_STARTED: usize = 772; // u8

// play-out of a conference member
export const PLAYOUT_STARTED: usize = 776; // u8
export const PLAYOUT_READ: usize = 780; // u32 timestamp of the next sample out
export const PLAYOUT_END: usize = 784; // u32 timestamp after the last sample in
export const PLAYOUT_MOVED: usize = 788; // i32 samples the reader was put back, in all
export const PLAYOUT_TICKS: usize = 792; // u32 since the last step of the delay
export const PLAYOUT_STARVED: usize = 796; // u32 frames
export const PLAYOUT_DROPPED: usize = 800; // u32 frames
export const PLAYOUT_PACKETS: usize = 804; // u32 since it began

export const DIGITS_TOLD: usize = 808; // i64, the time that the digits told so far take up

// payload type -> 1 + index of its entry, 0 not accepted
export const ACCEPT_MAP: usize = 832; // 128 octets
export const ACCEPT_COUNT: usize = 960; // u8
export const ACCEPTED: usize = 968; // 16 × (u8 kind, u8 payload type, u16 ptime ms, u32 clock)
export const ACCEPTED_MAX: i32 = 16;
export const SIGNALING: usize = 1104; // the host that may speak with SYMMETRIC; family 0: any

// SRTP; what is derived from the keys is in srtp.ts
export const SRTP_KIND: usize = 1136; // u8: 0 plain, 1 AES-CM, 2 AES-GCM
export const SRTP_KEY_OCTETS: usize = 1137; // u8
export const SRTP_TAG: usize = 1138; // u8, octets of the tag of RTP
export const SRTP_USED: usize = 1139; // u8: SEND_* below is about SRTP_SEND_SSRC
export const SRTP_SEND_MASTER: usize = 1140; // 48 octets, key and salt
export const SRTP_RECEIVE_MASTER: usize = 1188;
export const SRTP_SEND_ROC: usize = 1236; // u32
export const SRTP_SEND_HIGHEST: usize = 1240; // u16
export const SRTP_RUN_ON: usize = 1242; // u8: keys of 24 octets are derived as libsrtp does it
export const SRTP_HEARD: usize = 1243; // u8: a packet was authentic under the key to receive
export const SRTP_SEND_SSRC: usize = 1244; // u32
export const SRTP_SEND_RTCP: usize = 1248; // u32, index of the next packet
export const SRTP_BAD: usize = 1252; // u32, not authentic
export const SRTP_REPLAYED: usize = 1256; // u32
export const PICTURE_AT: usize = 1260; // u32 ms, when a whole picture was asked for last
export const SRTP_SOURCES: usize = 1264; // 4 × 64 octets

const records: usize = memory.data(STREAMS * <i32> STREAM_BYTES, 16);
const active: usize = memory.data(STREAMS * 4, 16); // i32 slots, dense
const free: usize = memory.data(STREAMS * 4, 16); // i32 stack of free slots
let activeCount: i32 = 0;
let freeCount: i32 = -1; // not yet filled

export function recordOf(slot: i32): usize {
  return records + <usize> slot * STREAM_BYTES;
}

/** The record of an open stream, 0 when there is none. */
export function openRecord(slot: i32): usize {
  if (<u32> slot >= <u32> STREAMS) return 0;
  const s = recordOf(slot);
  return load<u8>(s, IN_USE) == 0 ? 0 : s;
}

export function slotOf(s: usize): i32 {
  return <i32> ((s - records) / STREAM_BYTES);
}

export function streamCount(): i32 {
  return activeCount;
}

export function activeSlot(at: i32): i32 {
  return load<i32>(active + (<usize> at << 2));
}

function take(): i32 {
  if (freeCount < 0) {
    for (let i = 0; i < STREAMS; i++) store<i32>(free + (<usize> i << 2), STREAMS - 1 - i);
    freeCount = STREAMS;
  }
  if (freeCount == 0) return -1;
  freeCount -= 1;
  return load<i32>(free + (<usize> freeCount << 2));
}

function enlist(s: usize, slot: i32): void {
  store<u8>(s, 1, IN_USE);
  store<i32>(s, activeCount, ACTIVE_AT);
  store<i32>(active + (<usize> activeCount << 2), slot);
  activeCount += 1;
}

/** A new stream that sends and receives nothing yet: its slot, or -1 when all are taken. */
export function streamOpen(): i32 {
  const slot = take();
  if (slot < 0) return -1;
  const s = recordOf(slot);
  memory.fill(s, 0, STREAM_BYTES);
  enlist(s, slot);
  store<i32>(s, -1, PEER);
  store<i32>(s, -1, CONFERENCE);
  store<u8>(s, 255, EVENT_SEND_PT);
  store<u8>(s, 255, EVENT_RECEIVE_PT);
  store<u32>(s, 8000, EVENT_CLOCK);
  store<u32>(s, 8000, SEND_CLOCK);
  store<u16>(s, 20, SEND_PTIME);
  store<u32>(s, 8000, RX_CLOCK);
  store<u32>(s, randomU32(), SSRC);
  store<u16>(s, <u16> (randomU32() & 0x7FFF), NEXT_SEQUENCE); // no roll-over before the peer hears us (RFC 3711 §3.3.1)
  store<u32>(s, randomU32(), LAST_TIMESTAMP);
  store<i32>(s, -1, ROUND_TRIP);
  coderReset(slot);
  return slot;
}

/** Frees the slot. The bridge and the conference must have let go of it. */
export function streamFree(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const at = load<i32>(s, ACTIVE_AT);
  activeCount -= 1;
  const moved = activeSlot(activeCount);
  store<i32>(active + (<usize> at << 2), moved);
  store<i32>(recordOf(moved), at, ACTIVE_AT);
  srtpForget(s);
  store<u8>(s, 0, IN_USE);
  store<i32>(free + (<usize> freeCount << 2), slot);
  freeCount += 1;
  return 0;
}

/** Offset of the record, to copy out before a move. -1: no such stream. */
export function streamRecord(slot: i32): i32 {
  const s = openRecord(slot);
  return s == 0 ? -1 : <i32> s;
}

/** Octets of a record. */
export function streamRecordBytes(): i32 {
  return <i32> STREAM_BYTES;
}

/**
 * Makes a new stream out of a record that the host copied to `from` out of another core: its slot, or -1. It comes
 * without bridge and conference. All workers share one clock.
 */
export function streamAdopt(from: i32): i32 {
  const slot = take();
  if (slot < 0) return -1;
  const s = recordOf(slot);
  memory.copy(s, <usize> from, STREAM_BYTES);
  memory.fill(<usize> from + SRTP_SEND_MASTER, 0, 96); // no key is left lying there
  if (!srtpAdopt(s)) {
    store<i32>(free + (<usize> freeCount << 2), slot);
    freeCount += 1;
    return -1;
  }
  enlist(s, slot);
  store<i32>(s, MODE_NONE, MODE);
  store<i32>(s, -1, PEER);
  store<i32>(s, -1, CONFERENCE);
  store<u32>(s, 0, WANTS);
  store<i32>(s, 0, SEND_SOURCE);
  store<u8>(s, 0, PLAYOUT_STARTED);
  store<u8>(s, 0, PLAYING);
  store<u32>(s, 0, PENDING);
  dtmfReset(slot);
  coderReset(slot);
  if (load<u8>(s, ACCEPT_COUNT) > <u8> ACCEPTED_MAX) store<u8>(s, 0, ACCEPT_COUNT);
  return slot;
}

/** Offset of three addresses (layout in address.ts) that the host writes for streamRemote. */
const handed: usize = memory.data(96, 16);
export function streamHanded(): i32 {
  return <i32> handed;
}

/**
 * Takes the negotiated addresses (RTP at streamHanded, then RTCP, then where signaling comes from; family 0: none). A new
 * RTP address begins to learn the source again.
 */
export function streamRemote(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const rtp = handed;
  const rtcp = handed + ADDRESS_BYTES;
  addressCopy(s + SIGNALING, handed + 2 * ADDRESS_BYTES);
  const same = addressKnown(rtp) && addressEquals(rtp, s + SDP_REMOTE);
  if (!same) {
    addressCopy(s + SDP_REMOTE, rtp);
    addressCopy(s + REMOTE, rtp);
    addressClear(s + CANDIDATE);
    addressClear(s + LOCKED);
    store<u32>(s, 0, LOCK_STATE);
    store<u32>(s, 0, CANDIDATE_COUNT);
    store<i64>(s, clockNow(), LEARNING_SINCE);
  }
  if (!same || !addressEquals(rtcp, s + SDP_RTCP)) {
    addressCopy(s + SDP_RTCP, rtcp);
    addressCopy(s + REMOTE_RTCP, rtcp);
  }
  return 0;
}

/** Flags SENDING .. DETECT_DTMF; strict 0 no, 1 yes, 2 seqno. */
export function streamFlags(slot: i32, flags: u32, strict: u32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  if ((flags & SENDING) == 0) store<i32>(s, 0, SEND_SOURCE);
  if (flags & RECEIVING && !(load<u32>(s, FLAGS) & RECEIVING)) store<i64>(s, clockNow(), TIMEOUT_SINCE);
  if (flags & DETECT_DTMF && !(load<u32>(s, FLAGS) & DETECT_DTMF)) dtmfReset(slot);
  store<u32>(s, flags, FLAGS);
  store<u32>(s, strict, STRICT);
  streamBind(s);
  return 0;
}

/** The codec we send: kind (codec.ts), payload type, packet length in ms, RTP clock in Hz. */
export function streamCodec(slot: i32, kind: i32, payloadType: i32, ptimeMs: i32, clock: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || payloadType < 0 || payloadType > 127 || clock < 1000 || kind < 0 || kind > 255) return -1;
  store<u8>(s, <u8> kind, CODEC_KIND);
  store<u8>(s, <u8> payloadType, CODEC_PT);
  store<u16>(s, <u16> min(max(ptimeMs, 10), 120), CODEC_PTIME);
  store<u32>(s, <u32> clock, CODEC_CLOCK);
  store<u64>(s, load<u64>(s, CODEC_KIND), SEND_KIND);
  store<u8>(s, 0, ACCEPT_COUNT);
  memory.fill(s + ACCEPT_MAP, 0, 128);
  return 0;
}

/** One more payload type that we accept, after streamCodec. */
export function streamAccept(slot: i32, kind: i32, payloadType: i32, ptimeMs: i32, clock: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || payloadType < 0 || payloadType > 127 || clock < 1000 || kind < 0 || kind > 255) return -1;
  const count = <i32> load<u8>(s, ACCEPT_COUNT);
  if (count >= ACCEPTED_MAX) return -1;
  const entry = s + ACCEPTED + <usize> count * 8;
  store<u8>(entry, <u8> kind);
  store<u8>(entry, <u8> payloadType, 1);
  store<u16>(entry, <u16> min(max(ptimeMs, 10), 120), 2);
  store<u32>(entry, <u32> clock, 4);
  store<u8>(s, <u8> (count + 1), ACCEPT_COUNT);
  store<u8>(s + ACCEPT_MAP + payloadType, <u8> (count + 1));
  return 0;
}

/** telephone-event payload types, 255 for none. */
export function streamEvents(slot: i32, send: i32, receive: i32, clock: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || clock < 1000) return -1;
  store<u8>(s, <u8> send, EVENT_SEND_PT);
  store<u8>(s, <u8> receive, EVENT_RECEIVE_PT);
  store<u32>(s, <u32> clock, EVENT_CLOCK);
  return 0;
}

/** Seconds without a packet until a timeout, seconds of silence until a keep-alive (0: off), RTCP interval in ms. */
export function streamTimers(slot: i32, timeoutSeconds: u32, keepaliveSeconds: u32, rtcpIntervalMs: u32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  const now = clockNow();
  if (load<u32>(s, TIMEOUT_SECONDS) != timeoutSeconds) {
    store<u32>(s, timeoutSeconds, TIMEOUT_SECONDS);
    store<i64>(s, now, TIMEOUT_SINCE);
    store<u8>(s, 0, TIMED_OUT);
  }
  if (load<u32>(s, KEEPALIVE_SECONDS) != keepaliveSeconds) {
    store<u32>(s, keepaliveSeconds, KEEPALIVE_SECONDS);
    store<i64>(s, now, KEEPALIVE_AT);
  }
  const interval = min(max(rtcpIntervalMs, 500), 60000);
  if (load<u32>(s, RTCP_INTERVAL) != interval) {
    store<u32>(s, interval, RTCP_INTERVAL);
    // RFC 3550 §6.2: the first report after half an interval
    store<i64>(s, now + <i64> (interval / 2) * <i64> (500 + randomBelow(1001)), RTCP_NEXT_AT);
  }
  return 0;
}

/** Offset where the host writes up to 64 octets of CNAME. */
export function streamCname(slot: i32, octets: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || octets < 0 || octets > 64) return -1;
  store<u8>(s, <u8> octets, CNAME_OCTETS);
  return <i32> (s + CNAME);
}

/** Recomputes what a received packet goes through. */
export function streamBind(s: usize): void {
  const mode = load<i32>(s, MODE);
  let wants: u32 = 0;
  if (mode == MODE_BRIDGE || mode == MODE_ECHO) wants |= WANT_RELAY;
  if (mode == MODE_CONFERENCE || load<u8>(s, RECORDING) != 0 || load<u32>(s, FLAGS) & DETECT_DTMF) {
    wants |= WANT_SAMPLES;
  }
  store<u32>(s, wants, WANTS);
}

export function count(s: usize, field: usize): void {
  store<u32>(s + field, load<u32>(s + field) + 1);
}
