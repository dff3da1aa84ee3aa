import type { Dns, World } from "../../world/world.ts";

const MOST_MS = 5000;

/** All addresses a host name stands for, by SRV when asked and there is any; undefined when DNS did not answer in time. */
export async function addressesOf(
  world: Pick<World, "dns" | "after">,
  host: string,
  srv: boolean,
): Promise<ReadonlySet<string> | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = world.after(MOST_MS, () => late.resolve(undefined));
  const found = await Promise.race([lookUp(world.dns, host, srv), late.promise]);
  timer.cancel();
  return found;
}

async function lookUp(dns: Dns, host: string, srv: boolean): Promise<ReadonlySet<string> | undefined> {
  const services = srv ? ["_sip._udp", "_sip._tcp", "_sips._tcp"] : [];
  const answers = await Promise.all(services.map((service) => dns.srv(`${service}.${host}`)));
  const targets = answers.flatMap((answer) =>
    answer.kind === "found" ? answer.records.map(({ target }) => target) : []
  );
  const names = targets.length > 0 ? [...new Set(targets)] : [host];
  const records = await Promise.all(names.flatMap((name) => [dns.a(name), dns.aaaa(name)]));
  const addresses = new Set(records.flatMap((answer) => answer.kind === "found" ? answer.records : []));
  return addresses.size === 0 && records.some(({ kind }) => kind === "unavailable") ? undefined : addresses;
}
