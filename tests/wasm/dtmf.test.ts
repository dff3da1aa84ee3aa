import { expect, test } from "bun:test";
import { lossy, musts, nevers, sweep, wanted } from "./digit_sounds.ts";
import { desk, hearDigits, random, toPcm } from "./sound.ts";

const on = await desk();

test.each(Object.keys(musts))("%s: every digit once", (name) => {
  const rnd = random(21);
  const make = musts[name];
  if (!make) throw new Error(name);
  expect(sweep(on, 200, rnd, () => make(rnd))).toBe(0);
});

test.each(Object.entries(wanted))("%s: most digits", (name, { make, most }) => {
  const rnd = random(22);
  expect([name, sweep(on, 400, rnd, () => make(rnd)) / 400 <= most]).toEqual([name, true]);
});

test.each(Object.keys(nevers))("%s: no digit", (name) => {
  const rnd = random(23);
  for (let i = 0; i < 100; i++) expect(hearDigits(on, toPcm(nevers[name]?.(rnd) ?? new Float64Array()))).toEqual([]);
});

test.each([[0.03, "zero", 0.02], [0.03, "repeat", 0.02], [0.1, "zero", 0.05], [0.1, "repeat", 0.05]] as const)(
  "packets lost: %d, %s fill",
  (loss, fill, most) => {
    const { missed, added } = lossy(on, 400, random(24), loss, fill);
    expect(added).toBe(0);
    expect(missed / 400).toBeLessThanOrEqual(most);
  },
);

test("a slot that is not there is refused", () => {
  expect(on.core.dtmfReset(1024)).toBe(-1);
  expect(on.core.dtmfFeed(1024, on.offset, 160)).toBe(-1);
  expect(on.core.dtmfActive(-1)).toBe(-1);
});
