import * as v from "valibot";
import { withServer } from "./client.ts";
import { type Command, exit, readArgs } from "./command.ts";
import { locate } from "./location.ts";
import { table } from "./table.ts";

const modules = v.array(v.looseObject({ name: v.string(), state: v.string(), faults: v.number() }));
const transports = v.array(
  v.looseObject({ id: v.string(), protocol: v.string(), address: v.string(), connections: v.number() }),
);
const endpoints = v.array(
  v.looseObject({ id: v.string(), online: v.boolean(), contacts: v.array(v.string()), calls: v.number() }),
);
const calls = v.array(v.looseObject({ id: v.string() }));

/** `patchbay status`: what runs, what listens, who is there. */
export const status: Command = {
  name: "status",
  summary: "Show modules, transports and endpoints of the running server",
  usage: "[-c manifest] [--json]",
  async run(args, terminal) {
    const { values } = readArgs(args, {
      options: { config: { type: "string", short: "c" }, json: { type: "boolean" } },
    });
    return await withServer(locate(values.config), terminal, async (api) => {
      const get = async (path: string) => (await api.call("GET", `/api/v1${path}`)).body;
      const found = {
        modules: v.parse(modules, await get("/modules")),
        transports: v.parse(transports, await get("/transports")),
        endpoints: v.parse(endpoints, await get("/endpoints")),
        calls: v.parse(calls, await get("/calls")),
      };
      if (values.json) {
        terminal.out(JSON.stringify(found, null, 2));
        return exit.done;
      }
      const online = found.endpoints.filter((endpoint) => endpoint.online).length;
      terminal.out(
        `${found.modules.length} modules, ${online} of ${found.endpoints.length} endpoints online, ` +
          `${found.calls.length} call legs`,
      );
      for (const { name, faults } of found.modules.filter((module) => module.state === "disabled")) {
        terminal.out(`module ${name} is disabled after ${faults} faults`);
      }
      const listens = found.transports.map((t) => [t.id, t.protocol, t.address, String(t.connections)]);
      const peers = found.endpoints.map((e) => [
        e.id,
        e.online ? "online" : "offline",
        String(e.calls),
        e.contacts.join(" "),
      ]);
      terminal.out("");
      for (const line of table(["TRANSPORT", "PROTOCOL", "ADDRESS", "CONNECTIONS"], listens)) terminal.out(line);
      terminal.out("");
      for (const line of table(["ENDPOINT", "STATE", "CALLS", "CONTACTS"], peers)) terminal.out(line);
      return exit.done;
    });
  },
};
