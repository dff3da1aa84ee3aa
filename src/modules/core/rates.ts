import { BlockList, isIP } from "node:net";
import type { World } from "../../world/world.ts";
import type { Limits } from "./objects.ts";

const KNOWN_MS = 3_600_000; // a source that authenticated stays known for an hour

interface Source {
  tokens: number;
  filledAt: number;
  failures: number;
  failuresSince: number;
  blockedUntil: number;
  knownUntil: number;
  droppedAt: number; // when the last event about it was due
}

/** How much each source may ask. One row per source (IPv4 address, IPv6 /64), the least recent goes. */
export class Rates {
  readonly #sources = new Map<string, Source>();
  #exempt = new BlockList();
  #blocked = 0; // sources that were blocked and not yet looked at again
  #all = { tokens: 0, filledAt: 0 };
  #limits: Limits;

  constructor(readonly world: Pick<World, "now">, limits: Limits) {
    this.#limits = limits;
    this.#all = { tokens: limits.allStrangersRate, filledAt: world.now() };
    this.setLimits(limits);
  }

  setLimits(limits: Limits): void {
    this.#limits = limits;
    this.#exempt = new BlockList();
    for (const network of limits.exempt) {
      const [address = "", bits] = network.split("/");
      const family = address.includes(":") ? "ipv6" : "ipv4";
      if (bits === undefined) this.#exempt.addAddress(address, family);
      else this.#exempt.addSubnet(address, Number(bits), family);
    }
  }

  get size(): number {
    return this.#sources.size;
  }

  /** False: nothing of this source is looked at. Costs nothing while nobody is blocked. */
  heard(host: string): boolean {
    if (this.#blocked === 0) return true;
    const source = this.#sources.get(sourceKey(host));
    if (!source || source.blockedUntil === 0) return true;
    if (source.blockedUntil > this.world.now()) return false;
    source.blockedUntil = 0;
    this.#blocked--;
    return true;
  }

  /** One more request. "report": it is over the rate, and nobody was told in the last ten seconds. */
  take(host: string): "pass" | "drop" | "report" {
    const now = this.world.now();
    const source = this.#source(host, now);
    const known = source.knownUntil > now;
    const rate = known ? this.#limits.knownRate : this.#limits.strangerRate;
    const burst = known ? this.#limits.knownRate * 2 : this.#limits.strangerBurst;
    source.tokens = Math.min(burst, source.tokens + (now - source.filledAt) / 1000 * rate);
    source.filledAt = now;
    const all = this.#all;
    if (!known) {
      const most = this.#limits.allStrangersRate;
      all.tokens = Math.min(most, all.tokens + (now - all.filledAt) / 1000 * most);
      all.filledAt = now;
    }
    if (source.tokens >= 1 && (known || all.tokens >= 1)) {
      source.tokens--;
      if (!known) all.tokens--;
      return "pass";
    }
    if (this.#exempted(host)) return "pass";
    if (now - source.droppedAt < 10_000) return "drop";
    source.droppedAt = now;
    return "report";
  }

  /** The source showed who it is. */
  known(host: string): void {
    const now = this.world.now();
    const source = this.#source(host, now);
    source.knownUntil = now + KNOWN_MS;
    source.failures = 0;
  }

  isKnown(host: string): boolean {
    return (this.#sources.get(sourceKey(host))?.knownUntil ?? 0) > this.world.now();
  }

  /** Wrong credentials. True when the source is blocked from now on. */
  failed(host: string): boolean {
    const now = this.world.now();
    const source = this.#source(host, now);
    if (now - source.failuresSince > this.#limits.failureWindow * 1000) {
      source.failures = 0;
      source.failuresSince = now;
    }
    source.failures++;
    if (source.failures < this.#limits.failures || this.#exempted(host)) return false;
    source.failures = 0;
    if (source.blockedUntil === 0) this.#blocked++;
    source.blockedUntil = now + this.#limits.blockTime * 1000;
    return true;
  }

  #exempted(host: string): boolean {
    return this.#limits.exempt.length > 0 && isIP(host) !== 0 &&
      this.#exempt.check(host, host.includes(":") ? "ipv6" : "ipv4");
  }

  #source(host: string, now: number): Source {
    const key = sourceKey(host);
    const known = this.#sources.get(key);
    if (known) return known;
    if (this.#sources.size >= this.#limits.sources) this.#forget();
    const source: Source = {
      tokens: this.#limits.strangerBurst,
      filledAt: now,
      failures: 0,
      failuresSince: now,
      blockedUntil: 0,
      knownUntil: 0,
      droppedAt: -Infinity,
    };
    this.#sources.set(key, source);
    return source;
  }

  /** The oldest tenth, but no source that is blocked, and nobody who showed who it is: a flood must not make it a stranger. */
  #forget(): void {
    const now = this.world.now();
    let left = Math.ceil(this.#limits.sources / 10);
    for (const [key, source] of this.#sources) {
      if (left-- <= 0) return;
      if (source.blockedUntil === 0 && source.knownUntil < now) this.#sources.delete(key);
    }
  }
}

/** An IPv6 host owns a whole /64: its first four groups name it. */
function sourceKey(host: string): string {
  if (!host.includes(":")) return host;
  const [head = "", tail] = host.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4).join(":");
}
