// tshark on loopback: captures while a test runs, then judges what was on the wire.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Peer } from "./process.ts";

export class Capture {
  private constructor(readonly dir: string, readonly peer: Peer) {}

  /** `filter` is a capture filter: "udp portrange 5060-5070". */
  static async start(filter: string): Promise<Capture> {
    const dir = await mkdtemp(join(tmpdir(), "capture-"));
    const peer = new Peer(["tshark", "-i", "lo", "-f", filter, "-w", join(dir, "wire.pcapng"), "-q"]);
    await peer.expect(/Capturing on/);
    await Bun.sleep(800); // "Capturing on" is said before the first packet is seen
    return new Capture(dir, peer);
  }

  async stop(): Promise<void> {
    await Bun.sleep(500);
    this.peer.signal("SIGINT");
    await this.peer.exited;
  }

  /**
   * Rows of the fields of all packets that match the display filter. `decode`: "udp.port==16000,rtp"; `file`: another one
   * in the folder of the capture.
   */
  async rows(
    display: string,
    fields: readonly string[],
    decode: readonly string[] = [],
    file = "wire.pcapng",
  ): Promise<string[][]> {
    const run = Bun.spawn([
      "tshark",
      "-r",
      join(this.dir, file),
      ...decode.flatMap((d) => ["-d", d]),
      "-o",
      "rtp.heuristic_rtp:TRUE",
      "-Y",
      display,
      "-T",
      "fields",
      "-E",
      "separator=|",
      ...fields.flatMap((f) => ["-e", f]),
    ], { stdout: "pipe", stderr: "pipe" });
    const text = await new Response(run.stdout).text();
    if (await run.exited !== 0) throw new Error(`tshark: ${await new Response(run.stderr).text()}`);
    return text.split("\n").filter((l) => l !== "").map((l) => l.split("|"));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
