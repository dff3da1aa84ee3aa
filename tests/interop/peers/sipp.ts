// sipp scenarios: our own XML, counted outcome.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Peer } from "./process.ts";

export interface SippOptions {
  readonly scenario: string; // path of the XML
  readonly remote?: string; // "127.0.0.1:5060" for a caller
  readonly port: number; // its own
  readonly mediaPort?: number;
  readonly transport?: "u1" | "t1" | "un" | "tn" | "l1";
  readonly calls: number; // -m
  readonly rate?: number; // -r per second
  readonly concurrent?: number; // -l
  readonly keys?: Readonly<Record<string, string>>; // -key
  readonly injection?: string; // CSV text for -inf
  readonly user?: string; // -s
  readonly auth?: { readonly user: string; readonly password: string }; // -au -ap
  readonly holdMs?: number; // -d, of a <pause/>
  readonly timeoutSeconds?: number;
  readonly args?: readonly string[];
}

export class Sipp {
  private constructor(readonly options: SippOptions, readonly dir: string, readonly peer: Peer) {}

  static async start(options: SippOptions): Promise<Sipp> {
    const dir = await mkdtemp(join(tmpdir(), "sipp-"));
    if (options.injection !== undefined) await Bun.write(join(dir, "users.csv"), options.injection);
    const keys = Object.entries(options.keys ?? {}).flatMap(([name, value]) => ["-key", name, value]);
    const peer = new Peer([
      "sipp",
      ...(options.remote === undefined ? [] : [options.remote]),
      "-sf",
      options.scenario,
      "-i",
      "127.0.0.1",
      "-p",
      String(options.port),
      "-mi",
      "127.0.0.1",
      ...(options.mediaPort === undefined ? [] : ["-mp", String(options.mediaPort)]),
      "-t",
      options.transport ?? "u1",
      "-m",
      String(options.calls),
      "-r",
      String(options.rate ?? 10),
      "-l",
      String(options.concurrent ?? 50),
      ...(options.user === undefined ? [] : ["-s", options.user]),
      ...(options.auth === undefined ? [] : ["-au", options.auth.user, "-ap", options.auth.password]),
      ...(options.injection === undefined ? [] : ["-inf", join(dir, "users.csv")]),
      ...keys,
      "-d",
      String(options.holdMs ?? 500),
      "-timeout",
      `${options.timeoutSeconds ?? 60}s`,
      "-timeout_error",
      "-trace_err",
      "-error_file",
      join(dir, "errors.log"),
      "-trace_stat",
      "-stf",
      join(dir, "stat.csv"),
      "-nostdin",
      ...(options.args ?? []),
    ], { cwd: dir });
    return new Sipp(options, dir, peer);
  }

  /** Waits for its end; rejects with its error log unless every call succeeded. */
  async succeeded(): Promise<void> {
    const code = await this.peer.exited;
    const log = Bun.file(join(this.dir, "errors.log"));
    const errors = await log.exists() ? await log.text() : "";
    rmSync(this.dir, { recursive: true, force: true });
    if (code !== 0) {
      throw new Error(
        `sipp ${this.options.scenario} ended with ${code}:\n${errors.slice(0, 3000)}\n${this.peer.output.slice(-1500)}`,
      );
    }
  }

  async stop(): Promise<void> {
    await this.peer.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
