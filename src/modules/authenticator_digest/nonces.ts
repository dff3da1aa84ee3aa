import { createHmac } from "node:crypto";
import { equalDigests } from "../../sip/digest.ts";
import type { Random } from "../../world/world.ts";

const MOST_USED = 10_000;

/**
 * Nonces without a table of those given out: `<seconds>/<salt>/<HMAC over both, the source address and the realm>`. Only
 * a nonce that came with a right digest is remembered, with its highest nc.
 */
export class Nonces {
  readonly #used = new Map<string, number>(); // least recent first

  constructor(
    readonly world: { now(): number; readonly random: Random },
    readonly key: Uint8Array,
  ) {}

  issue(source: string, realm: string): string {
    const start = `${Math.floor(this.world.now() / 1000)}/${this.world.random.token(8)}`;
    return `${start}/${this.#seal(start, source, realm)}`;
  }

  /** Ours, for this source and realm, and not older than `lifetimeSeconds`. */
  fresh(nonce: string, source: string, realm: string, lifetimeSeconds: number): boolean {
    const [seconds = "", salt = "", seal = ""] = nonce.length > 200 ? [] : nonce.split("/");
    if (!/^[0-9]{1,12}$/.test(seconds)) return false;
    const age = this.world.now() / 1000 - Number(seconds);
    const genuine = equalDigests(seal, this.#seal(`${seconds}/${salt}`, source, realm));
    return genuine && age >= 0 && age <= lifetimeSeconds;
  }

  /** Notes the use of a nonce; false when this nc, or a higher one, was used before. */
  use(nonce: string, nc: number): boolean {
    if (nc <= (this.#used.get(nonce) ?? 0)) return false;
    this.#used.delete(nonce);
    this.#used.set(nonce, nc);
    if (this.#used.size > MOST_USED) {
      for (const oldest of this.#used.keys()) {
        this.#used.delete(oldest);
        break;
      }
    }
    return true;
  }

  #seal(start: string, source: string, realm: string): string {
    return createHmac("sha256", this.key).update(`${start}/${source}/${realm}`).digest("hex").slice(0, 32);
  }
}
