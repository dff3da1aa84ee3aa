import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { World } from "../world/world.ts";

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"; // none that look like another
const LENGTH = 14; // 69 bits

/** The values of `${generated:name}`: made once, kept in a file only the owner reads. */
export class SecretsFile {
  #known: Promise<Map<string, string>> | undefined;
  #written: Promise<void> = Promise.resolve();

  constructor(readonly path: string, readonly world: Pick<World, "files" | "random">) {}

  /** The secret of this name, made and written now when there is none. */
  async get(name: string): Promise<string> {
    const known = await (this.#known ??= this.#read());
    const old = known.get(name);
    if (old !== undefined) return old;
    const fresh = Array.from({ length: LENGTH }, () => LETTERS[this.world.random.below(LETTERS.length)]).join("");
    known.set(name, fresh);
    this.#written = this.#written.then(() => this.#write(known));
    await this.#written;
    return fresh;
  }

  /** Those that exist already; none is made. */
  async existing(): Promise<ReadonlyMap<string, string>> {
    return await (this.#known ??= this.#read());
  }

  async #read(): Promise<Map<string, string>> {
    const bytes = await this.world.files.read(this.path);
    if (!bytes) return new Map();
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      const pairs = typeof value === "object" && value !== null ? Object.entries(value) : [];
      return new Map(pairs.map(([name, secret]) => [name, String(secret)]));
    } catch (error) {
      throw new Error(`${this.path} is damaged: mend it, or remove it to get new secrets`, { cause: error });
    }
  }

  async #write(known: ReadonlyMap<string, string>): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const text = JSON.stringify(Object.fromEntries(known), null, 2) + "\n";
    await this.world.files.write(this.path, new TextEncoder().encode(text), 0o600);
  }
}
