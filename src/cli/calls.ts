import * as v from "valibot";
import { reportFault, withServer } from "./client.ts";
import { type Command, exit, readArgs } from "./command.ts";
import { locate } from "./location.ts";
import { table } from "./table.ts";

const calls = v.array(v.looseObject({
  id: v.string(),
  endpoint: v.string(),
  direction: v.string(),
  state: v.string(),
  caller: v.string(),
  called: v.string(),
  codec: v.optional(v.string(), ""),
  encryption: v.optional(v.string()),
  seconds: v.number(),
}));

/** `patchbay calls`: the legs of all calls. */
export const listCalls: Command = {
  name: "calls",
  summary: "List the legs of all calls",
  usage: "[-c manifest] [--json]",
  async run(args, terminal) {
    const { values } = readArgs(args, {
      options: { config: { type: "string", short: "c" }, json: { type: "boolean" } },
    });
    return await withServer(locate(values.config), terminal, async (api) => {
      const answer = await api.call("GET", "/api/v1/calls");
      if (answer.status !== 200) return reportFault(answer, terminal);
      if (values.json) {
        terminal.out(JSON.stringify(answer.body, null, 2));
        return exit.done;
      }
      const rows = v.parse(calls, answer.body).map((call) => [
        call.id,
        call.endpoint,
        call.direction,
        call.state,
        call.caller,
        call.called,
        call.encryption === undefined ? call.codec : `${call.codec} SRTP`,
        `${Math.floor(call.seconds / 60)}:${String(call.seconds % 60).padStart(2, "0")}`,
      ]);
      const heading = ["ID", "ENDPOINT", "DIRECTION", "STATE", "CALLER", "CALLED", "CODEC", "TIME"];
      if (rows.length === 0) terminal.out("no calls");
      else for (const line of table(heading, rows)) terminal.out(line);
      return exit.done;
    });
  },
};
