// What the host has to send before it hands in more: entries of 16 octets
//   u32 stream slot << 1 | (1: from the RTCP port) | u32 offset | u32 octets | u32 offset of the address
// A packet made on the tick lives in a cell of the arena; a relayed one stays where it was received.

const ENTRIES: i32 = 12288;
const CELLS: i32 = 12288;
const CELL_BYTES: usize = 1536;

const entries: usize = memory.data(ENTRIES * 16, 16);
const cells: usize = memory.data(CELLS * <i32> CELL_BYTES, 16);

let queued: i32 = 0;
let cellsUsed: i32 = 0;
let overflowed: u32 = 0;

/** Offset of the entries. */
export function outboxEntries(): i32 {
  return <i32> entries;
}

/** Number of entries that wait. */
export function outboxCount(): i32 {
  return queued;
}

/** The host has sent, or copied, everything. */
export function outboxClear(): void {
  queued = 0;
  cellsUsed = 0;
}

/** Packets that found no room, since the start. */
export function outboxOverflowed(): u32 {
  return overflowed;
}

/** A place for a packet of up to 1,536 octets; 0 when there is none. */
export function outboxCell(): usize {
  if (cellsUsed >= CELLS) {
    overflowed += 1;
    return 0;
  }
  const at = cells + <usize> cellsUsed * CELL_BYTES;
  cellsUsed += 1;
  return at;
}

/** 1 when queued, 0 when there is no room. */
export function outboxQueue(slot: i32, rtcp: i32, packet: usize, octets: i32, address: usize): i32 {
  if (queued >= ENTRIES) {
    overflowed += 1;
    return 0;
  }
  const entry = entries + <usize> queued * 16;
  store<u32>(entry, <u32> ((slot << 1) | rtcp));
  store<u32>(entry, <u32> packet, 4);
  store<u32>(entry, <u32> octets, 8);
  store<u32>(entry, <u32> address, 12);
  queued += 1;
  return 1;
}
