import packageJson from "../../package.json" with { type: "json" };
import { type Command, exit } from "./command.ts";

export const VERSION = packageJson.version;

/** `patchbay version` and `patchbay --version`. */
export const version: Command = {
  name: "version",
  summary: "Print the version",
  usage: "",
  run: async (_args, terminal) => {
    terminal.out(`patchbay ${VERSION}`);
    return exit.done;
  },
};
