import * as v from "valibot";
import { type Answer, reportFault, withServer } from "./client.ts";
import { type Command, exit, type ExitStatus, readArgs, type Terminal, WrongUse } from "./command.ts";
import { locate } from "./location.ts";
import { table } from "./table.ts";

const reloaded = v.object({
  applied: v.boolean(),
  changes: v.array(
    v.object({ module: v.string(), what: v.string(), name: v.string(), change: v.string(), effect: v.string() }),
  ),
});

/** `patchbay reload`: the manifest anew, or one module. Running calls go on. */
export const reload: Command = {
  name: "reload",
  summary: "Reload the manifest, or one module; on any fault the old configuration stays",
  usage: "[-c manifest] [--plan] [--json] [module]",
  details: ["--plan     only say what a reload would change: live, for new calls, or after a restart"],
  async run(args, terminal) {
    const { values, positionals } = readArgs(args, {
      options: { config: { type: "string", short: "c" }, json: { type: "boolean" }, plan: { type: "boolean" } },
    });
    const [module, more] = positionals;
    if (more !== undefined) throw new WrongUse("reload takes one module, or none for the whole manifest");
    if (module !== undefined && values.plan) throw new WrongUse("--plan is for the whole manifest");
    return await withServer(locate(values.config), terminal, async (api) => {
      const answer = module === undefined
        ? await api.call("POST", "/api/v1/reload", { plan: values.plan ?? false })
        : await api.call("POST", `/api/v1/modules/${encodeURIComponent(module)}/reload`, {});
      if (answer.status !== 200) return reportFault(answer, terminal);
      if (values.json) terminal.out(JSON.stringify(answer.body, null, 2));
      else if (module !== undefined) terminal.out(`reloaded ${module}`);
      else return printChanges(answer, terminal);
      return exit.done;
    });
  },
};

function printChanges(answer: Answer, terminal: Terminal): ExitStatus {
  const { applied, changes } = v.parse(reloaded, answer.body);
  if (changes.length === 0) terminal.out("nothing changed");
  else {
    const rows = changes.map(({ module, what, name, change, effect }) => [module, `${what} ${name}`, change, effect]);
    for (const line of table(["MODULE", "WHAT", "CHANGE", "EFFECT"], rows)) terminal.out(line);
    if (!applied) terminal.out("nothing was applied");
  }
  return exit.done;
}
