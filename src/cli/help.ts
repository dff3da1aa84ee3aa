import { type Command, exit, WrongUse } from "./command.ts";
import { nearest } from "../kernel/nearest.ts";

/** `patchbay help [command]`. */
export const help = (commands: readonly Command[]): Command => ({
  name: "help",
  summary: "Say what a command does",
  usage: "[command]",
  run: async ([name], terminal) => {
    if (name === undefined) {
      terminal.out("patchbay: a SIP server in one executable\n");
      const width = Math.max(...commands.map((command) => command.name.length));
      for (const command of commands) terminal.out(`  ${command.name.padEnd(width)}  ${command.summary}`);
      terminal.out("\npatchbay help <command> says more. Exit status: 0 done, 1 failed, 2 wrong use, 4 not found,");
      terminal.out("69 server not reached, 78 invalid configuration.");
      return exit.done;
    }
    const command = commandNamed(commands, name);
    terminal.out(`patchbay ${command.name} ${command.usage}\n\n${command.summary}`);
    for (const line of command.details ?? []) terminal.out(`  ${line}`);
    return exit.done;
  },
});

/** The command of this name; WrongUse with the nearest one when there is none. */
export function commandNamed(commands: readonly Command[], name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found) return found;
  const near = nearest(name, commands.map((command) => command.name));
  throw new WrongUse(`there is no command "${name}"${near ? `; did you mean "${near}"?` : ""}`);
}
