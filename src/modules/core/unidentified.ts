import type { ObjectStore } from "../../kernel/objects.ts";
import type { World } from "../../world/world.ts";

const SOURCES = 10_000;

/** Senders nobody knew: when their requests are worth an event. */
export class Unidentified {
  readonly #sources = new Map<string, { count: number; since: number }>();

  constructor(readonly world: Pick<World, "now">, readonly objects: Pick<ObjectStore, "get">) {}

  get size(): number {
    return this.#sources.size;
  }

  /**
   * True: tell it. Where credentials decide who somebody is, the first request without them is normal, so only the
   * `unidentifiedRequestCount`-th within the period counts.
   */
  seen(host: string, byCredentials: boolean): boolean {
    const { period, count } = this.#options();
    const now = this.world.now();
    const known = this.#sources.get(host);
    if (!known || now - known.since > period * 1000) {
      if (this.#sources.size >= SOURCES) this.#prune(now, period);
      this.#sources.set(host, { count: 1, since: now });
      return !byCredentials || count <= 1;
    }
    known.count++;
    return !byCredentials || known.count >= count;
  }

  forget(host: string): void {
    this.#sources.delete(host);
  }

  #prune(now: number, period: number): void {
    for (const [host, { since }] of this.#sources) if (now - since > period * 2000) this.#sources.delete(host);
    if (this.#sources.size >= SOURCES) this.#sources.clear();
  }

  #options(): { readonly period: number; readonly count: number } {
    const values = this.objects.get("global", "")?.values ?? {};
    const number = (name: string, fallback: number) => typeof values[name] === "number" ? values[name] : fallback;
    return { period: number("unidentifiedRequestPeriod", 5), count: number("unidentifiedRequestCount", 5) };
  }
}
