import { reportFault, withServer } from "./client.ts";
import { type Command, exit, readArgs, WrongUse } from "./command.ts";
import { locate } from "./location.ts";

/** `patchbay hangup <id>`: ends one leg, and with it the call it is bridged to. */
export const hangup: Command = {
  name: "hangup",
  summary: "Hang up a call by its id (see calls)",
  usage: "[-c manifest] [--json] <id>",
  async run(args, terminal) {
    const { values, positionals } = readArgs(args, {
      options: { config: { type: "string", short: "c" }, json: { type: "boolean" } },
    });
    const [id, more] = positionals;
    if (id === undefined || more !== undefined) throw new WrongUse("hangup takes the id of one call");
    return await withServer(locate(values.config), terminal, async (api) => {
      const answer = await api.call("DELETE", `/api/v1/calls/${encodeURIComponent(id)}`);
      if (answer.status !== 204) return reportFault(answer, terminal);
      terminal.out(values.json ? JSON.stringify({ hungUp: id }) : `hung up ${id}`);
      return exit.done;
    });
  },
};
