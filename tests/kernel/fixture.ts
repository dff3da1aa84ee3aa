// Modules for the tests of the kernel: a small house with endpoints, aors and auths, and one that adds fields.
import * as v from "valibot";
import { type AnyModule, type Configuration, configure, type Surroundings } from "../../src/kernel/configuration.ts";
import { ConfigError, type ConfigFault } from "../../src/kernel/errors.ts";
import { defineModule } from "../../src/kernel/module.ts";
import { bool, integer, reference, references, seconds, secret } from "../../src/kernel/schema.ts";
import { VirtualUniverse } from "../virtual_world.ts";

export const core = defineModule({
  name: "core",
  summary: "objects",
  requires: [],
  options: v.object({ limits: v.optional(v.object({ calls: integer(50, 1, 1000) }), {}) }),
  objects: {
    endpoint: {
      at: "endpoints",
      schema: v.object({
        context: v.optional(reference("context"), "default"),
        aors: references("aor"),
        auth: references("auth"),
        transport: v.optional(reference("transport")),
        dtmfMode: v.optional(v.picklist(["rfc4733", "inband", "info", "auto"]), "rfc4733"),
      }),
      implies: [
        { type: "auth", field: "auth", when: [], values: (id) => ({ username: id }) },
        { type: "aor", field: "aors", when: ["password"] },
      ],
      effect: "new calls",
    },
    aor: { at: "aors", schema: v.object({ contact: v.optional(v.array(v.string()), []) }) },
    auth: { at: "auths", schema: v.object({ username: v.string(), password: secret() }) },
    transport: { at: "transports", schema: v.object({ bind: v.string() }) },
    global: { at: "global", schema: v.object({ userAgent: v.optional(v.string(), "patchbay") }), singleton: true },
  },
  setup() {},
});

export const registrar = defineModule({
  name: "registrar",
  summary: "keeps contacts",
  requires: ["core"],
  options: v.object({ checkInterval: seconds(30) }),
  fields: { aor: { maxContacts: integer(1, 0, 100) } },
  setup() {},
});

export const nat = defineModule({
  name: "nat",
  summary: "natural numbers",
  requires: ["core"],
  options: v.object({}),
  fields: { endpoint: { forceRport: bool(true) }, global: { natTimer: seconds(5) } },
  setup() {},
});

export const dialplan = defineModule({
  name: "dialplan",
  summary: "contexts",
  requires: ["core"],
  options: v.record(v.string(), v.record(v.string(), v.string())),
  names: (options) => ({ context: Object.keys(options) }),
  check: (options) =>
    Object.entries(options).flatMap(([context, extensions]) =>
      Object.entries(extensions).filter(([, step]) => step === "").map(([extension]) => ({
        path: [context, extension],
        message: "there is no step",
      }))
    ),
  setup() {},
});

export const catalog: readonly AnyModule[] = [core, registrar, nat, dialplan];

export const host = () => new VirtualUniverse().host("192.0.2.1");

/** Configures a manifest with the modules above. */
export async function read(text: string, more: Partial<Surroundings["sources"]> = {}): Promise<Configuration> {
  return await configure(text, "modules.json", {
    catalog,
    sources: {
      environment: { SECRET: "from the environment" },
      folder: ".",
      files: host().files,
      generated: (name) => Promise.resolve(`made for ${name}`),
      ...more,
    },
    importModule: () => Promise.reject(new Error("there is no such file")),
    use: () => {
      throw new Error("there are no services here");
    },
  }, new Map());
}

/** The faults of a manifest, as `line:column message`. */
export async function faults(text: string): Promise<string[]> {
  try {
    await read(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ line, column, message }: ConfigFault) => `${line}:${column} ${message}`);
  }
  return [];
}
