import { manifestSchema } from "../kernel/manifest_schema.ts";
import { type Command, exit } from "./command.ts";
import type { Rooms } from "./rooms.ts";

/** `patchbay schema`: what modules.schema.json holds, for those who have the executable alone. */
export const schema = (rooms: Pick<Rooms, "catalog">): Command => ({
  name: "schema",
  summary: "Print the JSON Schema of a manifest, for editors",
  usage: "> modules.schema.json",
  run: async (_args, terminal) => {
    terminal.out(JSON.stringify(manifestSchema(rooms.catalog), null, 2));
    return exit.done;
  },
});
