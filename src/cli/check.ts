import { ExternalModules } from "../kernel/external.ts";
import { checkManifest } from "../kernel/kernel.ts";
import { type Command, exit, readArgs } from "./command.ts";
import { locate } from "./location.ts";
import { manifestOptions, printFaults } from "./manifest_file.ts";
import type { Rooms } from "./rooms.ts";
import { SecretsFile } from "./secrets_file.ts";

/** `patchbay check`: every fault of a manifest, without opening a socket. */
export const check = (rooms: Rooms): Command => ({
  name: "check",
  summary: "Check a manifest; opens nothing and changes nothing",
  usage: "[-c manifest]",
  async run(args, terminal) {
    const { values } = readArgs(args, { options: { config: { type: "string", short: "c" } } });
    const location = locate(values.config);
    const world = rooms.world();
    const external = new ExternalModules((path) => world.files.read(path));
    const secrets = new SecretsFile(`${location.state}/secrets.json`, world);
    try {
      const { modules, objects } = await checkManifest({
        ...await manifestOptions(location, world),
        modules: rooms.catalog,
        services: rooms.checking,
        generated: async (name) => (await secrets.existing()).get(name) ?? `generated-${name}`,
        importModule: (path, fresh) => external.load(path, fresh),
      });
      terminal.out(`${location.shown}: no faults (${modules.length} modules, ${objects.length} objects)`);
      return exit.done;
    } catch (error) {
      return printFaults(error, terminal);
    }
  },
});
