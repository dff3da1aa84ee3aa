// CPU time and memory of a running process, from /proc.
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100; // USER_HZ on every Linux we run on

/** User + system CPU seconds of one thread: fields 14 and 15 of its stat line. */
function threadSeconds(path: string): number {
  const stat = readFileSync(path, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface Cpu {
  readonly main: number; // seconds, the thread whose id is the process id
  readonly all: number;
}

export function cpu(pid: number): Cpu {
  let all = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) all += threadSeconds(`/proc/${pid}/task/${thread}/stat`);
  return { main: threadSeconds(`/proc/${pid}/task/${pid}/stat`), all };
}

/** Resident megabytes. */
export function residentMb(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024;
}

/** Prints rows under a heading, columns aligned. */
export function table(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  console.log(`\n${title}`);
  for (const row of rows) console.log("  " + row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd());
}
