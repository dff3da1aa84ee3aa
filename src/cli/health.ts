import * as v from "valibot";
import { withServer } from "./client.ts";
import { type Command, exit, readArgs, WrongUse } from "./command.ts";
import { locate } from "./location.ts";

const healthBody = v.object({ status: v.string() });

/** `patchbay health`: for the probes of containers. */
export const health: Command = {
  name: "health",
  summary: "Exit status 0 when the server is live, or ready for calls",
  usage: "[-c manifest] [--live | --ready] [--json]",
  details: ["--live     the process answers", "--ready    it listens and takes calls (default)"],
  async run(args, terminal) {
    const { values } = readArgs(args, {
      options: {
        config: { type: "string", short: "c" },
        json: { type: "boolean" },
        live: { type: "boolean" },
        ready: { type: "boolean" },
      },
    });
    if (values.live && values.ready) throw new WrongUse("health takes --live or --ready, not both");
    return await withServer(locate(values.config), terminal, async (api) => {
      const answer = await api.call("GET", values.live ? "/healthz?live" : "/healthz");
      const read = v.safeParse(healthBody, answer.body);
      const status = read.success ? read.output.status : `the server answered ${answer.status}`;
      terminal.out(values.json ? JSON.stringify({ status }) : status);
      return answer.status === 200 ? exit.done : exit.failed;
    });
  },
};
