// G.711 both laws, eight samples at a time. The exponent of a magnitude is read off its f32 form: the eight exponent bits
// and the four mantissa bits below them are segment and step already.
//
//   octet: 7 sign · 6..4 segment · 3..0 step, all inverted (µ) or the even bits (A)

const BIAS: i32 = 132;
const CLIP: i32 = 32635;

/** One sample in µ-law (16-bit scale, bias 132, clip 32,635). */
function ulawOf(sample: i32): u32 {
  const sign: u32 = sample < 0 ? 0x80 : 0;
  const magnitude = min(sample < 0 ? -sample : sample, CLIP) + BIAS;
  const exponent = 31 - clz(magnitude);
  return ~(sign | ((<u32> exponent - 7) << 4) | ((magnitude >> (exponent - 4)) & 15)) & 0xFF;
}

/** One sample in A-law. */
function alawOf(sample: i32): u32 {
  const mask: u32 = sample < 0 ? 0x55 : 0xD5;
  const magnitude = sample < 0 ? -sample - 1 : sample;
  if (magnitude < 256) return (<u32> magnitude >> 4) ^ mask;
  const exponent = 31 - clz(magnitude);
  return (((<u32> exponent - 7) << 4) | ((magnitude >> (exponent - 4)) & 15)) ^ mask;
}

function sampleOfUlaw(octet: u32): i32 {
  const u = ~octet & 0xFF;
  const magnitude = (((u & 15) << 3) + BIAS) << ((u >> 4) & 7);
  return u & 0x80 ? BIAS - <i32> magnitude : <i32> magnitude - BIAS;
}

function sampleOfAlaw(octet: u32): i32 {
  const a = octet ^ 0x55;
  const segment = (a >> 4) & 7;
  const step = ((a & 15) << 4) + 8;
  const magnitude = segment == 0 ? step : (step + 256) << (segment - 1);
  return a & 0x80 ? <i32> magnitude : -<i32> magnitude;
}

// @ts-ignore: decorator
@inline
function ulawOf8(samples: v128): v128 {
  const sign = i16x8.shr_s(samples, 15);
  // abs(-32768) stays -32768, which min_u takes for 32768
  const magnitude = i16x8.add(i16x8.min_u(i16x8.abs(samples), i16x8.splat(<i16> CLIP)), i16x8.splat(<i16> BIAS));
  const low = i32x4.shr_u(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(magnitude)), 19);
  const high = i32x4.shr_u(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(magnitude)), 19);
  const code = i16x8.sub(i16x8.narrow_i32x4_s(low, high), i16x8.splat((127 + 7) << 4));
  return v128.not(v128.or(code, v128.and(sign, i16x8.splat(0x80))));
}

// @ts-ignore: decorator
@inline
function alawOf8(samples: v128): v128 {
  const sign = i16x8.shr_s(samples, 15);
  const magnitude = v128.xor(samples, sign); // -x - 1 for negatives
  const low = i32x4.shr_u(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(magnitude)), 19);
  const high = i32x4.shr_u(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(magnitude)), 19);
  const steep = i16x8.sub(i16x8.narrow_i32x4_s(low, high), i16x8.splat((127 + 7) << 4));
  const flat = i16x8.shr_u(magnitude, 4);
  const code = v128.bitselect(flat, steep, i16x8.lt_s(magnitude, i16x8.splat(256)));
  return v128.xor(code, v128.xor(i16x8.splat(0xD5), v128.and(sign, i16x8.splat(0x80))));
}

// @ts-ignore: decorator
@inline
function samplesOfUlaw8(octets: v128): v128 {
  const u = v128.xor(octets, i16x8.splat(0xFF));
  const segment = v128.and(i16x8.shr_u(u, 4), i16x8.splat(7));
  const power = v128.and(
    i8x16.swizzle(i8x16(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0), segment),
    i16x8.splat(0xFF),
  );
  const step = i16x8.add(i16x8.shl(v128.and(u, i16x8.splat(15)), 3), i16x8.splat(<i16> BIAS));
  const magnitude = i16x8.sub(i16x8.mul(step, power), i16x8.splat(<i16> BIAS));
  const sign = i16x8.shr_s(i16x8.shl(u, 8), 15);
  return i16x8.sub(v128.xor(magnitude, sign), sign);
}

// @ts-ignore: decorator
@inline
function samplesOfAlaw8(octets: v128): v128 {
  const a = v128.xor(octets, i16x8.splat(0x55));
  const segment = v128.and(i16x8.shr_u(a, 4), i16x8.splat(7));
  const power = v128.and(
    i8x16.swizzle(i8x16(1, 1, 2, 4, 8, 16, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0), segment),
    i16x8.splat(0xFF),
  );
  const hidden = v128.and(i16x8.gt_s(segment, i16x8.splat(0)), i16x8.splat(256));
  const step = v128.or(i16x8.shl(v128.and(a, i16x8.splat(15)), 4), v128.or(hidden, i16x8.splat(8)));
  const magnitude = i16x8.mul(step, power);
  const sign = i16x8.shr_s(i16x8.shl(v128.not(a), 8), 15);
  return i16x8.sub(v128.xor(magnitude, sign), sign);
}

/** `count` samples i16 at `samples` become as many octets at `to`. */
export function g711EncodeUlaw(to: usize, samples: usize, count: i32): void {
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const low = ulawOf8(v128.load(samples + (<usize> i << 1)));
    const high = ulawOf8(v128.load(samples + (<usize> i << 1), 16));
    // lane bytes 0, 2, 4 ... hold the octets
    v128.store(to + i, v128.shuffle<i8>(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
  }
  for (; i < count; i++) store<u8>(to + i, <u8> ulawOf(load<i16>(samples + (<usize> i << 1))));
}

export function g711EncodeAlaw(to: usize, samples: usize, count: i32): void {
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const low = alawOf8(v128.load(samples + (<usize> i << 1)));
    const high = alawOf8(v128.load(samples + (<usize> i << 1), 16));
    v128.store(to + i, v128.shuffle<i8>(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
  }
  for (; i < count; i++) store<u8>(to + i, <u8> alawOf(load<i16>(samples + (<usize> i << 1))));
}

/** `count` octets at `octets` become as many samples i16 at `to`. */
export function g711DecodeUlaw(to: usize, octets: usize, count: i32): void {
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const packed = v128.load(octets + i);
    v128.store(to + (<usize> i << 1), samplesOfUlaw8(i16x8.extend_low_i8x16_u(packed)));
    v128.store(to + (<usize> i << 1), samplesOfUlaw8(i16x8.extend_high_i8x16_u(packed)), 16);
  }
  for (; i < count; i++) store<i16>(to + (<usize> i << 1), <i16> sampleOfUlaw(load<u8>(octets + i)));
}

export function g711DecodeAlaw(to: usize, octets: usize, count: i32): void {
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const packed = v128.load(octets + i);
    v128.store(to + (<usize> i << 1), samplesOfAlaw8(i16x8.extend_low_i8x16_u(packed)));
    v128.store(to + (<usize> i << 1), samplesOfAlaw8(i16x8.extend_high_i8x16_u(packed)), 16);
  }
  for (; i < count; i++) store<i16>(to + (<usize> i << 1), <i16> sampleOfAlaw(load<u8>(octets + i)));
}

const ulawToAlaw: usize = memory.data(256);
const alawToUlaw: usize = memory.data(256);
for (let code: u32 = 0; code < 256; code++) {
  store<u8>(ulawToAlaw + code, <u8> alawOf(sampleOfUlaw(code)));
  store<u8>(alawToUlaw + code, <u8> ulawOf(sampleOfAlaw(code)));
}

/** Octets of one law into the other; `to` may be `from`. */
export function g711UlawToAlaw(to: usize, from: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<u8>(to + i, load<u8>(ulawToAlaw + load<u8>(from + i)));
}

export function g711AlawToUlaw(to: usize, from: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<u8>(to + i, load<u8>(alawToUlaw + load<u8>(from + i)));
}
