// The executable under test, started as a user starts it.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { HTTP } from "./manifest.ts";
import { Peer } from "./peers/process.ts";

export const EXECUTABLE = resolve(import.meta.dir, "../../dist/patchbay");

export interface ServerEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** The events of a server, kept until somebody asks for them. */
export class EventFeed {
  readonly #kept: ServerEvent[] = [];

  private constructor(readonly socket: WebSocket) {
    socket.onmessage = (message) => void this.#kept.push(JSON.parse(String(message.data)));
  }

  static async open(url: string, token: string): Promise<EventFeed> {
    const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    const feed = new EventFeed(socket);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return feed;
  }

  /** The first event, kept or to come, for which `wanted` holds. */
  async next(wanted: (event: ServerEvent) => boolean, seconds = 10): Promise<ServerEvent> {
    const deadline = Date.now() + seconds * 1000;
    while (Date.now() < deadline) {
      const found = this.#kept.find(wanted);
      if (found) return found;
      await Bun.sleep(20);
    }
    throw new Error(`no such event; seen: ${JSON.stringify(this.#kept).slice(0, 3000)}`);
  }

  close(): void {
    this.socket.close();
  }
}

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
    await peer.expect(/^ready in/m, 15);
    return new Server(dir, peer);
  }

  /** Another command of the same executable, against this server. */
  async cli(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    const run = Bun.spawn([EXECUTABLE, ...args, "-c", this.dir], { cwd: this.dir, stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    return { code: await run.exited, out, err };
  }

  /** A request to the management API with the server's own token. */
  async api(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(`http://127.0.0.1:${HTTP}${path}`, {
      ...init,
      headers: { Authorization: `Bearer ${await this.#token()}`, "Content-Type": "application/json" },
    });
  }

  /** Waits until somebody is registered for the AOR. */
  async registered(aor: string, seconds = 10): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const contacts = await (await this.api(`/api/v1/contacts?aor=${aor}`)).json();
      if (Array.isArray(contacts) && contacts.length > 0) return;
      if (Date.now() > deadline) throw new Error(`nobody registered for ${aor}`);
      await Bun.sleep(100);
    }
  }

  /** Every event from now on. */
  async events(): Promise<EventFeed> {
    return await EventFeed.open(`ws://127.0.0.1:${HTTP}/api/v1/events`, await this.#token());
  }

  async #token(): Promise<string> {
    return (await Bun.file(join(this.dir, "state", "management.token")).text()).trim();
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
