import * as v from "valibot";
import { ExternalModules } from "../../kernel/external.ts";
import { checkManifest } from "../../kernel/kernel.ts";
import { type SipUri, sipUri } from "../../sip/message/uri.ts";
import type { World } from "../../world/world.ts";
import { WrongUse } from "../command.ts";
import { locate } from "../location.ts";
import { manifestOptions } from "../manifest_file.ts";
import type { Rooms } from "../rooms.ts";
import { SecretsFile } from "../secrets_file.ts";

/** The server that a manifest describes, and an account on it. */
export interface ManifestPeer {
  readonly server: SipUri | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Reads the manifest that `-c` names; undefined when there is none there. Its own faults are thrown. */
export async function manifestPeer(
  rooms: Rooms,
  world: World,
  config: string | undefined,
  as: string | undefined,
): Promise<ManifestPeer | undefined> {
  const location = locate(config);
  if (await world.files.read(location.file) === undefined) {
    if (config !== undefined) throw new WrongUse(`no manifest at ${location.shown}`);
    return undefined;
  }
  const external = new ExternalModules((path) => world.files.read(path));
  const secrets = new SecretsFile(`${location.state}/secrets.json`, world);
  const { objects } = await checkManifest({
    ...await manifestOptions(location, world),
    modules: rooms.catalog,
    services: rooms.checking,
    generated: async (name) => (await secrets.existing()).get(name) ?? "",
    importModule: (path, fresh) => external.load(path, fresh),
  });
  const text = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  const auths = objects.filter((o) => o.type === "auth" && text(o.values.password) !== undefined);
  const endpoints = objects.filter((o) => o.type === "endpoint" && (as === undefined || o.id === as));
  const account = endpoints.flatMap((endpoint) => {
    const names = Array.isArray(endpoint.values.auth) ? endpoint.values.auth : [];
    return auths.filter((auth) => names.includes(auth.id)).map((auth) => ({ endpoint, auth }));
  })[0];
  return {
    server: serverOf(objects.filter((o) => o.type === "transport").map((o) => o.values.bind)),
    user: account ? text(account.auth.values.username) ?? account.endpoint.id : as,
    password: account && text(account.auth.values.password),
  };
}

const bindSchema = v.object({ protocol: v.string(), host: v.string(), port: v.number() });

/** Where a program on this machine reaches the first UDP (else any) transport; `binds` as core's schema made them. */
function serverOf(binds: readonly unknown[]): SipUri | undefined {
  const all = binds.flatMap((bind) => v.is(bindSchema, bind) ? [bind] : []);
  const place = all.find((bind) => bind.protocol === "udp") ?? all[0];
  if (place === undefined) return undefined;
  const host = place.host === "0.0.0.0" ? "127.0.0.1" : place.host === "::" ? "::1" : place.host;
  return sipUri("", host, { port: place.port });
}
