// Whose packets we take. Until media comes the negotiated address speaks at once; another source must prove itself with
// four packets in sequence that span at least 22 ms; then the stream is locked and strangers get nothing.
import { addressClear, addressCopy, addressEquals, addressKnown, addressSameHost } from "./address";
import { clockNow } from "./clock";
import { NOTICE_SOURCE, noticePush } from "./notice";
import {
  CANDIDATE,
  CANDIDATE_AT,
  CANDIDATE_COUNT,
  CANDIDATE_SEQUENCE,
  CANDIDATE_SSRC,
  FLAGS,
  LEARNING_SINCE,
  LOCK_STATE,
  LOCKED,
  REMOTE,
  REMOTE_RTCP,
  RTCP_MUX,
  RX_HIGHEST,
  RX_SSRC,
  RX_STARTED,
  SDP_REMOTE,
  SDP_RTCP,
  SIGNALING,
  slotOf,
  STRICT,
  SYMMETRIC,
} from "./stream";

const PROBATION: u32 = 4;
const PROBATION_MICROS: i64 = 22000; // (4 - 1) * 9 - 5 ms: a flood does not pass for speech
const LEARNING_MICROS: i64 = 5000000;

function lock(s: usize, from: usize): void {
  addressCopy(s + LOCKED, from);
  store<u32>(s, 1, LOCK_STATE);
  store<u32>(s, 0, CANDIDATE_COUNT);
  addressClear(s + CANDIDATE);
  if (load<u32>(s, FLAGS) & SYMMETRIC) answerTo(s, from);
  noticePush(NOTICE_SOURCE, slotOf(s), 0, 0);
}

function answerTo(s: usize, from: usize): void {
  addressCopy(s + REMOTE, from);
  if (load<u32>(s, FLAGS) & RTCP_MUX) {
    addressCopy(s + REMOTE_RTCP, from);
  } else if (!addressSameHost(from, s + SDP_RTCP)) {
    addressCopy(s + REMOTE_RTCP, from); // until its own RTCP says better: the next port
    const port = bswap<u16>(load<u16>(from, 2));
    store<u16>(s + REMOTE_RTCP, bswap<u16>(port + 1), 2);
  }
}

/** Whether media may come from another host than was negotiated: from where signaling comes, if that is known. */
function behindNat(s: usize, from: usize): bool {
  if ((load<u32>(s, FLAGS) & SYMMETRIC) == 0) return false;
  return !addressKnown(s + SIGNALING) || addressSameHost(from, s + SIGNALING);
}

/** True when this packet makes the candidate a source: the fourth in sequence. */
function proven(s: usize, from: usize, sequence: u16, ssrc: u32): bool {
  const now = clockNow();
  const known = load<u32>(s, CANDIDATE_COUNT) != 0 && addressEquals(from, s + CANDIDATE);
  if (!known || load<u32>(s, CANDIDATE_SSRC) != ssrc || sequence != load<u16>(s, CANDIDATE_SEQUENCE)) {
    addressCopy(s + CANDIDATE, from);
    store<u32>(s, ssrc, CANDIDATE_SSRC);
    store<u32>(s, 1, CANDIDATE_COUNT);
    store<i64>(s, now, CANDIDATE_AT);
  } else {
    store<u32>(s, load<u32>(s, CANDIDATE_COUNT) + 1, CANDIDATE_COUNT);
  }
  store<u16>(s, sequence + 1, CANDIDATE_SEQUENCE);
  return load<u32>(s, CANDIDATE_COUNT) >= PROBATION && now - load<i64>(s, CANDIDATE_AT) >= PROBATION_MICROS;
}

/** Whether an RTP packet from the address at `from` may be heard. */
export function sourceAccept(s: usize, from: usize, sequence: u16, ssrc: u32): bool {
  const strict = load<u32>(s, STRICT);
  const locked = load<u32>(s, LOCK_STATE) != 0;
  if (locked && addressEquals(from, s + LOCKED)) return true;
  if (strict == 0) {
    if (!locked) {
      lock(s, from);
      return true;
    }
    addressCopy(s + LOCKED, from);
    if (load<u32>(s, FLAGS) & SYMMETRIC) answerTo(s, from);
    return true;
  }
  const negotiated = addressEquals(from, s + SDP_REMOTE);
  if (!locked) {
    if (negotiated) {
      lock(s, from);
      return true;
    }
    if (!addressSameHost(from, s + SDP_REMOTE) && !behindNat(s, from)) return false;
    if (!proven(s, from, sequence, ssrc)) return false;
    lock(s, from);
    return true;
  }
  // Locked on another: the negotiated address wins while we learn, and with seqno a source that goes on with the sequence.
  const learning = clockNow() - load<i64>(s, LEARNING_SINCE) < LEARNING_MICROS;
  const continues = strict == 2 && load<u8>(s, RX_STARTED) != 0 && ssrc == load<u32>(s, RX_SSRC) &&
    <u32> (sequence - load<u16>(s, RX_HIGHEST) - 1) % 0x10000 < 50;
  if (!(negotiated && learning) && !continues) return false;
  if (!proven(s, from, sequence, ssrc)) return false;
  lock(s, from);
  return true;
}

/** Whether RTCP from `from` may be heard: from the host of the media, or the address negotiated for RTCP. */
export function sourceAcceptRtcp(s: usize, from: usize): bool {
  if (load<u32>(s, STRICT) == 0) return true;
  const locked = load<u32>(s, LOCK_STATE) != 0;
  if (!locked) return addressSameHost(from, s + SDP_RTCP);
  if (!addressSameHost(from, s + LOCKED)) return addressEquals(from, s + SDP_RTCP);
  if (load<u32>(s, FLAGS) & SYMMETRIC && (load<u32>(s, FLAGS) & RTCP_MUX) == 0) addressCopy(s + REMOTE_RTCP, from);
  return true;
}
