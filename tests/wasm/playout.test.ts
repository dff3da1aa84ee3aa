import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { listen } from "./listen.ts";

const percentile = (values: readonly number[], p: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * p)] ?? 0;

for (const loss of [0, 3, 10]) {
  test(`0 to 40 ms of jitter and ${loss} % loss: little more is lost, the delay is bounded`, async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed);
      const frames = 3000;
      let lost = 0;
      const delays: number[] = [];
      const delay = () => {
        if (random.below(1000) < loss * 10) {
          lost++;
          return undefined;
        }
        delays.push(random.below(40_000) / 1000);
        return delays.at(-1)!;
      };
      const { heard } = await listen({ frames, delay });
      const missing = frames - heard.length;
      expect([seed, missing - lost <= frames * 0.005]).toEqual([seed, true]);
      const settled = heard.slice(200).map(({ at }) => at);
      expect(settled.reduce((sum, at) => sum + at, 0) / settled.length).toBeLessThan(percentile(delays, 0.95) + 40);
    }
  });
}

test("a spike of 200 ms: nothing that came in order is lost, and within 2 s the delay is as before", async () => {
  const { heard } = await listen({
    frames: 400,
    delay: (frame) => frame >= 150 && frame < 160 ? 200 - 20 * (frame - 150) : 1,
  });
  const at = (frame: number) => heard.find((one) => one.frame >= frame)!.at;
  const before = at(140);
  expect(at(151)).toBeGreaterThan(before + 100);
  expect(at(150 + 100)).toBeLessThanOrEqual(before + 20);
  expect(400 - heard.length).toBeLessThan(25); // led over on the way back
});

for (const ppm of [1000, -1000]) {
  test(`a sender whose clock is ${ppm} ppm off for five minutes: one slip in 20 s at most`, async () => {
    const frames = 15_000;
    const { heard } = await listen({ frames, every: 20 * (1 + ppm / 1e6), delay: () => 3 });
    let slips = 0;
    for (let n = 101; n < heard.length; n++) {
      const [one, other] = [heard[n - 1]!, heard[n]!];
      if (other.tick - one.tick !== other.frame - one.frame) slips++;
    }
    expect(slips).toBeGreaterThan(5);
    expect(slips).toBeLessThanOrEqual(16);
    expect(Math.max(...heard.slice(100).map(({ at }) => at))).toBeLessThan(70);
  });
}

test("out of order and twice: each is heard once, in its place; numbers turn over", async () => {
  const random = seededRandom(5);
  const { heard, back } = await listen({
    frames: 1000,
    delay: () => random.below(20) === 0 ? 45 : 1,
    twice: () => random.below(20) === 0,
    sequence: 65_300,
    timestamp: 2 ** 32 - 160 * 500,
  });
  expect(heard.length).toBeGreaterThan(960);
  expect(back).toBe(0);
});

test("a second of nothing: it goes on where the sender is", async () => {
  const { heard } = await listen({ frames: 300, delay: (frame) => frame >= 100 && frame < 150 ? undefined : 1 });
  expect(heard.length).toBeGreaterThan(245);
  expect(heard.at(-1)!.frame).toBe(299);
  expect(heard.at(-1)!.at).toBeLessThanOrEqual(60);
});
