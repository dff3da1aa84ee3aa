import { parseArgs, type ParseArgsConfig } from "node:util";

/** Exit statuses a script may rely on. */
export const exit = {
  done: 0,
  failed: 1,
  wrongUse: 2,
  notFound: 4,
  notReached: 69,
  invalidConfiguration: 78,
} as const;
export type ExitStatus = (typeof exit)[keyof typeof exit];

/** One word after `patchbay`. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name: "[-c manifest] <id>". */
  readonly usage: string;
  /** Options in detail, a line each; shown by `help <name>`. */
  readonly details?: readonly string[];
  run(args: readonly string[], terminal: Terminal): Promise<ExitStatus>;
}

/** Where a command writes. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
}

/** The command line was wrong; the message says how. Exit status 2. */
export class WrongUse extends Error {}

/** `parseArgs` whose complaints are `WrongUse`. */
export function readArgs<T extends ParseArgsConfig>(args: readonly string[], config: T) {
  try {
    return parseArgs({ ...config, args: [...args], allowPositionals: true, strict: true });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new WrongUse(text.split("\n")[0], { cause: error });
  }
}

/** A number option, or its default. */
export function readCount(text: string | undefined, fallback: number, name: string, min = 0, max = 65535): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new WrongUse(`--${name} expects a number from ${min} to ${max}, found "${text}"`);
}
