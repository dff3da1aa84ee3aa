// Conferences (N-1): each member hears the sum of all others. Sums are 32 bits wide and saturate once. The mix is made in
// place: the frame a member brought becomes the frame it hears. One that brought none hears the sum of all.
// A member has the number of its stream; a conference has any number below CONFERENCES.

const MEMBERS: i32 = 4096;
const CONFERENCES: i32 = 1024;
const FRAME_MOST: i32 = 960; // samples in 20 ms at 48 kHz
const BLOCK: usize = 64; // octets: 32 samples, summed in eight registers
const GROUP: usize = 256 * 4; // octets of `speaking`
const LOUD: i32 = 160; // mean magnitude of speech
const LOOK: u32 = 3; // who talks is listened to every fourth tick, who does not at once
const HANGOVER_TICKS: u8 = 125 + 3; // 2,500 ms, counted from the last look

const frames: usize = memory.data(4096 * 960 * 2, 16); // i16[MEMBERS][FRAME_MOST]
const commons: usize = memory.data(1024 * 960 * 2, 16); // i16[CONFERENCES][FRAME_MOST], what the silent members hear
const memberOf: usize = memory.data(4096 * 2, 16); // u16 conference + 1, 0: none
const next: usize = memory.data(4096 * 2, 16); // u16 member + 1 that follows in its conference
const head: usize = memory.data(1024 * 2, 16); // u16 member + 1, by conference
const frameSamples: usize = memory.data(1024 * 2, 16); // u16 by conference, 0: 160
const present: usize = memory.data(4096, 16); // u8: brought a frame this tick
const muted: usize = memory.data(4096, 16); // u8
const heard: usize = memory.data(4096 * 4, 16); // u32 offset of what it hears
const hangover: usize = memory.data(4096, 16); // u8 ticks until it counts as silent
const talk: usize = memory.data(4096, 16); // u8: bit 0 talks, bit 1 changed in the last run
const sums: usize = memory.data(128, 16); // i32[32]
const speaking: usize = memory.data(4096 * 4, 16); // u32 offsets of the frames in the sum

let turn: u32 = 0;

function frameOf(member: i32): usize {
  return frames + <usize> member * (FRAME_MOST * 2);
}

function isIn(member: i32): bool {
  return <u32> member < <u32> MEMBERS && load<u16>(memberOf + (<usize> member << 1)) != 0;
}

/** Samples of a frame in this conference: 160, 320, 640 or 960; for its first member to set. */
export function mixerFrame(conference: i32, samples: i32): i32 {
  if (<u32> conference >= <u32> CONFERENCES) return -1;
  if (samples != 160 && samples != 320 && samples != 640 && samples != 960) return -2;
  store<u16>(frameSamples + (<usize> conference << 1), <u16> samples);
  return 0;
}

export function mixerFrameSamples(conference: i32): i32 {
  if (<u32> conference >= <u32> CONFERENCES) return -1;
  const samples = <i32> load<u16>(frameSamples + (<usize> conference << 1));
  return samples == 0 ? 160 : samples;
}

/** Enters the conference; leaves the one it was in. */
export function mixerJoin(conference: i32, member: i32): i32 {
  if (<u32> conference >= <u32> CONFERENCES || <u32> member >= <u32> MEMBERS) return -1;
  mixerLeave(member);
  const first = head + (<usize> conference << 1);
  store<u16>(memberOf + (<usize> member << 1), <u16> (conference + 1));
  store<u16>(next + (<usize> member << 1), load<u16>(first));
  store<u16>(first, <u16> (member + 1));
  store<u8>(present + member, 0);
  store<u8>(muted + member, 0);
  store<u8>(hangover + member, 0);
  store<u8>(talk + member, 0);
  store<u32>(heard + (<usize> member << 2), 0);
  return 0;
}

export function mixerLeave(member: i32): i32 {
  if (!isIn(member)) return -1;
  const conference = <usize> load<u16>(memberOf + (<usize> member << 1)) - 1;
  let link = head + (conference << 1);
  while (load<u16>(link) != <u16> (member + 1)) link = next + ((<usize> load<u16>(link) - 1) << 1);
  store<u16>(link, load<u16>(next + (<usize> member << 1)));
  store<u16>(memberOf + (<usize> member << 1), 0);
  return 0;
}

/** A muted member hears the others and is not heard. */
export function mixerMute(member: i32, on: i32): i32 {
  if (!isIn(member)) return -1;
  store<u8>(muted + member, on != 0 ? 1 : 0);
  return 0;
}

/** The first member of a conference, and the one after `member`; -1 at the end. */
export function mixerFirst(conference: i32): i32 {
  if (<u32> conference >= <u32> CONFERENCES) return -1;
  return <i32> load<u16>(head + (<usize> conference << 1)) - 1;
}

export function mixerNext(member: i32): i32 {
  if (!isIn(member)) return -1;
  return <i32> load<u16>(next + (<usize> member << 1)) - 1;
}

/** Offset of i16[960] for the frame that `member` brings to the next run; -1: in no conference. */
export function mixerInput(member: i32): i32 {
  if (!isIn(member)) return -1;
  store<u8>(present + member, 1);
  return <i32> frameOf(member);
}

/** Offset of the frame that `member` hears, until the next run; -1 before the first. Silent members share one frame. */
export function mixerOutput(member: i32): i32 {
  if (!isIn(member)) return -1;
  const offset = load<u32>(heard + (<usize> member << 2));
  return offset == 0 ? -1 : <i32> offset;
}

/** Bit 0: talks (mean magnitude of 160 or more within 2,500 ms); bit 1: that changed in the last run. -1: no member. */
export function mixerTalker(member: i32): i32 {
  return isIn(member) ? <i32> load<u8>(talk + member) : -1;
}

/** Sum of the magnitudes, -32768 counting as 32767. */
function loudness(frame: usize, bytes: usize): i32 {
  const ones = i16x8.splat(1);
  const zero = i16x8.splat(0);
  let sum = i32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const x = v128.load(frame + at);
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.max_s(x, i16x8.sub_sat_s(zero, x)), ones));
  }
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) +
    i32x4.extract_lane(sum, 3);
}

/** Begins or ends to talk. `frame` 0: nothing was brought. */
function follow(member: i32, frame: usize, samples: i32): void {
  const before = load<u8>(talk + member) & 1;
  let ticks = load<u8>(hangover + member);
  if (frame == 0 && ticks == 0 && before == 0) { // says nothing, as before
    store<u8>(talk + member, 0);
    return;
  }
  const look = before == 0 || ((turn + <u32> member) & LOOK) == 0;
  if (frame != 0 && look && loudness(frame, <usize> samples << 1) >= LOUD * samples) ticks = HANGOVER_TICKS;
  else if (ticks > 0) ticks -= 1;
  store<u8>(hangover + member, ticks);
  const after: u8 = ticks > 0 ? 1 : 0;
  store<u8>(talk + member, after == before ? after : after | 2);
}

/** Makes what every member of the conference hears from what was brought since the last run. Members: answer. */
export function mixerRun(conference: i32): i32 {
  if (<u32> conference >= <u32> CONFERENCES) return -1;
  const samples = mixerFrameSamples(conference);
  const bytes = <usize> samples << 1;
  turn += 1;
  const common = commons + <usize> conference * (FRAME_MOST * 2);
  let members = 0;
  let count: usize = 0;
  let member = <i32> load<u16>(head + (<usize> conference << 1)) - 1;
  while (member >= 0) {
    const frame = frameOf(member);
    const sounds = load<u8>(present + member) != 0 && load<u8>(muted + member) == 0;
    follow(member, sounds ? frame : 0, samples);
    if (sounds) {
      store<u32>(speaking + count, <u32> frame);
      count += 4;
    }
    store<u8>(present + member, 0);
    store<u32>(heard + (<usize> member << 2), <u32> (sounds ? frame : common));
    members += 1;
    member = <i32> load<u16>(next + (<usize> member << 1)) - 1;
  }
  for (let at: usize = 0; at < bytes; at += BLOCK) mixBlock(common, at, count);
  return members;
}

/**
 * 32 samples of all, summed in 16 bits for 256 members at a time. A sum is kept as what fits into 16 bits and the excess, which has
 * its sign: `own` comes off what fits, then the excess is added. Where the first step is limited the second goes the same way.
 */
function mixBlock(common: usize, at: usize, count: usize): void {
  for (let i: usize = 0; i < 128; i += 16) v128.store(sums + i, i32x4.splat(0));
  for (let from: usize = 0; from < count; from += GROUP) add(at, from, min(from + GROUP, count));
  const p = fits(0);
  const q = fits(32);
  const r = fits(64);
  const s = fits(96);
  const t = excess(0, p);
  const u = excess(32, q);
  const v = excess(64, r);
  const w = excess(96, s);
  v128.store(common + at, p);
  v128.store(common + at, q, 16);
  v128.store(common + at, r, 32);
  v128.store(common + at, s, 48);
  for (let i: usize = 0; i < count; i += 4) {
    const own = <usize> load<u32>(speaking + i) + at;
    v128.store(own, i16x8.add_sat_s(i16x8.sub_sat_s(p, v128.load(own)), t));
    v128.store(own, i16x8.add_sat_s(i16x8.sub_sat_s(q, v128.load(own, 16)), u), 16);
    v128.store(own, i16x8.add_sat_s(i16x8.sub_sat_s(r, v128.load(own, 32)), v), 32);
    v128.store(own, i16x8.add_sat_s(i16x8.sub_sat_s(s, v128.load(own, 48)), w), 48);
  }
}

// @ts-ignore: decorator
@inline
function fits(at: usize): v128 {
  return i16x8.narrow_i32x4_s(v128.load(sums + at), v128.load(sums + at, 16));
}

// @ts-ignore: decorator
@inline
function excess(at: usize, fitting: v128): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.sub(v128.load(sums + at), i32x4.extend_low_i16x8_s(fitting)),
    i32x4.sub(v128.load(sums + at, 16), i32x4.extend_high_i16x8_s(fitting)),
  );
}

/** Adds 32 samples of some of the speaking members to the sums. */
function add(at: usize, from: usize, to: usize): void {
  let a = i16x8.splat(0); // the sum modulo 2^16
  let b = a;
  let c = a;
  let d = a;
  let e = a; // the sum of the high octets, with sign
  let f = a;
  let g = a;
  let h = a;
  for (let i = from; i < to; i += 4) {
    const own = <usize> load<u32>(speaking + i) + at;
    const p = v128.load(own);
    const q = v128.load(own, 16);
    const r = v128.load(own, 32);
    const s = v128.load(own, 48);
    a = i16x8.add(a, p);
    e = i16x8.add(e, i16x8.shr_s(p, 8));
    b = i16x8.add(b, q);
    f = i16x8.add(f, i16x8.shr_s(q, 8));
    c = i16x8.add(c, r);
    g = i16x8.add(g, i16x8.shr_s(r, 8));
    d = i16x8.add(d, s);
    h = i16x8.add(h, i16x8.shr_s(s, 8));
  }
  keep(0, a, e);
  keep(32, b, f);
  keep(64, c, g);
  keep(96, d, h);
}

/** The low octets of 256 members sum up to less than 2^16: what the sum is above 256 times that of the high ones. */
// @ts-ignore: decorator
@inline
function keep(at: usize, whole: v128, high: v128): void {
  const low = i16x8.sub(whole, i16x8.shl(high, 8));
  const first = i32x4.add(i32x4.extend_low_i16x8_u(low), i32x4.shl(i32x4.extend_low_i16x8_s(high), 8));
  const second = i32x4.add(i32x4.extend_high_i16x8_u(low), i32x4.shl(i32x4.extend_high_i16x8_s(high), 8));
  v128.store(sums + at, i32x4.add(v128.load(sums + at), first));
  v128.store(sums + at, i32x4.add(v128.load(sums + at, 16), second), 16);
}
