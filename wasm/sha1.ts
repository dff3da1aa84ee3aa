// SHA-1 (FIPS 180-4) and HMAC-SHA1 (RFC 2104). A key is kept as the two states after its own blocks.

/** Octets of an HMAC key: the state after the inner block, that after the outer one. */
export const HMAC_BYTES: usize = 40;
const STATE: usize = 20;

const words: usize = memory.data(320, 16); // the schedule of a block
const last: usize = memory.data(128, 16); // the end of a message and its padding
const state: usize = memory.data(32, 16);

function begin(at: usize): void {
  store<u32>(at, 0x67452301);
  store<u32>(at, 0xEFCDAB89, 4);
  store<u32>(at, 0x98BADCFE, 8);
  store<u32>(at, 0x10325476, 12);
  store<u32>(at, 0xC3D2E1F0, 16);
}

// @ts-ignore: decorator
@inline
function word(t: usize): u32 {
  return load<u32>(words + (t << 2));
}

/** Takes a block of 64 octets into the state. */
function compress(h: usize, block: usize): void {
  for (let t: usize = 0; t < 64; t += 16) {
    v128.store(
      words + t,
      i8x16.shuffle(v128.load(block + t), v128.load(block + t), 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12),
    );
  }
  for (let t: usize = 16; t < 80; t += 2) {
    const at = words + (t << 2);
    store<u32>(at, rotl<u32>(load<u32>(at - 12) ^ load<u32>(at - 32) ^ load<u32>(at - 56) ^ load<u32>(at - 64), 1));
    store<u32>(at, rotl<u32>(load<u32>(at - 8) ^ load<u32>(at - 28) ^ load<u32>(at - 52) ^ load<u32>(at - 60), 1), 4);
  }
  let a = load<u32>(h);
  let b = load<u32>(h, 4);
  let c = load<u32>(h, 8);
  let d = load<u32>(h, 12);
  let e = load<u32>(h, 16);
  let t: usize = 0;
  for (; t < 20; t += 5) {
    e += rotl<u32>(a, 5) + (d ^ (b & (c ^ d))) + 0x5A827999 + word(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (c ^ (a & (b ^ c))) + 0x5A827999 + word(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (b ^ (e & (a ^ b))) + 0x5A827999 + word(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (a ^ (d & (e ^ a))) + 0x5A827999 + word(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (e ^ (c & (d ^ e))) + 0x5A827999 + word(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (; t < 40; t += 5) {
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ED9EBA1 + word(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ED9EBA1 + word(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ED9EBA1 + word(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ED9EBA1 + word(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ED9EBA1 + word(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (; t < 60; t += 5) {
    e += rotl<u32>(a, 5) + ((b & c) | (d & (b | c))) + 0x8F1BBCDC + word(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + ((a & b) | (c & (a | b))) + 0x8F1BBCDC + word(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + ((e & a) | (b & (e | a))) + 0x8F1BBCDC + word(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + ((d & e) | (a & (d | e))) + 0x8F1BBCDC + word(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + ((c & d) | (e & (c | d))) + 0x8F1BBCDC + word(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (; t < 80; t += 5) {
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xCA62C1D6 + word(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xCA62C1D6 + word(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xCA62C1D6 + word(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xCA62C1D6 + word(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xCA62C1D6 + word(t + 4);
    c = rotl<u32>(c, 30);
  }
  store<u32>(h, load<u32>(h) + a);
  store<u32>(h, load<u32>(h, 4) + b, 4);
  store<u32>(h, load<u32>(h, 8) + c, 8);
  store<u32>(h, load<u32>(h, 12) + d, 12);
  store<u32>(h, load<u32>(h, 16) + e, 16);
}

/** Takes the last octets of a message of `total` octets, padded, into the state. */
function finish(h: usize, message: usize, octets: i32, total: i32): void {
  for (; octets >= 64; octets -= 64, message += 64) compress(h, message);
  const room = octets < 56 ? 64 : 128;
  memory.copy(last, message, octets);
  memory.fill(last + octets, 0, room - octets);
  store<u8>(last + octets, 0x80);
  store<u32>(last + room - 4, bswap<u32>(<u32> total << 3));
  compress(h, last);
  if (room == 128) compress(h, last + 64);
}

/** Keeps a key of at most 64 octets as HMAC_BYTES at `to`. */
export function hmacKey(to: usize, key: usize, octets: i32): void {
  for (let part = 0; part < 2; part++) {
    const pad: u8 = part == 0 ? 0x36 : 0x5C;
    memory.fill(last, pad, 64);
    for (let i: usize = 0; i < <usize> octets; i++) store<u8>(last + i, load<u8>(key + i) ^ pad);
    const at = to + (part == 0 ? 0 : STATE);
    begin(at);
    compress(at, last);
  }
  memory.fill(last, 0, 64);
}

/** The 20 octets of HMAC-SHA1 of the message, to `to`. */
export function hmacSha1(key: usize, to: usize, message: usize, octets: i32): void {
  memory.copy(state, key, 20);
  finish(state, message, octets, 64 + octets);
  for (let i: usize = 0; i < 20; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(state + i)));
  memory.copy(state, key + STATE, 20);
  finish(state, to, 20, 84);
  for (let i: usize = 0; i < 20; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(state + i)));
}
