// AES (FIPS 197) in counter mode. Nothing is looked up at an address that depends on key or data, so time tells nothing:
// a byte is a pair of nibbles of the field GF(2^8) over GF(2^4), and an inverse there is five tables of 16 entries
// (swizzle) and five additions (M. Hamburg, "Accelerating AES with vector permute instructions", CHES 2009).
//
//   X = k + i·BETA;   j = i + k;   io = 1 / (1/i + A/k) + j;   jo = 1 / (1/j + A/k) + i;   1/X = U(io) + T(jo)
//
// A nibble of 128 or more is infinity: swizzle answers 0 for it, which is its inverse; the relaxed form does, too, and no
// index here lies between 16 and 127. The state stays in this form
// between the rounds; round keys are kept in it, with the 0x63 of the S-box in them.

const G: u32 = 92; // a root of x^4 + x + 1: its powers are GF(2^4)
const A: u32 = 2; // in nibbles
const BETA: u32 = 178; // found by trial with G and A: U and T exist for 16 of all choices

/** Octets of an expanded key: rounds u32, 12 unused, round keys. */
export const AES_BYTES: usize = 256;
const KEYS: usize = 16;

const tables: usize = memory.data(240, 16);
const INVERSE: usize = 0;
const A_OVER: usize = 16;
const INTO_LOW: usize = 32; // octet -> pair of nibbles
const INTO_HIGH: usize = 48;
const ONCE_U: usize = 64; // S-box without its constant, as a pair of nibbles
const ONCE_T: usize = 80;
const TWICE_U: usize = 96; // two times that
const TWICE_T: usize = 112;
const LAST_U: usize = 128; // S-box without its constant, as an octet
const LAST_T: usize = 144;
const ROWS: usize = 160; // ShiftRows, and with it the column turned by 1, 2, 3
const TURN_1: usize = 176;
const TURN_2: usize = 192;
const TURN_3: usize = 208;
const FIFTEENS: usize = 224;
const INFINITE: u8 = 0x80;

const schedule: usize = memory.data(240, 16);
const tail: usize = memory.data(16, 16);

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function product(a: u32, b: u32): u32 {
  let sum: u32 = 0;
  for (let bit: u32 = b; bit != 0; bit >>= 1) {
    if (bit & 1) sum ^= a;
    a <<= 1;
    if (a & 256) a ^= 0x11B;
  }
  return sum;
}

function inverse(a: u32): u32 {
  let power = a; // a^254
  for (let i = 0; i < 6; i++) power = product(product(power, power), a);
  return product(power, power);
}

/** The member of GF(2^8) that a nibble of GF(2^4) is. */
function member(nibble: u32): u32 {
  let sum: u32 = 0;
  let power: u32 = 1;
  for (let bit = 0; bit < 4; bit++, power = product(power, G)) if ((nibble >> bit) & 1) sum ^= power;
  return sum;
}

function nibbleOf(octet: u32): u32 {
  for (let n: u32 = 0; n < 16; n++) if (member(n) == octet) return n;
  return <u32> INFINITE;
}

/** k + i·BETA for the pair i << 4 | k, and back. */
function octetOf(pair: u32): u32 {
  return member(pair & 15) ^ product(member(pair >> 4), BETA);
}

function pairOf(octet: u32): u32 {
  for (let pair: u32 = 0; pair < 256; pair++) if (octetOf(pair) == octet) return pair;
  return 0;
}

/** The linear part of the S-box (FIPS 197 §5.1.1). */
function affine(x: u32): u32 {
  return (x ^ (x << 1) ^ (x << 2) ^ (x << 3) ^ (x << 4) ^ (x >> 7) ^ (x >> 6) ^ (x >> 5) ^ (x >> 4)) & 255;
}

/** 1/n; infinity for 0, and 0 for infinity. */
function nibbleInverse(n: u32): u32 {
  return n == 0 ? <u32> INFINITE : n > 15 ? 0 : nibbleOf(inverse(member(n)));
}

let filled: bool = false;

function fill(): void {
  v128.store(tables, i8x16.splat(15), FIFTEENS);
  filled = true;
  for (let n: u32 = 0; n < 16; n++) {
    const at = tables + <usize> n;
    store<u8>(at, <u8> nibbleInverse(n), INVERSE);
    store<u8>(at, n == 0 ? INFINITE : <u8> nibbleOf(product(member(A), inverse(member(n)))), A_OVER);
    store<u8>(at, <u8> pairOf(n), INTO_LOW);
    store<u8>(at, <u8> pairOf(n << 4), INTO_HIGH);
    const row = n & 3;
    const column = n >> 2;
    for (let turn: u32 = 0; turn < 4; turn++) {
      const from = (row + turn) & 3;
      store<u8>(at + ROWS + <usize> turn * 16, <u8> (from + (((column + from) & 3) << 2)));
    }
  }
  for (let pair: u32 = 1; pair < 256; pair++) {
    const i = pair >> 4;
    const k = pair & 15;
    const a = <u32> load<u8>(tables + k, A_OVER);
    const io = nibbleInverse(nibbleInverse(i) ^ a) ^ (i ^ k);
    const jo = nibbleInverse(nibbleInverse(i ^ k) ^ a) ^ i;
    const x = affine(inverse(octetOf(pair)));
    if (jo == 0 || jo > 15) put(<usize> io, ONCE_U, TWICE_U, LAST_U, x); // T is 0 there
    if (io == 0 || io > 15) put(<usize> jo, ONCE_T, TWICE_T, LAST_T, x);
  }
}

function put(nibble: usize, once: usize, twice: usize, last: usize, x: u32): void {
  if (nibble > 15) return;
  store<u8>(tables + once + nibble, <u8> pairOf(x));
  store<u8>(tables + twice + nibble, <u8> pairOf(product(x, 2)));
  store<u8>(tables + last + nibble, <u8> x);
}

// @ts-ignore: decorator
@inline
function low(x: v128): v128 {
  return v128.and(x, v128.load(tables, FIFTEENS));
}

// @ts-ignore: decorator
@inline
function high(x: v128): v128 {
  return v128.and(i16x8.shr_u(x, 4), v128.load(tables, FIFTEENS));
}

// @ts-ignore: decorator
@inline
function into(x: v128): v128 {
  return v128.xor(pick(v128.load(tables, INTO_LOW), low(x)), pick(v128.load(tables, INTO_HIGH), high(x)));
}

// @ts-ignore: decorator
@inline
function pick(from: v128, index: v128): v128 {
  return i8x16.relaxed_swizzle(from, index);
}

/** A middle round: SubBytes, ShiftRows, MixColumns, AddRoundKey. */
// @ts-ignore: decorator
@inline
function round(x: v128, key: v128): v128 {
  const inverses = v128.load(tables, INVERSE);
  const k = low(x);
  const i = high(x);
  const j = v128.xor(i, k);
  const a = pick(v128.load(tables, A_OVER), k);
  const io = v128.xor(pick(inverses, v128.xor(pick(inverses, i), a)), j);
  const jo = v128.xor(pick(inverses, v128.xor(pick(inverses, j), a)), i);
  const once = v128.xor(pick(v128.load(tables, ONCE_U), io), pick(v128.load(tables, ONCE_T), jo));
  const twice = v128.xor(pick(v128.load(tables, TWICE_U), io), pick(v128.load(tables, TWICE_T), jo));
  return v128.xor(
    v128.xor(v128.xor(key, pick(twice, v128.load(tables, ROWS))), pick(v128.xor(once, twice), v128.load(tables, TURN_1))),
    v128.xor(pick(once, v128.load(tables, TURN_2)), pick(once, v128.load(tables, TURN_3))),
  );
}

/** SubBytes without its constant, as octets. */
// @ts-ignore: decorator
@inline
function substituted(x: v128): v128 {
  const inverses = v128.load(tables, INVERSE);
  const k = low(x);
  const i = high(x);
  const j = v128.xor(i, k);
  const a = pick(v128.load(tables, A_OVER), k);
  const io = v128.xor(pick(inverses, v128.xor(pick(inverses, i), a)), j);
  const jo = v128.xor(pick(inverses, v128.xor(pick(inverses, j), a)), i);
  return v128.xor(pick(v128.load(tables, LAST_U), io), pick(v128.load(tables, LAST_T), jo));
}

// @ts-ignore: decorator
@inline
function last(x: v128, key: v128): v128 {
  return v128.xor(pick(substituted(x), v128.load(tables, ROWS)), key);
}

function substituteWord(word: u32): u32 {
  return <u32> i32x4.extract_lane(substituted(into(i32x4.splat(word))), 0) ^ 0x63636363;
}

/** Expands a key of 16, 24 or 32 octets (FIPS 197 §5.2) to AES_BYTES at `to`. */
export function aesExpand(to: usize, key: usize, octets: i32): void {
  if (!filled) fill();
  const words = octets >> 2;
  const rounds = words + 6;
  memory.copy(schedule, key, octets);
  let constant: u32 = 1;
  for (let w = words; w < 4 * (rounds + 1); w++) {
    let word = load<u32>(schedule + (<usize> (w - 1) << 2)); // little endian: octet 0 lies lowest
    if (w % words == 0) {
      word = substituteWord(rotr<u32>(word, 8)) ^ constant;
      constant = product(constant, 2);
    } else if (words > 6 && w % words == 4) {
      word = substituteWord(word);
    }
    store<u32>(schedule + (<usize> w << 2), load<u32>(schedule + (<usize> (w - words) << 2)) ^ word);
  }
  store<u32>(to, <u32> rounds);
  const constants = i8x16.splat(0x63);
  for (let r = 0; r <= rounds; r++) {
    let keys = v128.load(schedule + (<usize> r << 4));
    if (r != 0) keys = v128.xor(keys, constants);
    v128.store(to + KEYS + (<usize> r << 4), r == rounds ? keys : into(keys));
  }
  memory.fill(schedule, 0, 240);
}

/** The block at `from`, encrypted, to `to`. */
export function aesBlock(key: usize, to: usize, from: usize): void {
  const end = key + KEYS + (<usize> load<u32>(key) << 4);
  let at = key + KEYS;
  let x = v128.xor(into(v128.load(from)), v128.load(at));
  for (at += 16; at < end; at += 16) x = round(x, v128.load(at));
  v128.store(to, last(x, v128.load(end)));
}

// @ts-ignore: decorator
@inline
function counted(block: v128, number: u32): v128 {
  return into(i32x4.replace_lane(block, 3, <i32> bswap<u32>(number)));
}

/** Adds the key stream that begins with the block at `iv` to the octets at `data`; the last 32 bits of a block count. */
export function aesCounter(key: usize, iv: usize, data: usize, octets: i32): void {
  const first = key + KEYS;
  const end = first + (<usize> load<u32>(key) << 4);
  const block = v128.load(iv);
  let number = bswap<u32>(load<u32>(iv, 12));
  const whole = v128.load(first);
  for (; octets >= 32; octets -= 32, data += 32, number += 2) {
    let a = v128.xor(counted(block, number), whole);
    let b = v128.xor(counted(block, number + 1), whole);
    for (let at = first + 16; at < end; at += 16) {
      const k = v128.load(at);
      a = round(a, k);
      b = round(b, k);
    }
    const k = v128.load(end);
    v128.store(data, v128.xor(v128.load(data), last(a, k)));
    v128.store(data, v128.xor(v128.load(data, 16), last(b, k)), 16);
  }
  for (; octets > 0; octets -= 16, data += 16, number += 1) {
    let x = v128.xor(counted(block, number), whole);
    for (let at = first + 16; at < end; at += 16) x = round(x, v128.load(at));
    x = last(x, v128.load(end));
    if (octets >= 16) {
      v128.store(data, v128.xor(v128.load(data), x));
    } else {
      v128.store(tail, x);
      for (let i: usize = 0; i < <usize> octets; i++) store<u8>(data + i, load<u8>(data + i) ^ load<u8>(tail + i));
    }
  }
}
