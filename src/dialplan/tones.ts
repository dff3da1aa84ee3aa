import type { ToneStep } from "../kernel/media.ts";

const named: Readonly<Record<string, string>> = {
  dial: "425",
  ring: "425/1000,0/4000",
  ringing: "425/1000,0/4000",
  busy: "425/480,0/480",
  congestion: "425/240,0/240",
  record: "1400/500,0/15000",
  info: "950/330,1400/330,1800/330,0/1000",
};

/** A named tone or a list of `freq[+freq][/ms]`; undefined when it is neither. */
export function readTones(text: string): readonly ToneStep[] | undefined {
  const steps: ToneStep[] = [];
  for (const part of (named[text.trim().toLowerCase()] ?? text).split(",")) {
    const found = /^!?(\d{1,4}(?:\+\d{1,4}){0,3})(?:\/(\d{1,6}))?$/.exec(part.trim());
    if (found === null) return undefined;
    const frequencies = (found[1] ?? "").split("+").map(Number).filter((f) => f > 0);
    steps.push({ frequencies, levelDbm0: -13, ms: Number(found[2] ?? 0) });
  }
  return steps.length > 32 ? undefined : steps;
}
