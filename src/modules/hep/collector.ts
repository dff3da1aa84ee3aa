import { isIP } from "node:net";
import type { Logger } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { parseHostPort } from "../../sip/message/uri.ts";
import type { DatagramSocket, SocketAddress, World } from "../../world/world.ts";

const AGAIN_MS = 60_000; // a name that was not found is looked up again
const COMPLAINT_MS = 10_000; // one line at most in this time
const DEFAULT_PORT = 9060;

interface Around {
  readonly world: Pick<World, "network" | "dns" | "after" | "now">;
  readonly log: Pick<Logger, "error" | "notice">;
  readonly metrics: Metrics;
}

/** An address or a name, and a port. */
export type CollectorAddress = SocketAddress;

/** `192.0.2.5`, `192.0.2.5:9060`, `2001:db8::5`, `[2001:db8::5]:9060`, `homer.example.org:9060`; undefined for anything else. */
export function readCollector(text: string): CollectorAddress | undefined {
  if (isIP(text) !== 0) return { host: text, port: DEFAULT_PORT };
  const place = parseHostPort(text);
  return place && { host: place.host, port: place.port ?? DEFAULT_PORT };
}

/** The capture server: packets go there and are forgotten. Nothing waits for it. */
export class Collector {
  sent = 0;
  lastError = "";
  #socket: DatagramSocket | undefined;
  #to: SocketAddress | undefined;
  #failures = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(readonly target: CollectorAddress, readonly around: Around) {}

  /** Where packets go; "" while nobody knows. */
  get destination(): string {
    return this.#to ? `${this.#to.host}:${this.#to.port}` : "";
  }

  /** Looks the name up and opens the socket; tries again later where that fails. Nobody waits for it. */
  open(): void {
    this.#open().catch((error: unknown) => {
      this.#complain(error instanceof Error ? error.message : String(error));
      this.around.world.after(AGAIN_MS, () => this.open());
    });
  }

  async #open(): Promise<void> {
    const to = await this.#lookUp();
    if (!to) throw new Error("the name was not found");
    this.#socket = await this.around.world.network.bindDatagram({
      host: to.host.includes(":") ? "::" : "0.0.0.0",
      port: 0,
    }, {
      received: () => {}, // a collector says nothing
      unreachable: () => this.#complain("nobody listens there"),
    });
    this.#to = to;
  }

  async #lookUp(): Promise<SocketAddress | undefined> {
    const { host, port } = this.target;
    if (isIP(host) !== 0) return this.target;
    for (const ask of [this.around.world.dns.a, this.around.world.dns.aaaa]) {
      const answer = await ask(host);
      const first = answer.kind === "found" ? answer.records[0] : undefined;
      if (first !== undefined) return { host: first, port };
    }
    return undefined;
  }

  send(bytes: Uint8Array): void {
    if (!this.#to || !this.#socket?.send(bytes, this.#to)) {
      this.around.metrics.count("dropped");
      if (this.#to) this.#complain("it could not be sent");
      return;
    }
    this.sent++;
  }

  #complain(why: string): void {
    this.#failures++;
    this.lastError = why;
    this.around.metrics.count("errors");
    const now = this.around.world.now();
    if (now - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = now;
    this.around.log.error(`capture to ${this.target.host}: ${why}`, { times: this.#failures });
    this.#failures = 0;
  }
}
