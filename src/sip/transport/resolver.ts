// Where the next hop of a request is (RFC 3263): protocol, address and port, best first.
import { isIP } from "node:net";
import type { DnsAnswer, SrvRecord, World } from "../../world/world.ts";
import type { SipUri } from "../message/uri.ts";
import type { Destination, Protocol } from "./flow.ts";
import { defaultPort } from "./received.ts";

const FAILURE_SECONDS = 30;
const LONGEST_SECONDS = 3600;
const ENTRIES = 10_000;
const OUTSTANDING = 100;
const MOST_DESTINATIONS = 32;
const LONGEST_NAME = 256;

/** Whether we have a transport of that protocol and address family. */
export type Usable = (protocol: Protocol, ipv6: boolean) => boolean;

const services: Readonly<Record<string, Protocol>> = { "SIPS+D2T": "tls", "SIP+D2U": "udp", "SIP+D2T": "tcp" };
const names: readonly (readonly [prefix: string, protocol: Protocol])[] = [
  ["_sips._tcp", "tls"],
  ["_sip._udp", "udp"],
  ["_sip._tcp", "tcp"],
];

interface Kept {
  readonly answer: DnsAnswer<unknown>;
  readonly until: number;
}

/** Looks names up and remembers what it heard. Holds no socket of its own. */
export class Resolver {
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<DnsAnswer<unknown>>>();

  constructor(readonly world: Pick<World, "now" | "dns" | "random">) {}

  /** An address needs no lookup; undefined: `resolve` has to ask. */
  literal(uri: SipUri, usable: Usable): readonly Destination[] | undefined {
    if (isIP(uri.host) === 0) return undefined;
    const ipv6 = uri.host.includes(":");
    const protocol = wanted(uri, (candidate) => usable(candidate, ipv6));
    if (!protocol) return [];
    return [destination(protocol, uri.host, uri.port ?? portOf(protocol), uri.host)];
  }

  /** Empty: nothing was found that we can reach. */
  async resolve(uri: SipUri, usable: Usable): Promise<readonly Destination[]> {
    const literal = this.literal(uri, usable);
    if (literal) return literal;
    const { host } = uri;
    if (host.length > LONGEST_NAME) return [];
    const any = (protocol: Protocol) => usable(protocol, false) || usable(protocol, true);
    if (uri.port !== undefined) {
      const protocol = wanted(uri, any);
      return protocol ? await this.#addresses(host, uri.port, protocol, host, usable) : [];
    }
    const allowed = (protocol: Protocol) => any(protocol) && fits(uri, protocol);
    // Asked together, so that a name without NAPTR and SRV costs one round trip.
    const pointers = this.#naptr(host, allowed);
    const found = names.filter(([, protocol]) => allowed(protocol))
      .map(async ([prefix, protocol]) => ({ protocol, records: await this.#srv(`${prefix}.${host}`) }));
    const protocol = wanted(uri, any);
    const plain = protocol && this.#addresses(host, portOf(protocol), protocol, host, usable);
    const byPointer = uri.params.has("transport") ? [] : await pointers;
    const services = byPointer.length > 0 ? byPointer : await Promise.all(found);
    const destinations: Destination[] = [];
    for (const service of services) {
      for (const { target, port } of this.#ordered(service.records)) {
        if (destinations.length >= MOST_DESTINATIONS) break;
        destinations.push(...await this.#addresses(target, port, service.protocol, host, usable));
      }
    }
    return (destinations.length > 0 ? destinations : await plain ?? []).slice(0, MOST_DESTINATIONS);
  }

  /** The services of the first order that has one we can use. */
  async #naptr(host: string, allowed: (protocol: Protocol) => boolean) {
    const answer = await this.#ask("NAPTR", host, () => this.world.dns.naptr(host));
    if (answer.kind !== "found") return [];
    const usable = answer.records
      .map((record) => ({ ...record, protocol: services[record.service.toUpperCase()] }))
      .filter(({ flags, protocol }) => flags.toLowerCase() === "s" && protocol !== undefined && allowed(protocol))
      .sort((a, b) => a.order - b.order || a.preference - b.preference);
    const first = usable.filter(({ order }) => order === usable[0]?.order);
    return await Promise.all(first.map(async ({ protocol, replacement }) => ({
      protocol: protocol ?? "udp",
      records: await this.#srv(replacement.replace(/\.$/, "")),
    })));
  }

  async #srv(name: string): Promise<readonly SrvRecord[]> {
    const answer = await this.#ask("SRV", name, () => this.world.dns.srv(name));
    if (answer.kind !== "found") return [];
    return answer.records.filter(({ target, port }) => target !== "" && target !== "." && port > 0);
  }

  /** By priority; among equals at random by weight (RFC 2782). */
  #ordered(records: readonly SrvRecord[]): readonly SrvRecord[] {
    const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
    const ordered: SrvRecord[] = [];
    while (left.length > 0) {
      const equals = left.filter(({ priority }) => priority === left[0]?.priority);
      let drawn = this.world.random.below(equals.reduce((sum, { weight }) => sum + weight, 0) + 1);
      const chosen = equals.find(({ weight }) => (drawn -= weight) <= 0) ?? equals[0];
      if (!chosen) break;
      ordered.push(chosen);
      left.splice(left.indexOf(chosen), 1);
    }
    return ordered;
  }

  async #addresses(
    name: string,
    port: number,
    protocol: Protocol,
    serverName: string,
    usable: Usable,
  ): Promise<readonly Destination[]> {
    const host = name.replace(/\.$/, "");
    if (isIP(host) !== 0) return [destination(protocol, host, port, serverName)];
    const none: DnsAnswer<string> = { kind: "absent" };
    const [v6, v4] = await Promise.all([
      usable(protocol, true) ? this.#ask("AAAA", host, () => this.world.dns.aaaa(host)) : none,
      usable(protocol, false) ? this.#ask("A", host, () => this.world.dns.a(host)) : none,
    ]);
    return [v6, v4].flatMap((answer) => answer.kind === "found" ? answer.records : [])
      .map((address) => destination(protocol, address, port, serverName));
  }

  async #ask<T>(type: string, name: string, query: () => Promise<DnsAnswer<T>>): Promise<DnsAnswer<T>> {
    const key = `${type} ${name.toLowerCase()}`;
    const kept = this.#kept.get(key);
    // Under a key stands what its own type of query answered.
    if (kept && kept.until > this.world.now()) return kept.answer as DnsAnswer<T>;
    const running = this.#asked.get(key);
    if (running) return await running as DnsAnswer<T>;
    if (this.#asked.size >= OUTSTANDING) return { kind: "unavailable", why: "too many lookups" };
    const asking = query();
    this.#asked.set(key, asking);
    const answer = await asking;
    this.#asked.delete(key);
    const seconds = answer.kind === "found" ? Math.min(answer.ttlSeconds, LONGEST_SECONDS) : FAILURE_SECONDS;
    if (this.#kept.size >= ENTRIES) this.#kept.clear();
    this.#kept.set(key, { answer, until: this.world.now() + seconds * 1000 });
    return answer;
  }
}

/** The protocol a URI asks for; without a wish UDP, or what we have. */
function wanted(uri: SipUri, usable: (protocol: Protocol) => boolean): Protocol | undefined {
  return (["udp", "tcp", "tls"] as const).find((protocol) => usable(protocol) && fits(uri, protocol));
}

function fits(uri: SipUri, protocol: Protocol): boolean {
  if (uri.scheme === "sips") return protocol === "tls";
  const asked = uri.params.get("transport")?.toLowerCase();
  return asked === undefined || asked === "" || asked === protocol;
}

const portOf = (protocol: Protocol) => defaultPort(protocol.toUpperCase());

const destination = (protocol: Protocol, host: string, port: number, serverName: string): Destination => ({
  protocol,
  address: { host, port },
  ...(protocol === "tls" ? { serverName } : {}),
});
