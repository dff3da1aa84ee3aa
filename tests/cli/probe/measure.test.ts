import { expect, test } from "bun:test";
import { measure } from "../../../src/cli/probe/measure.ts";

const sine = (frequency: number, peak: number, count: number, rate = 8000) =>
  Int16Array.from({ length: count }, (_, i) => Math.round(peak * Math.sin(2 * Math.PI * frequency * i / rate)));

for (
  const [frequency, peak, rate] of [[440, 10000, 8000], [1004, 3000, 8000], [3100, 20000, 8000], [
    852.3,
    8000,
    16000,
  ]] as const
) {
  test(`${frequency} Hz at a peak of ${peak}, ${rate} samples/s, is found within 1 Hz and 0.1 dB`, () => {
    const found = measure(sine(frequency, peak, rate * 2, rate), rate);
    expect(Math.abs(found.frequencyHz - frequency)).toBeLessThan(1);
    expect(Math.abs(found.levelDbm0 - (20 * Math.log10(peak / 32767) + 3.14))).toBeLessThan(0.1);
    expect(found.seconds).toBe(2);
  });
}

test("silence, too few samples and none at all have no tone", () => {
  for (const samples of [new Int16Array(8000), new Int16Array(10), new Int16Array(0)]) {
    expect(measure(samples, 8000).levelDbm0).toBe(-Infinity);
  }
});

test("the loudest second counts, not the silence around it", () => {
  const samples = new Int16Array(32000);
  samples.set(sine(700, 9000, 8000), 12000);
  expect(Math.abs(measure(samples, 8000).frequencyHz - 700)).toBeLessThan(1);
});
