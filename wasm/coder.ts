// A stream's way from payload to samples at 8 kHz and back, by its codec. In G.711 and in G.722 (clock 8000, RFC 3551
// §4.5.2) one octet of payload is one sample at 8 kHz and one unit of the RTP clock.
import { codecIsDecoded, G722, PCMU } from "./codec";
import { g711AlawToUlaw, g711DecodeAlaw, g711DecodeUlaw, g711EncodeAlaw, g711EncodeUlaw, g711UlawToAlaw } from "./g711";
import { g722Decode, g722Encode, g722Reset } from "./g722";
import { resampleReset, resampleRun } from "./resample";

const STREAMS: i32 = 4096;
const HEARD: i32 = 8192; // slots of the resampler from here on belong to what is heard
const SAID: i32 = 12288; // and to what is said
export const FRAME_MOST: i32 = 960; // samples of the longest packet that is decoded: 120 ms
const PART: i32 = 480; // samples at 8 kHz that go through G.722 at once

const wide: usize = memory.data(960 * 2, 16); // i16[2 * PART]
const decoded: usize = memory.data(960 * 2, 16); // i16[FRAME_MOST]
let decodedLength: i32 = 0; // samples of the packet in hand, 0: not decoded yet

/** Forgets what was coded before. */
export function coderReset(slot: i32): void {
  g722Reset(slot);
  g722Reset(STREAMS + slot);
  resampleReset(HEARD + slot);
  resampleReset(SAID + slot);
}

/** Another packet is in hand. */
export function coderNext(): void {
  decodedLength = 0;
}

/** The packet in hand as samples i16 at 8 kHz, decoded once however many ask: their number, at most FRAME_MOST. */
export function coderDecode(slot: i32, kind: i32, payload: usize, octets: i32): i32 {
  if (decodedLength > 0 || !codecIsDecoded(kind)) return decodedLength;
  const length = min(octets, FRAME_MOST);
  if (kind == G722) {
    for (let from = 0; from < length; from += PART) {
      const part = min(PART, length - from);
      g722Decode(slot, wide, payload + from, part, 1);
      resampleRun(HEARD + slot, 16000, 8000, decoded + (<usize> from << 1), wide, part << 1);
    }
  } else if (kind == PCMU) g711DecodeUlaw(decoded, payload, length);
  else g711DecodeAlaw(decoded, payload, length);
  decodedLength = length;
  return length;
}

/** Offset of the samples of the packet in hand. */
export function coderSamples(): usize {
  return decoded;
}

/** `count` samples at 8 kHz (at most 1,280) to as many octets at `to`. */
export function coderEncode(slot: i32, kind: i32, to: usize, samples: usize, count: i32): void {
  if (kind == G722) {
    for (let from = 0; from < count; from += PART) {
      const part = min(PART, count - from);
      resampleRun(SAID + slot, 8000, 16000, wide, samples + (<usize> from << 1), part);
      g722Encode(STREAMS + slot, to + from, wide, part << 1);
    }
  } else if (kind == PCMU) g711EncodeUlaw(to, samples, count);
  else g711EncodeAlaw(to, samples, count);
}

/**
 * The payload in hand, heard by `from` in `kind`, in the codec `target` that `to` says, in its place: octets. Longer packets
 * than 120 ms are cut unless both codecs are G.711.
 */
export function coderTranslate(from: i32, kind: i32, to: i32, target: i32, payload: usize, octets: i32): i32 {
  if (kind != G722 && target != G722) {
    if (kind == PCMU) g711UlawToAlaw(payload, payload, octets);
    else g711AlawToUlaw(payload, payload, octets);
    return octets;
  }
  const length = coderDecode(from, kind, payload, octets);
  coderEncode(to, target, payload, decoded, length);
  return length;
}
