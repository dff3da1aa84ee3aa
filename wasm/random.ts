// xorshift128+, seeded by the host from the kernel's generator: SSRCs, first sequence numbers, RTCP intervals.

let low: u64 = 0x9E3779B97F4A7C15;
let high: u64 = 0xBF58476D1CE4E5B9;

/** Seeds the generator with 128 bits, once, before the first stream. */
export function randomSeed(a: u32, b: u32, c: u32, d: u32): void {
  low = (<u64> a << 32) | <u64> b | 1;
  high = (<u64> c << 32) | <u64> d;
}

export function randomU32(): u32 {
  let x = low;
  const y = high;
  low = y;
  x ^= x << 23;
  high = x ^ y ^ (x >> 17) ^ (y >> 26);
  return <u32> ((high + y) >> 32);
}

/** Uniform in 0 .. bound - 1. */
export function randomBelow(bound: u32): u32 {
  return <u32> ((<u64> randomU32() * <u64> bound) >> 32);
}
