// What the host should know: a ring of records of 16 octets, u32 kind, u32 slot, u32 a, u32 b, drained once per loop turn.

export const NOTICE_DIGIT: u32 = 1; // a: ASCII, b: ms
export const NOTICE_SOURCE: u32 = 2; // the locked source is in the stream's record
export const NOTICE_TIMEOUT: u32 = 3; // a: seconds
export const NOTICE_TALKING: u32 = 4; // a: 1 or 0
export const NOTICE_PLAYED: u32 = 5; // a: generation of the player or tone, b: 1 when it came to its end
export const NOTICE_DIGITS_SENT: u32 = 6;

const RECORDS: u32 = 4096;
const ring: usize = memory.data(4096 * 16, 16);
let count: u32 = 0;
let lost: u32 = 0;

export function noticePush(kind: u32, slot: i32, a: u32, b: u32): void {
  if (count >= RECORDS) {
    lost += 1;
    return;
  }
  const record = ring + <usize> count * 16;
  store<u32>(record, kind);
  store<u32>(record, <u32> slot, 4);
  store<u32>(record, a, 8);
  store<u32>(record, b, 12);
  count += 1;
}

export function noticeRecords(): i32 {
  return <i32> ring;
}

/** Number of records that wait; reading them empties the ring. */
export function noticeTake(): i32 {
  const waiting = count;
  count = 0;
  return <i32> waiting;
}

export function noticeLost(): u32 {
  return lost;
}
