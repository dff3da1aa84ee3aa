import { expect, test } from "bun:test";
import { musts, nevers } from "./fax_sounds.ts";
import { desk, hearFaxTones, random } from "./sound.ts";

const on = await desk();

test.each(Object.keys(musts))("%s: each declared once and in time", (name) => {
  const [letter, make] = musts[name] ?? [];
  const rnd = random(7);
  for (let i = 0; i < 40; i++) {
    const sound = make?.(rnd, on);
    if (!sound) throw new Error(name);
    const heard = hearFaxTones(on, sound.pcm);
    expect(heard.map(({ what }) => what)).toEqual([letter ?? ""]);
    expect(heard[0]?.at).toBeLessThanOrEqual(sound.until);
  }
});

test.each(Object.keys(nevers))("%s: nothing is declared", (name) => {
  const rnd = random(8);
  for (let i = 0; i < 40; i++) expect(hearFaxTones(on, nevers[name]?.(rnd) ?? new Int16Array())).toEqual([]);
});

test("a slot that is not there is refused", () => {
  expect(on.core.faxToneReset(1024)).toBe(-1);
  expect(on.core.faxToneFeed(-1, on.offset, 160)).toBe(-1);
});
