import type { AudioClip } from "../kernel/media.ts";
import type { Channel } from "../kernel/services.ts";
import type { AppCall, AppOutcome, DialplanHost } from "../kernel/dialplan.ts";
import { DialplanError } from "../kernel/dialplan.ts";

/** An application of ours: what other modules offer has only a name, a summary and `run`. */
export interface Application {
  readonly name: string; // lower case
  readonly summary: string;
  /** How many arguments it takes; absent: any. */
  readonly args?: readonly [least: number, most: number];
  /** Looks at arguments that hold nothing to expand, at load; undefined entries are known at run time only. */
  check?(args: readonly (string | undefined)[]): string | undefined;
  run(call: AppCall, tools: Tools): Promise<AppOutcome>;
}

/** What applications work with; one per started dialplan. */
export interface Tools {
  readonly host: DialplanHost;
  readonly sounds: Sounds;
  readonly globals: Map<string, string>;
  /** Members of each conference by channel id. */
  readonly conferences: Map<string, Set<string>>;
  /** Assigns a variable or writes a function: the left side of `set`. */
  assign(channel: Channel, name: string, value: string): Promise<void>;
  lookup(context: string, extension: string): "found" | "partial" | "absent";
}

export interface Sounds {
  /** A file of the sounds folder, or a sound we carry; rejects with `DialplanError`. */
  clip(name: string): Promise<AudioClip>;
  /** The music callers hear while they wait; undefined: silence is configured. */
  music(name?: string): Promise<AudioClip | undefined>;
}

/** Milliseconds of "20s", "1.5s", "500ms", "2m", "20" (seconds); undefined when it is none of these. */
export function durationMs(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(text.trim());
  if (found === null) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[found[2] ?? "s"] ?? 1000;
  return Math.min(Number(found[1]) * unit, 7 * 86_400_000);
}

/** For `check`: a fault when the argument is written and is no duration. */
export function checkDuration(text: string | undefined): string | undefined {
  if (text === undefined || text === "" || durationMs(text) !== undefined) return undefined;
  return `expected a duration such as "20s" or "500ms", found ${JSON.stringify(text)}`;
}

/** A duration argument at run time. */
export function readDuration(text: string | undefined, absent: number): number {
  if (text === undefined || text === "") return absent;
  const ms = durationMs(text);
  if (ms === undefined) throw new DialplanError(`${JSON.stringify(text)} is not a duration`);
  return ms;
}

/** True after the time, false when the signal came first. */
export function sleep(world: Pick<DialplanHost["world"], "after">, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const stop = () => {
      timer.cancel();
      resolve(false);
    };
    const timer = world.after(ms, () => {
      signal.removeEventListener("abort", stop);
      resolve(true);
    });
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Resolves when the signal came. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** The work's result, or undefined as soon as the signal came; the work then ends unheard. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) resolve(undefined);
    const stop = () => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    work.then((result) => {
      signal.removeEventListener("abort", stop);
      resolve(result);
    }, (error) => {
      signal.removeEventListener("abort", stop);
      reject(error);
    });
  });
}

/** Runs beside the steps. A failure is logged, unless it came of the call's end. */
export function beside(work: Promise<unknown> | undefined, channel: Channel, log: DialplanHost["log"]): void {
  work?.catch((error: unknown) => {
    if (channel.ended.aborted) return;
    log.warning(error instanceof Error ? error.message : String(error), { call: channel.id });
  });
}

/** Answers if nobody did, and gives the audio; undefined when the channel ended meanwhile. */
export async function audioOf(channel: Channel): Promise<NonNullable<Channel["audio"]> | undefined> {
  if (channel.state !== "up") await channel.answer();
  if (channel.ended.aborted) return undefined;
  if (channel.audio === undefined) throw new DialplanError("this call has no audio");
  return channel.audio;
}
