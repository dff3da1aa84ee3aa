// Times in options: a number in the option's own unit, or text with a unit.
import * as v from "valibot";

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Milliseconds of "500ms", "20s", "2m", "1.5h", "1d"; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNIT_MS.get(match?.[2] ?? "");
  return unit === undefined ? undefined : Number(match?.[1]) * unit;
}

export interface DurationRange {
  readonly min?: number; // in the option's unit; default 0
  readonly max?: number; // default 2^31 - 1
}

function duration(unitMs: number, unit: string, fallback: number, { min = 0, max = 2 ** 31 - 1 }: DurationRange) {
  const expected = `expected a number of ${unit} or a time such as "20s", between ${min} and ${max} ${unit}`;
  return v.optional(
    v.pipe(
      v.union([v.number(), v.string()], expected),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        const { value } = dataset;
        const ms = typeof value === "number" ? value * unitMs : parseDuration(value);
        const result = ms === undefined ? NaN : ms / unitMs;
        if (result >= min && result <= max) return result;
        addIssue({ message: `${expected}, found ${JSON.stringify(value)}` });
        return NEVER;
      }),
    ),
    fallback,
  );
}

/** An option in seconds; `fallback` is its default. */
export const seconds = (fallback: number, range: DurationRange = {}) => duration(1000, "seconds", fallback, range);

/** An option in milliseconds; `fallback` is its default. */
export const milliseconds = (fallback: number, range: DurationRange = {}) =>
  duration(1, "milliseconds", fallback, range);
