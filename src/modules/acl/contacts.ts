import { isIP } from "node:net";
import type { SipRequest } from "../../sip/message/message.ts";
import type { World } from "../../world/world.ts";

const MOST_HOSTS = 4;
const LOOKUP_MS = 2000;
const KEPT_MS = 60_000;
const MOST_KEPT = 1000;

/** Addresses of the hosts in Contact. Senders choose the names, so look-ups are few, short and remembered. */
export class ContactHosts {
  readonly #kept = new Map<string, { readonly addresses: readonly string[]; readonly until: number }>();

  constructor(readonly world: Pick<World, "dns" | "after" | "now">) {}

  /** Undefined: more hosts than we look at. A host without address is left out. */
  async addressesOf(request: SipRequest): Promise<readonly string[] | undefined> {
    const hosts = new Set<string>();
    for (const contact of request.headers.all("Contact")) {
      if (contact.star || (contact.uri.scheme !== "sip" && contact.uri.scheme !== "sips")) continue;
      hosts.add(contact.uri.host);
    }
    if (hosts.size > MOST_HOSTS) return undefined;
    return (await Promise.all([...hosts].map((host) => this.#resolve(host)))).flat();
  }

  async #resolve(host: string): Promise<readonly string[]> {
    if (isIP(host)) return [host];
    const kept = this.#kept.get(host);
    if (kept && kept.until > this.world.now()) return kept.addresses;
    const late = Promise.withResolvers<readonly string[]>();
    const timer = this.world.after(LOOKUP_MS, () => late.resolve([]));
    const addresses = await Promise.race([this.#ask(host), late.promise]);
    timer.cancel();
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(host, { addresses, until: this.world.now() + KEPT_MS });
    return addresses;
  }

  async #ask(host: string): Promise<readonly string[]> {
    const answers = await Promise.all([this.world.dns.a(host), this.world.dns.aaaa(host)]);
    return answers.flatMap((answer) => answer.kind === "found" ? answer.records : []);
  }
}
