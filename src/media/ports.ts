import type { World } from "../world/world.ts";

const REST_MS = 5000; // late packets of the last call find nobody

/**
 * The even ports of a range, per host: which are in use or rest after use. Chosen at random, so that a port tells an
 * attacker nothing about the next.
 */
export class PortPool {
  readonly #taken = new Set<string>();

  constructor(readonly world: Pick<World, "random" | "after">) {}

  /** Reserves up to `count` first ports of free pairs, in random order; fewer when the range is nearly exhausted. */
  reserve(host: string, range: readonly [number, number], count: number): number[] {
    const first = range[0] + range[0] % 2;
    const pairs = Math.floor((range[1] - first + 1) / 2);
    const chosen: number[] = [];
    if (pairs <= 0) return chosen;
    const start = this.world.random.below(pairs);
    const step = this.#step(pairs);
    for (let i = 0; i < pairs && chosen.length < count; i++) {
      const port = first + 2 * ((start + i * step) % pairs);
      if (this.#taken.has(`${host} ${port}`)) continue;
      this.#taken.add(`${host} ${port}`);
      chosen.push(port);
    }
    return chosen;
  }

  /** A step that visits every pair once: it shares no factor with their number. */
  #step(pairs: number): number {
    if (pairs < 3) return 1;
    let step = 1 + this.world.random.below(pairs - 1);
    while (gcd(step, pairs) !== 1) step = step % (pairs - 1) + 1;
    return step;
  }

  /** A reserved pair that was not opened. */
  release(host: string, port: number): void {
    this.#taken.delete(`${host} ${port}`);
  }

  /** A pair that was closed: free again after 5 s. */
  rest(host: string, port: number): void {
    this.world.after(REST_MS, () => this.release(host, port));
  }

  /** Pairs in use or at rest. */
  get size(): number {
    return this.#taken.size;
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
