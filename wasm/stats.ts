// A stream's counters as i32s in a fixed order, for the host to read at one go.
import { sequenceLost } from "./sequence";
import {
  DUPLICATES,
  FOREIGN,
  LATE,
  LOCKED,
  MALFORMED,
  OCTETS_RECEIVED,
  OCTETS_SENT,
  openRecord,
  PACKETS_RECEIVED,
  PACKETS_SENT,
  PLAYOUT_DROPPED,
  PLAYOUT_STARVED,
  REMOTE_BYES,
  REMOTE_JITTER,
  REMOTE_LOST,
  ROUND_TRIP,
  RX_CLOCK,
  RX_JITTER,
  RX_KIND,
  SEND_CLOCK,
  SRTP_BAD,
  SRTP_REPLAYED,
  UNDELIVERED,
  UNHANDLED,
  UNKNOWN_PAYLOAD,
} from "./stream";

const snapshot: usize = memory.data(32 * 4, 16);

function put(index: usize, value: i32): void {
  store<i32>(snapshot + (index << 2), value);
}

/** Offset of the snapshot, -1: no such stream. Order as in src/worker/core.ts. */
export function streamStats(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  put(0, load<i32>(s, PACKETS_RECEIVED));
  put(1, <i32> load<u64>(s, OCTETS_RECEIVED));
  put(2, <i32> (load<u64>(s, OCTETS_RECEIVED) >> 32));
  put(3, load<i32>(s, PACKETS_SENT));
  put(4, <i32> load<u64>(s, OCTETS_SENT));
  put(5, <i32> (load<u64>(s, OCTETS_SENT) >> 32));
  put(6, sequenceLost(s));
  put(7, load<i32>(s, LATE));
  put(8, load<i32>(s, DUPLICATES));
  put(9, load<i32>(s, MALFORMED));
  put(10, load<i32>(s, FOREIGN));
  put(11, load<i32>(s, UNHANDLED));
  put(12, load<i32>(s, UNKNOWN_PAYLOAD));
  put(13, load<i32>(s, UNDELIVERED));
  put(14, <i32> (<u64> (load<u32>(s, RX_JITTER) >> 4) * 1000000 / <u64> load<u32>(s, RX_CLOCK)));
  put(15, load<i32>(s, ROUND_TRIP));
  put(16, load<i32>(s, REMOTE_LOST));
  put(17, <i32> (<u64> load<u32>(s, REMOTE_JITTER) * 1000000 / <u64> max(load<u32>(s, SEND_CLOCK), 1)));
  put(18, <i32> load<u8>(s, RX_KIND));
  put(19, load<i32>(s, PLAYOUT_STARVED));
  put(20, load<i32>(s, PLAYOUT_DROPPED));
  put(21, load<i32>(s, REMOTE_BYES));
  put(22, load<i32>(s, SRTP_BAD));
  put(23, load<i32>(s, SRTP_REPLAYED));
  return <i32> snapshot;
}

/** Offset of the address the stream is locked on (family 0: not yet), -1: no such stream. */
export function streamSource(slot: i32): i32 {
  const s = openRecord(slot);
  return s == 0 ? -1 : <i32> (s + LOCKED);
}
