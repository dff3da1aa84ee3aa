import type { World } from "../../world/world.ts";
import { pcapHeader } from "./pcap.ts";

const FLUSH_MS = 100;
const MOST_WAITING = 10 * 1024 * 1024; // octets; what comes beyond is dropped and counted

/** A pcap file that is being written. Never in the way of traffic: records wait in memory and go out in batches. */
export class Capture {
  #waiting: Uint8Array[] = [];
  #octets = 0;
  #running = false;
  #closed = false;

  private constructor(
    readonly path: string,
    readonly world: Pick<World, "files" | "after">,
    readonly lost: () => void,
    readonly failed: (reason: string) => void,
  ) {}

  /** Overwrites a file of that name. Rejects when it cannot be written. */
  static async open(
    path: string,
    world: Pick<World, "files" | "after">,
    lost: () => void,
    failed: (reason: string) => void,
  ): Promise<Capture> {
    await world.files.write(path, pcapHeader(), 0o600);
    return new Capture(path, world, lost, failed);
  }

  add(record: Uint8Array): void {
    if (this.#closed) return;
    if (this.#octets + record.length > MOST_WAITING) return this.lost();
    this.#waiting.push(record);
    this.#octets += record.length;
    if (this.#running) return;
    this.#running = true;
    this.world.after(FLUSH_MS, () => void this.#flush());
  }

  async #flush(): Promise<void> {
    const batch = new Uint8Array(this.#octets);
    let at = 0;
    for (const record of this.#waiting) {
      batch.set(record, at);
      at += record.length;
    }
    this.#waiting = [];
    this.#octets = 0;
    try {
      await this.world.files.append(this.path, batch);
    } catch (error) {
      this.#closed = true;
      this.failed(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#running = this.#waiting.length > 0;
    if (this.#running) this.world.after(FLUSH_MS, () => void this.#flush());
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    if (this.#octets > 0) await this.#flush();
    this.#closed = true;
  }
}
