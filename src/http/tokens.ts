import { createHash, timingSafeEqual } from "node:crypto";
import type { ApiRoute } from "../kernel/http.ts";
import type { HttpOptions } from "../kernel/services.ts";
import type { World } from "../world/world.ts";

export type Scope = ApiRoute["scope"];

export interface TokenOwner {
  readonly name: string;
  readonly scope: Scope;
}

interface KnownToken {
  readonly hash: Buffer; // SHA-256
  readonly owner: TokenOwner;
}

const SCOPES: readonly Scope[] = ["read", "write", "admin"];

/** Does a token of this scope open a route of that one? Admin includes write, write includes read. */
export function permits(owned: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(owned) >= SCOPES.indexOf(needed);
}

/** Who may speak to the API. Only hashes are held. */
export class Tokens {
  readonly #known: KnownToken[] = [];

  constructor(localHash: Buffer, configured: HttpOptions["tokens"]) {
    this.#known.push({ hash: localHash, owner: { name: "local", scope: "admin" } });
    for (const [name, { sha256, scope }] of Object.entries(configured)) {
      this.#known.push({ hash: Buffer.from(sha256, "hex"), owner: { name, scope } });
    }
  }

  /** The same tokens with the same scopes. */
  equal(other: Tokens): boolean {
    const text = ({ hash, owner }: KnownToken) => `${hash.toString("hex")} ${owner.scope}`;
    const mine = this.#known.map(text).sort();
    return mine.join() === other.#known.map(text).sort().join();
  }

  /** The owner of `Authorization: Bearer …`; every known hash is compared, each in constant time. */
  owner(authorization: string | null): TokenOwner | undefined {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? "")?.[1];
    const hash = hashOf(token ?? "");
    let found: TokenOwner | undefined;
    for (const known of this.#known) if (timingSafeEqual(known.hash, hash)) found = known.owner;
    return token === undefined ? undefined : found;
  }
}

export function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** The token of the command line: made at the first start, in a file only the owner reads. Answers its hash. */
export async function localToken(path: string, world: Pick<World, "files" | "random">): Promise<Buffer> {
  const stored = await world.files.read(path);
  const token = stored === undefined ? "" : new TextDecoder().decode(stored).trim();
  if (/^[0-9a-f]{64}$/.test(token)) return hashOf(token);
  const fresh = world.random.token(32);
  await world.files.write(path, new TextEncoder().encode(fresh + "\n"), 0o600);
  return hashOf(fresh);
}

const WINDOW_MS = 60_000;
const FAILURES = 5; // per window and source
const MAX_SOURCES = 4096;

/** Counts failed authentications per source address. */
export class FailureLimit {
  readonly #sources = new Map<string, { readonly since: number; count: number }>();

  constructor(readonly world: Pick<World, "now">) {}

  /** Seconds until the source may fail again; 0: it may now. Notes this failure. */
  failed(source: string): number {
    const now = this.world.now();
    let entry = this.#sources.get(source);
    if (!entry || now - entry.since >= WINDOW_MS) {
      this.#sources.delete(source);
      if (this.#sources.size >= MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value ?? "");
      entry = { since: now, count: 0 };
      this.#sources.set(source, entry);
    }
    entry.count++;
    return entry.count <= FAILURES ? 0 : Math.ceil((entry.since + WINDOW_MS - now) / 1000);
  }
}
