// The time of the batch in hand. The core reads no clock: the host sets it once per turn of its loop.

let now: i64 = 0; // monotonic microseconds
let wall: i64 = 0; // Unix microseconds at the same instant

const NTP_EPOCH: i64 = 2208988800; // seconds from 1900 to 1970

export function clockSet(monotonicMicros: f64, unixMicros: f64): void {
  now = <i64> monotonicMicros;
  wall = <i64> unixMicros;
}

/** Monotonic microseconds. */
export function clockNow(): i64 {
  return now;
}

/** Seconds of the NTP timestamp (RFC 5905 §6). */
export function clockNtpSeconds(): u32 {
  return <u32> (wall / 1000000 + NTP_EPOCH);
}

/** Fraction of the NTP timestamp, in 2^-32 s. */
export function clockNtpFraction(): u32 {
  return <u32> (((wall % 1000000) << 32) / 1000000);
}

/** Monotonic time in units of an RTP clock, mod 2^32. */
export function clockUnits(clock: u32): u32 {
  const hertz = <i64> clock;
  return <u32> (now / 1000000 * hertz + now % 1000000 * hertz / 1000000);
}
