// SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714): what a stream sends is protected, what it hears is checked and opened,
// both where the packet lies. Master keys, roll-over counters and replay windows are in the stream's record and move with
// it; the keys derived from them are here.
//
//   RTP    header | payload, encrypted | tag
//   RTCP   8 octets | encrypted | E, index | tag     (AES-GCM: the tag lies before the index)
import { AES_BYTES, aesBlock, aesCounter, aesExpand } from "./aes";
import { GHASH_BYTES, ghashFinish, ghashKey, ghashUpdate } from "./ghash";
import { hmacKey, hmacSha1 } from "./sha1";
import {
  count,
  openRecord,
  slotOf,
  SRTP_BAD,
  SRTP_HEARD,
  SRTP_KEY_OCTETS,
  SRTP_KIND,
  SRTP_RECEIVE_MASTER,
  SRTP_REPLAYED,
  SRTP_RUN_ON,
  SRTP_SEND_HIGHEST,
  SRTP_SEND_MASTER,
  SRTP_SEND_ROC,
  SRTP_SEND_RTCP,
  SRTP_SEND_SSRC,
  SRTP_SOURCES,
  SRTP_TAG,
  SRTP_USED,
  STREAMS,
} from "./stream";

export const SRTP_NONE: i32 = 0;
export const SRTP_CM: i32 = 1; // AES counter mode, HMAC-SHA1
export const SRTP_GCM: i32 = 2;

const MASTER: usize = 48; // octets of a key and its salt, at most 46
const RTCP_TAG: i32 = 10; // of HMAC-SHA1, always (RFC 3711 §5.2)
const GCM_TAG: i32 = 16;
const RTCP_HEADER: i32 = 8;
const INDEX: i32 = 4;
const ENCRYPTED: u32 = 0x80000000; // the E bit before an SRTCP index

// What is derived for one direction of RTP or RTCP.
const CIPHER: usize = 0;
const SALT: usize = AES_BYTES; // 16 octets
const AUTH: usize = SALT + 16; // HMAC or GHASH
const DERIVED: usize = AUTH + GHASH_BYTES;
const SEND: usize = 0;
const SEND_RTCP: usize = 1;
const RECEIVE: usize = 2;
const RECEIVE_RTCP: usize = 3;

// A source that is heard; the record has room for SOURCES of them.
const SOURCES: usize = 4;
const SOURCE_BYTES: usize = 64;
const SSRC: usize = 0; // u32
const KNOWN: usize = 4; // u8
const SURE: usize = 5; // u8: a packet under this key has confirmed ROC
const HIGHEST: usize = 6; // u16
const ROC: usize = 8; // u32
const RTCP_INDEX: usize = 12; // u32, highest, + 1; 0: none yet
const USED: usize = 16; // u32, when, in turns
const WINDOW: usize = 24; // u64 × 2, bit n: highest - n was received
const RTCP_WINDOW: usize = 40;
const WINDOW_BITS: u64 = 128;
const EARLY: u32 = 0x4000; // a first packet below this may come after a roll-over that nobody heard

const derived: usize = memory.data(STREAMS * 4 * <i32> DERIVED, 16);
const staged: usize = memory.data(2 * <i32> MASTER, 16);
const joined: usize = memory.data(64, 16); // master key and salt
const expanded: usize = memory.data(<i32> AES_BYTES, 16);
const block: usize = memory.data(16, 16);
const secret: usize = memory.data(32, 16);
const digest: usize = memory.data(32, 16);
const tagged: usize = memory.data(32, 16);
const associated: usize = memory.data(16, 16);

function keysOf(s: usize, which: usize): usize {
  return derived + (<usize> slotOf(s) * 4 + which) * DERIVED;
}

function possible(kind: i32, keyOctets: i32, tag: i32): bool {
  if (kind == SRTP_NONE) return true;
  if (kind == SRTP_GCM) return (keyOctets == 16 || keyOctets == 32) && tag == GCM_TAG;
  return kind == SRTP_CM && (keyOctets == 16 || keyOctets == 24 || keyOctets == 32) && (tag == 4 || tag == 10);
}

/** Offset where the host writes two master keys, each with its salt after it, in 48 octets: to send, to receive. */
export function streamKeys(): i32 {
  return <i32> staged;
}

/**
 * Takes the staged keys, and forgets them there. Kind 0 plain, 1 AES-CM with HMAC-SHA1, 2 AES-GCM; octets of a key; octets of
 * the tag of RTP. A key that is the same as before goes on with its counters; a new one keeps the roll-over counter (RFC
 * 3711 §3.3.1), although a peer may begin again at 0.
 */
export function streamSrtp(slot: i32, kind: i32, keyOctets: i32, tag: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || !possible(kind, keyOctets, tag)) return -1;
  const same = <i32> load<u8>(s, SRTP_KIND) == kind && <i32> load<u8>(s, SRTP_KEY_OCTETS) == keyOctets;
  store<u8>(s, <u8> kind, SRTP_KIND);
  store<u8>(s, <u8> keyOctets, SRTP_KEY_OCTETS);
  store<u8>(s, <u8> tag, SRTP_TAG);
  const octets = kind == SRTP_NONE ? 0 : keyOctets + (kind == SRTP_GCM ? 12 : 14);
  memory.fill(staged + octets, 0, MASTER - octets);
  memory.fill(staged + MASTER + octets, 0, MASTER - octets);
  if (!same || memory.compare(staged, s + SRTP_SEND_MASTER, MASTER) != 0) {
    memory.copy(s + SRTP_SEND_MASTER, staged, MASTER);
    derive(s, SEND);
  }
  if (!same || memory.compare(staged + MASTER, s + SRTP_RECEIVE_MASTER, MASTER) != 0) {
    memory.copy(s + SRTP_RECEIVE_MASTER, staged + MASTER, MASTER);
    derive(s, RECEIVE);
    store<u8>(s, 0, SRTP_HEARD);
    for (let i: usize = 0; i < SOURCES; i++) {
      const e = s + SRTP_SOURCES + i * SOURCE_BYTES;
      store<u8>(e, 0, SURE);
      store<u32>(e, 0, RTCP_INDEX);
      memory.fill(e + WINDOW, 0, 32);
    }
  }
  memory.fill(staged, 0, 2 * MASTER);
  return 0;
}

/** After the record came from another core: false when it holds what cannot be. */
export function srtpAdopt(s: usize): bool {
  const kind = <i32> load<u8>(s, SRTP_KIND);
  if (!possible(kind, <i32> load<u8>(s, SRTP_KEY_OCTETS), <i32> load<u8>(s, SRTP_TAG))) return false;
  derive(s, SEND);
  derive(s, RECEIVE);
  return true;
}

/** Leaves no key behind. */
export function srtpForget(s: usize): void {
  if (load<u8>(s, SRTP_KIND) == 0) return;
  memory.fill(keysOf(s, 0), 0, 4 * DERIVED);
  memory.fill(s + SRTP_SEND_MASTER, 0, 2 * MASTER);
}

/**
 * The keys of RTP and RTCP of one direction (RFC 3711 §4.3; the derivation rate is 0). With a key of 24 octets RFC 6188
 * derives by AES-192; libsrtp takes AES-256 and lets the key run on into the salt. The peer's first packet tells.
 */
function derive(s: usize, direction: usize): void {
  const kind = <i32> load<u8>(s, SRTP_KIND);
  if (kind == SRTP_NONE) {
    memory.fill(keysOf(s, direction), 0, 2 * DERIVED);
    return;
  }
  const octets = <i32> load<u8>(s, SRTP_KEY_OCTETS);
  const master = s + (direction == SEND ? SRTP_SEND_MASTER : SRTP_RECEIVE_MASTER);
  memory.fill(joined, 0, 64);
  memory.copy(joined, master, octets + (kind == SRTP_GCM ? 12 : 14));
  const own = load<u8>(s, SRTP_RUN_ON) != 0 && octets == 24 ? 32 : octets;
  const salt = joined + own;
  aesExpand(expanded, joined, own);
  for (let rtcp: usize = 0; rtcp < 2; rtcp++) {
    const keys = keysOf(s, direction + rtcp);
    const label = <u32> rtcp * 3;
    random(label, salt, octets);
    aesExpand(keys + CIPHER, secret, octets);
    random(label + 2, salt, 16);
    memory.copy(keys + SALT, secret, kind == SRTP_GCM ? 12 : 14);
    memory.fill(keys + SALT + (kind == SRTP_GCM ? 12 : 14), 0, kind == SRTP_GCM ? 4 : 2);
    if (kind == SRTP_GCM) {
      memory.fill(block, 0, 16);
      aesBlock(keys + CIPHER, secret, block);
      ghashKey(keys + AUTH, secret);
    } else {
      random(label + 1, salt, 20);
      hmacKey(keys + AUTH, secret, 20);
    }
  }
  memory.fill(joined, 0, 64);
  memory.fill(expanded, 0, AES_BYTES);
  memory.fill(secret, 0, 32);
}

/** AES-CM pseudo-random octets of a label, to `secret`. A salt shorter than 14 octets has zeros after it. */
function random(label: u32, salt: usize, octets: i32): void {
  memory.copy(block, salt, 14);
  store<u16>(block, 0, 14);
  store<u8>(block, load<u8>(block, 7) ^ <u8> label, 7);
  memory.fill(secret, 0, 32);
  aesCounter(expanded, block, secret, octets);
}

/** The first counter block of AES-CM: the salt, SSRC at octet 4, a 48-bit index at octet 8 (RFC 3711 §4.1.1). */
function counterBlock(keys: usize, ssrc: u32, high: u32, low: u32): void {
  v128.store(block, v128.load(keys + SALT));
  store<u32>(block, load<u32>(block, 4) ^ bswap<u32>(ssrc), 4);
  store<u32>(block, load<u32>(block, 8) ^ bswap<u32>(high), 8);
  store<u16>(block, load<u16>(block, 12) ^ bswap<u16>(<u16> low), 12);
}

/** That of AES-GCM: SSRC at octet 2, the index at octet 6, of 12 (RFC 7714 §8.1, §9.1), and a counter. */
function counterBlockGcm(keys: usize, ssrc: u32, high: u32, low: u32, counter: u32): void {
  v128.store(block, v128.load(keys + SALT));
  store<u32>(block, load<u32>(block, 2) ^ bswap<u32>(ssrc), 2);
  store<u32>(block, load<u32>(block, 6) ^ bswap<u32>(high), 6);
  store<u16>(block, load<u16>(block, 10) ^ bswap<u16>(<u16> low), 10);
  store<u32>(block, bswap<u32>(counter), 12);
}

/** The tag of AES-GCM over associated data and ciphertext, to `digest`; the counter block with counter 1 is in `block`. */
function gcmTag(keys: usize, data: usize, dataOctets: i32, cipher: usize, octets: i32): void {
  v128.store(digest, i64x2(0, 0));
  ghashUpdate(keys + AUTH, digest, data, dataOctets);
  ghashUpdate(keys + AUTH, digest, cipher, octets);
  ghashFinish(keys + AUTH, digest, dataOctets, octets);
  aesCounter(keys + CIPHER, block, digest, GCM_TAG);
}

/** Without an early end, so that time tells nothing. */
function sameTag(a: usize, b: usize, octets: i32): bool {
  let difference: u32 = 0;
  for (let i: usize = 0; i < <usize> octets; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);
  return difference == 0;
}

/** The roll-over counter of a packet, from the highest sequence number so far (RFC 3711 appendix A). */
function rollOver(roc: u32, highest: u16, sequence: u16): u32 {
  if (highest < 0x8000) return <i32> sequence - <i32> highest > 0x8000 && roc != 0 ? roc - 1 : roc;
  return <i32> highest - 0x8000 > <i32> sequence ? roc + 1 : roc;
}

/** Protects a packet that goes out: its octets now; 0: the key has served its time (RFC 3711 §9.2). */
export function srtpProtect(s: usize, packet: usize, header: i32, payload: i32): i32 {
  const sequence = bswap<u16>(load<u16>(packet, 2));
  const ssrc = bswap<u32>(load<u32>(packet, 8));
  if (load<u8>(s, SRTP_USED) == 0 || load<u32>(s, SRTP_SEND_SSRC) != ssrc) {
    store<u8>(s, 1, SRTP_USED);
    store<u32>(s, ssrc, SRTP_SEND_SSRC);
    store<u32>(s, 0, SRTP_SEND_ROC);
    store<u16>(s, sequence, SRTP_SEND_HIGHEST);
  }
  const before = load<u32>(s, SRTP_SEND_ROC);
  const highest = load<u16>(s, SRTP_SEND_HIGHEST);
  const roc = rollOver(before, highest, sequence);
  if (roc == 0 && before == 0xFFFFFFFF) return 0;
  if (roc == before + 1 || (roc == before && sequence > highest)) {
    store<u32>(s, roc, SRTP_SEND_ROC);
    store<u16>(s, sequence, SRTP_SEND_HIGHEST);
  }
  const keys = keysOf(s, SEND);
  const octets = header + payload;
  if (load<u8>(s, SRTP_KIND) == <u8> SRTP_GCM) {
    counterBlockGcm(keys, ssrc, roc, sequence, 2);
    aesCounter(keys + CIPHER, block, packet + header, payload);
    store<u32>(block, bswap<u32>(1), 12);
    gcmTag(keys, packet, header, packet + header, payload);
    memory.copy(packet + octets, digest, GCM_TAG);
    return octets + GCM_TAG;
  }
  counterBlock(keys, ssrc, roc, sequence);
  aesCounter(keys + CIPHER, block, packet + header, payload);
  store<u32>(packet + octets, bswap<u32>(roc));
  hmacSha1(keys + AUTH, digest, packet, octets + 4);
  const tag = <i32> load<u8>(s, SRTP_TAG);
  memory.copy(packet + octets, digest, tag);
  return octets + tag;
}

/** Octets of an RTP header with CSRC and extension; more than `octets` when it does not fit. */
function headerOf(packet: usize, octets: i32): i32 {
  const first = <i32> load<u8>(packet);
  const header = 12 + ((first & 15) << 2);
  if ((first & 0x10) == 0 || header + 4 > octets) return (first & 0x10) == 0 ? header : octets + 1;
  return header + 4 + (<i32> bswap<u16>(load<u16>(packet + header, 2)) << 2);
}

/** Whether the tag is that of the packet under this roll-over counter. Nothing is changed. */
function authentic(s: usize, packet: usize, header: i32, octets: i32, roc: u32): bool {
  const keys = keysOf(s, RECEIVE);
  const tag = <i32> load<u8>(s, SRTP_TAG);
  const at = packet + octets - tag;
  if (load<u8>(s, SRTP_KIND) == <u8> SRTP_GCM) {
    const ssrc = bswap<u32>(load<u32>(packet, 8));
    counterBlockGcm(keys, ssrc, roc, bswap<u16>(load<u16>(packet, 2)), 1);
    gcmTag(keys, packet, header, packet + header, octets - tag - header);
    return sameTag(digest, at, tag);
  }
  v128.store(tagged, v128.load(at)); // the counter takes its place while the sum is made
  store<u32>(at, bswap<u32>(roc));
  hmacSha1(keys + AUTH, digest, packet, octets - tag + 4);
  v128.store(at, v128.load(tagged));
  return sameTag(digest, at, tag);
}

/** What is known of a source, 0: nothing. */
function sourceOf(s: usize, ssrc: u32): usize {
  for (let i: usize = 0; i < SOURCES; i++) {
    const e = s + SRTP_SOURCES + i * SOURCE_BYTES;
    if (load<u8>(e, KNOWN) != 0 && load<u32>(e, SSRC) == ssrc) return e;
  }
  return 0;
}

/** Room for a new source whose packet was authentic: that of the one not heard for longest when there is no other. */
function newSource(s: usize, ssrc: u32): usize {
  let oldest = s + SRTP_SOURCES;
  for (let i: usize = 0; i < SOURCES; i++) {
    const e = s + SRTP_SOURCES + i * SOURCE_BYTES;
    if (load<u8>(e, KNOWN) == 0) {
      oldest = e;
      break;
    }
    if (load<u32>(e, USED) < load<u32>(oldest, USED)) oldest = e;
  }
  memory.fill(oldest, 0, SOURCE_BYTES);
  store<u32>(oldest, ssrc, SSRC);
  store<u8>(oldest, 1, KNOWN);
  touch(s, oldest);
  return oldest;
}

/** Notes that a source was heard; only a change of the source costs a turn. */
function touch(s: usize, e: usize): void {
  let latest: u32 = 0;
  for (let i: usize = 0; i < SOURCES; i++) latest = max(latest, load<u32>(s + SRTP_SOURCES + i * SOURCE_BYTES, USED));
  if (load<u32>(e, USED) != latest || latest == 0) store<u32>(e, latest + 1, USED);
}

/** Whether an index that lies `back` below the highest was not received yet. */
function fresh(window: usize, back: u64): bool {
  if (back >= WINDOW_BITS) return false;
  return (load<u64>(window + (back < 64 ? 0 : 8)) >> (back & 63) & 1) == 0;
}

/** Marks an index: `ahead` of the highest, or, when that is not above 0, that far back. */
function mark(window: usize, ahead: i64): void {
  if (ahead <= 0) {
    const back = <u64> -ahead;
    const word = window + (back < 64 ? 0 : 8);
    store<u64>(word, load<u64>(word) | (<u64> 1 << (back & 63)));
    return;
  }
  const low = load<u64>(window);
  const high = load<u64>(window, 8);
  const by = <u64> min<i64>(ahead, 128);
  store<u64>(window, (by < 64 ? low << by : 0) | 1);
  store<u64>(window, by < 64 ? (high << by) | (low >> (64 - by)) : by < 128 ? low << (by - 64) : 0, 8);
}

function bad(s: usize): i32 {
  count(s, SRTP_BAD);
  return -1;
}

function otherDerivation(s: usize): void {
  store<u8>(s, load<u8>(s, SRTP_RUN_ON) ^ 1, SRTP_RUN_ON);
  derive(s, SEND);
  derive(s, RECEIVE);
}

/** Checks and opens a received packet: its octets without the tag; -1: dropped, and counted. */
export function srtpReceive(s: usize, packet: usize, octets: i32): i32 {
  const tag = <i32> load<u8>(s, SRTP_TAG);
  if (octets < 12 + tag) return bad(s);
  const header = headerOf(packet, octets - tag);
  if (header > octets - tag) return bad(s);
  const sequence = bswap<u16>(load<u16>(packet, 2));
  const ssrc = bswap<u32>(load<u32>(packet, 8));
  let e = sourceOf(s, ssrc);
  const sure = e != 0 && load<u8>(e, SURE) != 0;
  let roc: u32 = e == 0 ? 0 : rollOver(load<u32>(e, ROC), load<u16>(e, HIGHEST), sequence);
  let ahead: i64 = 0;
  if (sure) {
    ahead = (<i64> roc << 16 | <i64> sequence) - (<i64> load<u32>(e, ROC) << 16 | <i64> load<u16>(e, HIGHEST));
    if (ahead <= 0 && !fresh(e + WINDOW, <u64> -ahead)) {
      count(s, SRTP_REPLAYED);
      return -1;
    }
    if (!authentic(s, packet, header, octets, roc)) return bad(s);
  } else if (!authentic(s, packet, header, octets, roc)) {
    // Where the counter stands is not known for sure: it may have begun at 0 with the key, or turned over unheard.
    if (roc != 0 && authentic(s, packet, header, octets, 0)) roc = 0;
    else if (roc == 0 && <u32> sequence < EARLY && authentic(s, packet, header, octets, 1)) roc = 1;
    else if (load<u8>(s, SRTP_KEY_OCTETS) != 24 || load<u8>(s, SRTP_HEARD) != 0) return bad(s);
    else {
      otherDerivation(s);
      if (!authentic(s, packet, header, octets, roc)) {
        otherDerivation(s);
        return bad(s);
      }
    }
  }
  if (e == 0) e = newSource(s, ssrc);
  else touch(s, e);
  if (!sure || ahead > 0) {
    store<u32>(e, roc, ROC);
    store<u16>(e, sequence, HIGHEST);
  }
  mark(e + WINDOW, sure ? ahead : 128);
  store<u8>(e, 1, SURE);
  store<u8>(s, 1, SRTP_HEARD);
  const keys = keysOf(s, RECEIVE);
  if (load<u8>(s, SRTP_KIND) == <u8> SRTP_GCM) counterBlockGcm(keys, ssrc, roc, sequence, 2);
  else counterBlock(keys, ssrc, roc, sequence);
  aesCounter(keys + CIPHER, block, packet + header, octets - tag - header);
  return octets - tag;
}

/** Protects a compound RTCP packet: its octets now; 0: the key has served its time. */
export function srtcpProtect(s: usize, packet: usize, octets: i32): i32 {
  const index = load<u32>(s, SRTP_SEND_RTCP);
  if (index >= ENCRYPTED) return 0;
  store<u32>(s, index + 1, SRTP_SEND_RTCP);
  const keys = keysOf(s, SEND_RTCP);
  const ssrc = bswap<u32>(load<u32>(packet, 4));
  const body = packet + RTCP_HEADER;
  const word = bswap<u32>(ENCRYPTED | index);
  if (load<u8>(s, SRTP_KIND) == <u8> SRTP_GCM) {
    counterBlockGcm(keys, ssrc, index >> 16, index, 2);
    aesCounter(keys + CIPHER, block, body, octets - RTCP_HEADER);
    store<u64>(associated, load<u64>(packet));
    store<u32>(associated, word, 8);
    store<u32>(block, bswap<u32>(1), 12);
    gcmTag(keys, associated, RTCP_HEADER + INDEX, body, octets - RTCP_HEADER);
    memory.copy(packet + octets, digest, GCM_TAG);
    store<u32>(packet + octets + GCM_TAG, word);
    return octets + GCM_TAG + INDEX;
  }
  counterBlock(keys, ssrc, index >> 16, index);
  aesCounter(keys + CIPHER, block, body, octets - RTCP_HEADER);
  store<u32>(packet + octets, word);
  hmacSha1(keys + AUTH, digest, packet, octets + INDEX);
  memory.copy(packet + octets + INDEX, digest, RTCP_TAG);
  return octets + INDEX + RTCP_TAG;
}

/** Checks and opens a received RTCP packet: its octets without index and tag; -1: dropped, and counted. */
export function srtcpReceive(s: usize, packet: usize, octets: i32): i32 {
  const gcm = load<u8>(s, SRTP_KIND) == <u8> SRTP_GCM;
  const tag = gcm ? GCM_TAG : RTCP_TAG;
  const plain = octets - INDEX - tag;
  if (plain < RTCP_HEADER) return bad(s);
  const word = bswap<u32>(load<u32>(packet + (gcm ? octets - INDEX : plain)));
  if ((word & ENCRYPTED) == 0) return bad(s); // not what was agreed on
  const index = word & ~ENCRYPTED;
  const ssrc = bswap<u32>(load<u32>(packet, 4));
  const body = packet + RTCP_HEADER;
  let e = sourceOf(s, ssrc);
  const next = e == 0 ? 0 : load<u32>(e, RTCP_INDEX);
  const ahead = <i64> index - (<i64> next - 1);
  if (next != 0 && ahead <= 0 && !fresh(e + RTCP_WINDOW, <u64> -ahead)) {
    count(s, SRTP_REPLAYED);
    return -1;
  }
  const keys = keysOf(s, RECEIVE_RTCP);
  if (gcm) {
    counterBlockGcm(keys, ssrc, index >> 16, index, 1);
    store<u64>(associated, load<u64>(packet));
    store<u32>(associated, bswap<u32>(word), 8);
    gcmTag(keys, associated, RTCP_HEADER + INDEX, body, plain - RTCP_HEADER);
    if (!sameTag(digest, packet + plain, tag)) return bad(s);
  } else {
    hmacSha1(keys + AUTH, digest, packet, plain + INDEX);
    if (!sameTag(digest, packet + plain + INDEX, tag)) return bad(s);
  }
  if (e == 0) e = newSource(s, ssrc);
  mark(e + RTCP_WINDOW, next == 0 ? 128 : ahead);
  if (next == 0 || ahead > 0) store<u32>(e, index + 1, RTCP_INDEX);
  if (gcm) counterBlockGcm(keys, ssrc, index >> 16, index, 2);
  else counterBlock(keys, ssrc, index >> 16, index);
  aesCounter(keys + CIPHER, block, body, plain - RTCP_HEADER);
  return plain;
}
