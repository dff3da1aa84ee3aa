import { expect, test } from "bun:test";
import * as v from "valibot";
import { milliseconds, parseDuration, seconds } from "../../src/kernel/duration.ts";

test("a time has a unit", () => {
  expect(parseDuration("500ms")).toBe(500);
  expect(parseDuration("20s")).toBe(20_000);
  expect(parseDuration("1.5h")).toBe(5_400_000);
  for (const wrong of ["", "20", "s", "-1s", "1e3s", "20 s", "1w", "9".repeat(20) + "s"]) {
    expect(parseDuration(wrong)).toBeUndefined();
  }
});

test("an option takes a number in its unit or a time, within its range", () => {
  const options = v.object({ interval: seconds(30, { max: 3600 }), pause: milliseconds(100) });
  expect(v.parse(options, {})).toEqual({ interval: 30, pause: 100 });
  expect(v.parse(options, { interval: 5, pause: "2s" })).toEqual({ interval: 5, pause: 2000 });
  expect(v.parse(options, { interval: "1m" }).interval).toBe(60);
  for (const interval of [-1, "2h", "soon", NaN, true]) {
    const result = v.safeParse(options, { interval });
    expect(result.success).toBe(false);
    expect(result.issues?.[0].message).toContain("between 0 and 3600 seconds");
  }
});
