// Kamailio with a configuration of ours: a registrar that asks for credentials, and an edge proxy.
import { readdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Peer } from "./process.ts";

function modulePath(): string {
  for (const arch of readdirSync("/usr/lib")) {
    const path = join("/usr/lib", arch, "kamailio/modules");
    try {
      readdirSync(path);
      return `${path}/`;
    } catch {
      continue; // another library folder
    }
  }
  throw new Error("kamailio has no modules here");
}

export class Kamailio {
  private constructor(readonly dir: string, readonly peer: Peer) {}

  /** `route`: the body of the file behind the modules. Listens on UDP and TCP. */
  static async start(port: number, modules: readonly string[], route: string): Promise<Kamailio> {
    const dir = await mkdtemp(join(tmpdir(), "kamailio-"));
    const config = [
      "#!KAMAILIO",
      "debug=2",
      "log_stderror=yes",
      "children=1",
      "tcp_children=1",
      "auto_aliases=no",
      `listen=udp:127.0.0.1:${port}`,
      `listen=tcp:127.0.0.1:${port}`,
      `mpath="${modulePath()}"`,
      ...modules.map((name) => `loadmodule "${name}.so"`),
      route,
    ].join("\n");
    await Bun.write(join(dir, "kamailio.cfg"), config);
    const peer = new Peer(
      ["kamailio", "-DD", "-E", "-m", "32", "-M", "8", "-Y", dir, "-w", dir, "-f", join(dir, "kamailio.cfg")],
    );
    const kamailio = new Kamailio(dir, peer);
    await kamailio.#answers(port);
    return kamailio;
  }

  /** Until it takes connections. */
  async #answers(port: number): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      try {
        const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
        socket.end();
        return;
      } catch {
        if (this.peer.exitCode !== null) break;
        await Bun.sleep(50); // not yet
      }
    }
    throw new Error(`kamailio does not listen:\n${this.peer.output.slice(-3000)}`);
  }

  async stop(): Promise<void> {
    await this.peer.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
