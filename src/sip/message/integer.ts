/** Largest value of a counter or duration: 2^31 - 1. */
export const MAX_INTEGER = 0x7fff_ffff;

/** Digits only, at most `most`; undefined otherwise. */
export function parseInteger(text: string, most = MAX_INTEGER): number | undefined {
  if (text.length === 0 || text.length > 20 || !/^[0-9]+$/.test(text)) return undefined;
  const number = Number(text);
  return number <= most ? number : undefined;
}

/** Seconds with what may follow them: `18 (in a meeting);duration=60`, `1800;x`. Larger than 2^31 - 1 is 2^31 - 1. */
export function parseSeconds(text: string): number | undefined {
  const digits = /^([0-9]+)[ \t]*(?:$|[;(])/.exec(text)?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), MAX_INTEGER);
}
