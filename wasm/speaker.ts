// What is generated here becomes packets: frames of 20 ms are encoded and cut into packets of the negotiated length.
import { codecIsDecoded } from "./codec";
import { coderEncode } from "./coder";
import { outboxCell } from "./outbox";
import { RTP_HEADER, rtpNextMarker, rtpNextTimestamp, rtpSend } from "./rtp";
import { LAST_TIMESTAMP, PENDING, SEND_KIND, SEND_PT, SEND_PTIME, slotOf, STREAMS } from "./stream";

export const FRAME: u32 = 160; // samples in 20 ms at 8 kHz
const PENDING_MOST: u32 = 1280; // 120 ms and a frame

const waiting: usize = memory.data(STREAMS * 1280 * 2, 16); // i16[STREAMS][PENDING_MOST]

/** Sends the 160 samples at `frame`, at once or when a packet is full. False: the codec cannot be encoded here. */
export function speakerFrame(s: usize, frame: usize): bool {
  const kind = <i32> load<u8>(s, SEND_KIND);
  if (!codecIsDecoded(kind)) return false;
  const packet = <u32> load<u16>(s, SEND_PTIME) * 8;
  const pending = load<u32>(s, PENDING);
  if (pending == 0 && packet == FRAME) {
    emit(s, kind, frame, FRAME, 0);
    return true;
  }
  const buffer = waiting + <usize> slotOf(s) * (PENDING_MOST * 2);
  if (pending + FRAME > PENDING_MOST) {
    store<u32>(s, 0, PENDING);
    return true;
  }
  memory.copy(buffer + (pending << 1), frame, FRAME << 1);
  let length = pending + FRAME;
  let at: u32 = 0;
  while (length >= packet) {
    emit(s, kind, buffer + (at << 1), packet, at);
    at += packet;
    length -= packet;
  }
  memory.copy(buffer, buffer + (at << 1), length << 1);
  store<u32>(s, length, PENDING);
  return true;
}

/** What waits for a full packet is dropped: something else speaks now. */
export function speakerReset(s: usize): void {
  store<u32>(s, 0, PENDING);
}

/** One packet; `into` samples of this tick went into packets before it. */
function emit(s: usize, kind: i32, samples: usize, length: u32, into: u32): void {
  const cell = outboxCell();
  if (cell == 0) return;
  coderEncode(slotOf(s), kind, cell + RTP_HEADER, samples, <i32> length);
  const timestamp = into == 0 ? rtpNextTimestamp(s) : load<u32>(s, LAST_TIMESTAMP) + length;
  rtpSend(s, cell, <i32> length, into == 0 && rtpNextMarker, <i32> load<u8>(s, SEND_PT), timestamp, timestamp, length);
}
