import { expect, test } from "bun:test";
import { readRtp, type Rig, rig, rtp } from "./rig.ts";
import { type Desk, desk, g711, random } from "./sound.ts";

/** Vowels of a voice whose pitch moves between 90 and 180 Hz, with pauses: pulses through three resonances. */
function voice(seconds: number, seed: number): Int16Array {
  const rnd = random(seed);
  const out = new Float64Array(seconds * 8000);
  const vowels = [[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]];
  for (let from = 0; from < out.length;) {
    const length = Math.floor(8000 * (0.12 + rnd() * 0.25));
    const formants = vowels[Math.floor(rnd() * vowels.length)]!;
    const [pitch, glide] = [90 + rnd() * 90, 1 + (rnd() - 0.5) * 0.3];
    const states = formants.map(() => [0, 0] as [number, number]);
    const silent = rnd() < 0.15;
    for (let n = 0, phase = 0; n < length && from + n < out.length; n++) {
      phase += pitch * glide ** (n / length) / 8000;
      const pulse = phase >= 1 ? 1 : 0;
      if (pulse) phase -= 1;
      let sum = 0;
      formants.forEach((hertz, k) => {
        const radius = Math.exp(-Math.PI * (60 + 40 * k) / 8000);
        const state = states[k]!;
        const y = pulse / (k + 1) + 2 * radius * Math.cos(2 * Math.PI * hertz / 8000) * state[0] -
          radius ** 2 * state[1];
        state[1] = state[0];
        state[0] = y;
        sum += y;
      });
      const envelope = Math.min(1, n / 160, (length - n) / 240);
      out[from + n] = silent ? 0 : sum * envelope * 2500;
    }
    from += length;
  }
  return Int16Array.from(out, (x) => Math.max(-32768, Math.min(32767, Math.round(x))));
}

/** The sound a listener in a conference hears of a talker whose frames `lost` names do not come. */
function through(core: Rig, on: Desk, sound: Int16Array, lost: (frame: number) => boolean): Int16Array {
  const [talker, listener] = [core.open({ port: 4000 }), core.open({ port: 4002 })];
  for (const slot of [talker, listener]) core.core.conferenceJoin(slot, 1, 0);
  const frames = Math.floor(sound.length / 160);
  const heard: number[] = [];
  for (let frame = 0; frame < frames; frame++) {
    on.samples.set(sound.subarray(frame * 160, frame * 160 + 160));
    on.core.g711EncodeUlaw(on.offset + 1024, on.offset, 160);
    const payload = on.octets.slice(1024, 1184);
    if (!lost(frame)) core.datagram(talker, rtp({ sequence: frame, timestamp: 160 * frame, payload }));
    for (const { slot, rtcp, bytes } of core.tick()) {
      if (slot !== listener || rtcp) continue;
      on.octets.set(readRtp(bytes).payload, 0);
      on.core.g711DecodeUlaw(on.offset + 1024, on.offset, 160);
      heard.push(...on.samples.subarray(512, 672));
    }
  }
  core.core.streamClose(talker);
  core.core.streamClose(listener);
  return Int16Array.from(heard);
}

/** Mean of the SNR of the frames that were lost, in dB between -10 and 35. */
function segmental(wanted: Int16Array, heard: Int16Array, frames: readonly number[]): number {
  const values = frames.map((frame) => {
    let [signal, noise] = [1, 1];
    for (let n = frame * 160; n < frame * 160 + 160; n++) {
      signal += (wanted[n] ?? 0) ** 2;
      noise += ((wanted[n] ?? 0) - (heard[n] ?? 0)) ** 2;
    }
    return Math.max(-10, Math.min(35, 10 * Math.log10(signal / noise)));
  });
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

for (const percent of [5, 10]) {
  test(`${percent} % of a voice lost: better than silence and than the last frame again`, async () => {
    const [core, on] = [await rig(), await desk()];
    const sound = g711(on, voice(20, 7), "ulaw");
    const rnd = random(percent);
    const lost = new Set<number>();
    for (let frame = 20; frame < 1000; frame++) if (rnd() < percent / 100) lost.add(frame);
    const heard = through(core, on, sound, (frame) => lost.has(frame));
    // The delay settles in the first seconds: where the frames that came lie tells it.
    const at = (shift: number) => {
      let sum = 0;
      for (let n = 80_000; n < 88_000; n++) sum += Math.abs((heard[n + shift] ?? 0) - sound[n]!);
      return sum;
    };
    const shifts = Array.from({ length: 8 }, (_, frames) => frames * 160);
    const shift = shifts.reduce((best, one) => at(one) < at(best) ? one : best);
    const spoken = [...lost].filter((frame) => frame > 200 && frame < 980 && level(sound, frame) > 300);
    const aligned = heard.subarray(shift);
    const repeat = sound.slice();
    for (const frame of lost) repeat.copyWithin(frame * 160, (frame - 1) * 160, frame * 160);
    const silence = sound.slice();
    for (const frame of lost) silence.fill(0, frame * 160, frame * 160 + 160);
    const [ours, last, none] = [aligned, repeat, silence].map((one) => segmental(sound, one, spoken));
    console.log(
      `segmental SNR at ${percent} %: ${ours!.toFixed(1)} dB, last frame again ${last!.toFixed(1)}, silence ${
        none!.toFixed(1)
      }`,
    );
    expect(ours!).toBeGreaterThan(last! + 2);
    expect(ours!).toBeGreaterThan(none! + 2);
  });
}

const level = (sound: Int16Array, frame: number) =>
  Math.sqrt(sound.subarray(frame * 160, frame * 160 + 160).reduce((sum, x) => sum + x * x, 0) / 160);

test("a steady tone goes on without a seam for 10 ms, fades, and is silent after 60 ms; it comes back softly", async () => {
  const [core, on] = [await rig(), await desk()];
  const sound = Int16Array.from(
    { length: 160 * 200 },
    (_, n) => Math.round(8000 * Math.sin(2 * Math.PI * 100 * n / 8000)),
  );
  const heard = through(core, on, sound, (frame) => frame >= 150 && frame < 156);
  const levels = Array.from({ length: 200 }, (_, frame) => level(heard, frame));
  const first = levels.findIndex((one, frame) => frame > 100 && one < 5500);
  const [a, b, c, d, e] = levels.slice(first, first + 5).map((one) => one / 5657);
  for (
    const [value, least, most] of [[a, 0.8, 1], [b, 0.4, 0.75], [c, 0.05, 0.4], [d, 0, 0.001], [e, 0, 0.001]] as const
  ) {
    expect(value).toBeGreaterThanOrEqual(least);
    expect(value).toBeLessThanOrEqual(most);
  }
  let step = 0;
  for (let n = first * 160; n < (first + 10) * 160; n++) step = Math.max(step, Math.abs(heard[n]! - heard[n - 1]!));
  expect(step).toBeLessThan(1600); // a sine of 100 Hz moves by 628 a sample
});
