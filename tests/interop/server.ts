// The executable under test, started as a user starts it.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Peer } from "./peers/process.ts";

export const EXECUTABLE = resolve(import.meta.dir, "../../dist/patchbay");

export class Server {
  private constructor(readonly dir: string, readonly peer: Peer) {}

  /** Writes the manifest into a new folder and runs `dist/patchbay run` there until it is ready. */
  static async start(manifest: unknown, args: readonly string[] = []): Promise<Server> {
    const dir = await mkdtemp(join(tmpdir(), "patchbay-"));
    await Bun.write(join(dir, "modules.json"), JSON.stringify(manifest, null, 2));
    return await Server.run(dir, args);
  }

  /** Runs on a folder that has a manifest already. */
  static async run(dir: string, args: readonly string[] = []): Promise<Server> {
    const peer = new Peer([EXECUTABLE, "run", "-c", dir, ...args], { cwd: dir });
    await peer.expect(/ready/i, 15);
    return new Server(dir, peer);
  }

  /** Another command of the same executable, against this server. */
  async cli(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    const run = Bun.spawn([EXECUTABLE, ...args, "-c", this.dir], { cwd: this.dir, stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    return { code: await run.exited, out, err };
  }

  /** TERM, then the folder goes. Rejects when it did not end well. */
  async stop(): Promise<void> {
    await this.peer.stop();
    rmSync(this.dir, { recursive: true, force: true });
    if (this.peer.exitCode !== 0) {
      throw new Error(`patchbay ended with ${this.peer.exitCode}:\n${this.peer.output.slice(-3000)}`);
    }
  }
}
