import { expect, test } from "bun:test";
import { addSine, type Desk, desk, g711, gauss, peakOf, random } from "./sound.ts";

/** What each hears: the sum of the others, limited once. Undefined brings nothing. */
function reference(frames: readonly (Int16Array | undefined)[], samples: number): Int16Array[] {
  const sum = new Float64Array(samples);
  for (const frame of frames) frame?.forEach((x, n) => sum[n] = sum[n]! + x);
  return frames.map((own) =>
    Int16Array.from(sum, (total, n) => Math.max(-32768, Math.min(32767, total - (own?.[n] ?? 0))))
  );
}

/** One run of a room with members 0, 1, ...: what each hears. */
function mix({ core }: Desk, frames: readonly (Int16Array | undefined)[], samples: number): Int16Array[] {
  core.mixerFrame(0, samples);
  for (const [member, frame] of frames.entries()) {
    if (frame) new Int16Array(core.memory.buffer, core.mixerInput(member), samples).set(frame);
  }
  expect(core.mixerRun(0)).toBe(frames.length);
  return frames.map((_, member) => new Int16Array(core.memory.buffer, core.mixerOutput(member), samples).slice());
}

test("every sample is that of the plain sum, for rooms of all sizes, rates and levels, at the edges too", async () => {
  const rnd = random(1);
  for (const members of [1, 2, 3, 10, 32, 200, 300]) {
    const on = await desk();
    for (let member = 0; member < members; member++) on.core.mixerJoin(0, member);
    for (const samples of [160, 320, 640, 960]) {
      for (const level of [20, 2000, 30_000, 1e6]) {
        const frames = Array.from(
          { length: members },
          () =>
            rnd() < 0.1 ? undefined : Int16Array.from(
              { length: samples },
              () =>
                rnd() < 0.02 ? (rnd() < 0.5 ? -32768 : 32767) : Math.max(-32768, Math.min(32767, gauss(rnd) * level)),
            ),
        );
        const [heard, wanted] = [mix(on, frames, samples), reference(frames, samples)];
        for (const member of frames.keys()) {
          if (Buffer.compare(Buffer.from(heard[member]!.buffer), Buffer.from(wanted[member]!.buffer)) !== 0) {
            throw new Error(`member ${member} of ${members}, ${samples} samples, level ${level}`);
          }
        }
      }
    }
  }
});

test("32 at full scale: the loudest sum there is, limited once, and nobody hears himself", async () => {
  const on = await desk();
  for (let member = 0; member < 32; member++) on.core.mixerJoin(0, member);
  for (const value of [32767, -32768]) {
    const frames = Array.from({ length: 32 }, () => new Int16Array(160).fill(value));
    expect(mix(on, frames, 160)).toEqual(reference(frames, 160));
  }
  // All but one the same way: the one hears them, they hear less of it than of each other.
  const frames = Array.from({ length: 32 }, (_, member) => new Int16Array(160).fill(member === 0 ? -32768 : 1500));
  expect(mix(on, frames, 160)).toEqual(reference(frames, 160));
});

/** Power of a signal, and that of its difference from another, as a ratio in dB. */
function snr(heard: Int16Array, wanted: Float64Array, from: number): number {
  let [signal, noise] = [0, 0];
  for (let n = from; n < heard.length; n++) {
    signal += wanted[n]! ** 2;
    noise += (heard[n]! - wanted[n]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

for (const [members, limit] of [[3, 34], [10, 33], [30, 33]] as const) {
  test(`${members} members on µ-law legs: at least ${limit} dB between what each hears and the others' sum`, async () => {
    const on = await desk();
    const { core } = on;
    const ticks = 50;
    const voices = Array.from({ length: members }, (_, m) => {
      const voice = new Float64Array(160 * ticks);
      addSine(voice, 0, voice.length, 300 + 97 * m, peakOf(-14 - 10 * Math.log10(members)), m);
      addSine(voice, 0, voice.length, 510 + 61 * m, peakOf(-20 - 10 * Math.log10(members)), 2 * m);
      return voice;
    });
    for (let m = 0; m < members; m++) core.mixerJoin(0, m);
    const heard = voices.map(() => new Int16Array(160 * ticks));
    for (let tick = 0; tick < ticks; tick++) {
      const frames = voices.map((voice) =>
        g711(on, Int16Array.from(voice.subarray(tick * 160, tick * 160 + 160), Math.round), "ulaw")
      );
      mix(on, frames, 160).forEach((frame, m) => heard[m]!.set(g711(on, frame, "ulaw"), tick * 160));
    }
    for (let m = 0; m < members; m++) {
      const others = new Float64Array(160 * ticks);
      for (const [k, voice] of voices.entries()) if (k !== m) voice.forEach((x, n) => others[n] = others[n]! + x);
      expect(snr(heard[m]!, others, 0)).toBeGreaterThan(limit);
    }
  });
}

test("linear legs are exact to 60 dB and more; muting and leaving change nobody else's samples", async () => {
  const on = await desk();
  const { core } = on;
  const rnd = random(3);
  for (let member = 0; member < 5; member++) core.mixerJoin(0, member);
  const frames = Array.from({ length: 5 }, () => Int16Array.from({ length: 160 }, () => gauss(rnd) * 1500));
  const wanted = reference(frames, 160);
  core.mixerMute(2, 1);
  const muted = mix(on, frames, 160);
  const without = reference(frames.map((frame, at) => at === 2 ? undefined : frame), 160);
  for (const member of [0, 1, 3, 4]) expect(muted[member]).toEqual(without[member]!);
  core.mixerMute(2, 0);
  expect(mix(on, frames, 160)).toEqual(wanted);
  core.mixerLeave(2);
  const left = [0, 1, 3, 4].map((member) => {
    new Int16Array(core.memory.buffer, core.mixerInput(member), 160).set(frames[member]!);
    return member;
  });
  core.mixerRun(0);
  for (const member of left) {
    expect(new Int16Array(core.memory.buffer, core.mixerOutput(member), 160).slice()).toEqual(without[member]!.slice());
  }
});

test("a member talks from a mean magnitude of 160 on, and for 2,500 to 2,560 ms after", async () => {
  const on = await desk();
  on.core.mixerJoin(0, 0);
  const say = (value: number) => mix(on, [new Int16Array(160).fill(value)], 160) && on.core.mixerTalker(0);
  expect([say(159), say(160), say(0)]).toEqual([0, 3, 1]);
  for (let tick = 1; tick < 125; tick++) expect(say(0)).toBe(1);
  let ticks = 125;
  while (say(0) !== 2) ticks++;
  expect(ticks).toBeLessThanOrEqual(128);
  expect(say(-32768)).toBe(3);
});
