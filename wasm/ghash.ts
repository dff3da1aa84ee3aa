// GHASH (NIST SP 800-38D §6.4): the universal hash of AES-GCM, without a lookup whose address depends on key or data.
// An octet is a polynomial, its highest bit x^0. Times a key, each nibble gives 17 octets: octet n of all 16 products of
// a nibble is one table, and swizzle multiplies the 16 nibbles of a block by it at once.

/** Octets of a key: for each n of 17, the products of the high nibble and of the low one. */
export const GHASH_BYTES: usize = 17 * 32;

const shifted: usize = memory.data(8 * 32, 16); // the key, 0..7 bits higher, each in 17 octets
const padded: usize = memory.data(16, 16);
const ZERO: v128 = i64x2(0, 0);

/** Expands the 16 octets at `key` to GHASH_BYTES at `to`. */
export function ghashKey(to: usize, key: usize): void {
  for (let by: u32 = 0; by < 8; by++) {
    const row = shifted + <usize> by * 32;
    let before: u32 = 0;
    for (let n: usize = 0; n < 17; n++) {
      const octet = n < 16 ? <u32> load<u8>(key + n) : 0;
      store<u8>(row + n, <u8> (((before << 8) | octet) >> by));
      before = octet;
    }
  }
  for (let n: usize = 0; n < 17; n++) {
    for (let nibble: u32 = 0; nibble < 16; nibble++) {
      let high: u32 = 0;
      let low: u32 = 0;
      for (let bit: u32 = 0; bit < 4; bit++) {
        if (((nibble >> (3 - bit)) & 1) == 0) continue;
        high ^= load<u8>(shifted + <usize> bit * 32 + n);
        low ^= load<u8>(shifted + <usize> (bit + 4) * 32 + n);
      }
      store<u8>(to + n * 32 + nibble, <u8> high);
      store<u8>(to + n * 32 + nibble, <u8> low, 16);
    }
  }
  memory.fill(shifted, 0, 256);
}

/** x times x^by modulo x^128, by 1..7; what is pushed out is the lowest bits of the last octet. */
// @ts-ignore: decorator
@inline
function pushed(x: v128, by: i32): v128 {
  const before = i8x16.shuffle(ZERO, x, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
  return v128.or(i8x16.shr_u(x, by), i8x16.shl(before, 8 - by));
}

/** The product of the block and the key. */
function times(key: usize, block: v128): v128 {
  const fifteens = i8x16.splat(15);
  const low = v128.and(block, fifteens);
  const high = v128.and(i16x8.shr_u(block, 4), fifteens);
  // Octet n of the product of block octet p belongs at n + p: from the highest n down, all move one octet on.
  let r = ZERO; // octets 0..15
  let over = ZERO; // 16..31
  for (let at = key + 16 * 32; at >= key; at -= 32) {
    over = i8x16.shuffle(r, over, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    r = i8x16.shuffle(ZERO, r, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    r = v128.xor(
      r,
      v128.xor(i8x16.relaxed_swizzle(v128.load(at), high), i8x16.relaxed_swizzle(v128.load(at, 16), low)),
    );
  }
  // x^128 = x^7 + x^2 + x + 1. What that pushes out of the last octet, 16 bits from x^128 on, comes back in the same way.
  const end = <u32> i8x16.extract_lane_u(over, 15);
  const out = ((end << 15) ^ (end << 14) ^ (end << 9)) & 0xFFFF;
  const more = out ^ (out >> 1) ^ (out >> 2) ^ (out >> 7);
  r = v128.xor(r, v128.xor(v128.xor(over, pushed(over, 1)), v128.xor(pushed(over, 2), pushed(over, 7))));
  return v128.xor(r, i16x8.replace_lane(ZERO, 0, <i16> bswap<u16>(<u16> more)));
}

/** Takes the octets, filled up with zeros to whole blocks, into the 16 octets of the sum. */
export function ghashUpdate(key: usize, sum: usize, from: usize, octets: i32): void {
  let x = v128.load(sum);
  for (; octets >= 16; octets -= 16, from += 16) x = times(key, v128.xor(x, v128.load(from)));
  if (octets > 0) {
    v128.store(padded, ZERO);
    memory.copy(padded, from, octets);
    x = times(key, v128.xor(x, v128.load(padded)));
  }
  v128.store(sum, x);
}

/** Takes the lengths of both parts: the sum is the hash now. */
export function ghashFinish(key: usize, sum: usize, associated: i32, octets: i32): void {
  v128.store(padded, ZERO);
  store<u32>(padded, bswap<u32>(<u32> associated << 3), 4);
  store<u32>(padded, bswap<u32>(<u32> octets << 3), 12);
  v128.store(sum, times(key, v128.xor(v128.load(sum), v128.load(padded))));
}
