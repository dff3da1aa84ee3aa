import { BlockList, isIP } from "node:net";
import type { World } from "../../world/world.ts";

/** One address, name or network, with a port: "192.0.2.1", "192.0.2.0/24:5070", "[2001:db8::1]:5060", "pbx.example.org". */
interface Entry {
  readonly text: string;
  readonly port: number | undefined;
  readonly addresses: BlockList;
}

/** What is logged: everything, or what passes both filters that are set. */
export class Filter {
  on = false;
  readonly #hosts: Entry[] = [];
  readonly #methods = new Set<string>();

  get hosts(): readonly string[] {
    return this.#hosts.map(({ text }) => text);
  }

  get methods(): readonly string[] {
    return [...this.#methods];
  }

  /** Nothing passes: not worth looking at a message. */
  get idle(): boolean {
    return !this.on && this.#hosts.length === 0 && this.#methods.size === 0;
  }

  clear(): void {
    this.on = false;
    this.#hosts.length = 0;
    this.#methods.clear();
  }

  /** Rejects when the name is unknown; then nothing changed. */
  async addHost(text: string, world: Pick<World, "dns">): Promise<void> {
    this.#hosts.push(await readHost(text, world));
  }

  addMethod(method: string): void {
    this.#methods.add(method.toUpperCase());
  }

  passes(method: string | undefined, host: string, port: number): boolean {
    if (this.on) return true;
    if (this.#methods.size > 0 && (method === undefined || !this.#methods.has(method.toUpperCase()))) return false;
    if (this.#hosts.length === 0) return this.#methods.size > 0;
    const family = host.includes(":") ? "ipv6" : "ipv4";
    return this.#hosts.some((entry) =>
      (entry.port === undefined || entry.port === port) && isIP(host) !== 0 && entry.addresses.check(host, family)
    );
  }
}

async function readHost(text: string, world: Pick<World, "dns">): Promise<Entry> {
  const [, bracketed, plain = "", bits, digits] =
    /^(?:\[([^\]]+)\]|((?:[^:/]|:(?=.*:))+?))(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text) ?? [];
  const bare = isIP(text) === 6 ? text : bracketed ?? plain;
  if (bare === "") throw new Error(`expected an address, a name or a network, found "${text}"`);
  const port = isIP(text) === 6 || digits === undefined ? undefined : Number(digits);
  const addresses = new BlockList();
  for (const address of await lookUp(bare, world)) {
    const family = address.includes(":") ? "ipv6" : "ipv4";
    if (bits === undefined || isIP(text) === 6) addresses.addAddress(address, family);
    else addresses.addSubnet(address, Number(bits), family);
  }
  return { text, port, addresses };
}

async function lookUp(name: string, world: Pick<World, "dns">): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name];
  const [v4, v6] = await Promise.all([world.dns.a(name), world.dns.aaaa(name)]);
  const found = [v4, v6].flatMap((answer) => answer.kind === "found" ? answer.records : []);
  if (found.length === 0) throw new Error(`the name "${name}" is unknown`);
  return found;
}
