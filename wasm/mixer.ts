// Conferences (N-1): each member hears the sum of all others. Sums are 32 bits wide and saturate once. The mix is made in
// place: the frame a member brought becomes the frame it hears. One that brought none hears the sum of all.
// A member has the number of its stream; a conference has any number below CONFERENCES.

const MEMBERS: i32 = 4096;
const CONFERENCES: i32 = 1024;
const FRAME_MOST: i32 = 960; // samples in 20 ms at 48 kHz
const BLOCK: usize = 64; // octets: 32 samples, summed in eight registers
const LOUD: i32 = 160; // mean magnitude of speech
const HANGOVER_TICKS: u8 = 125; // 2,500 ms

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
const speaking: usize = memory.data(4096 * 4, 16); // u32 offsets of the frames in the sum

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

function loudness(frame: usize, bytes: usize): i32 {
  let sum = i32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.abs(v128.load(frame + at))));
  }
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) +
    i32x4.extract_lane(sum, 3);
}

function follow(member: i32, loud: bool): void {
  const before = load<u8>(talk + member) & 1;
  let ticks = load<u8>(hangover + member);
  if (loud) ticks = HANGOVER_TICKS;
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
  const common = commons + <usize> conference * (FRAME_MOST * 2);
  let members = 0;
  let count: usize = 0;
  let member = <i32> load<u16>(head + (<usize> conference << 1)) - 1;
  while (member >= 0) {
    const frame = frameOf(member);
    const sounds = load<u8>(present + member) != 0 && load<u8>(muted + member) == 0;
    follow(member, sounds && loudness(frame, bytes) >= LOUD * samples);
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

function mixBlock(common: usize, at: usize, count: usize): void {
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let e = a;
  let f = a;
  let g = a;
  let h = a;
  for (let i: usize = 0; i < count; i += 4) {
    const own = <usize> load<u32>(speaking + i) + at;
    const p = v128.load(own);
    const q = v128.load(own, 16);
    const r = v128.load(own, 32);
    const s = v128.load(own, 48);
    a = i32x4.add(a, i32x4.extend_low_i16x8_s(p));
    b = i32x4.add(b, i32x4.extend_high_i16x8_s(p));
    c = i32x4.add(c, i32x4.extend_low_i16x8_s(q));
    d = i32x4.add(d, i32x4.extend_high_i16x8_s(q));
    e = i32x4.add(e, i32x4.extend_low_i16x8_s(r));
    f = i32x4.add(f, i32x4.extend_high_i16x8_s(r));
    g = i32x4.add(g, i32x4.extend_low_i16x8_s(s));
    h = i32x4.add(h, i32x4.extend_high_i16x8_s(s));
  }
  v128.store(common + at, i16x8.narrow_i32x4_s(a, b));
  v128.store(common + at, i16x8.narrow_i32x4_s(c, d), 16);
  v128.store(common + at, i16x8.narrow_i32x4_s(e, f), 32);
  v128.store(common + at, i16x8.narrow_i32x4_s(g, h), 48);
  for (let i: usize = 0; i < count; i += 4) {
    const own = <usize> load<u32>(speaking + i) + at;
    v128.store(own, without(a, b, v128.load(own)));
    v128.store(own, without(c, d, v128.load(own, 16)), 16);
    v128.store(own, without(e, f, v128.load(own, 32)), 32);
    v128.store(own, without(g, h, v128.load(own, 48)), 48);
  }
}

// @ts-ignore: decorator
@inline
function without(low: v128, high: v128, own: v128): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.sub(low, i32x4.extend_low_i16x8_s(own)),
    i32x4.sub(high, i32x4.extend_high_i16x8_s(own)),
  );
}
