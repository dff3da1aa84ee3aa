import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { checkManifest } from "../kernel/kernel.ts";
import { ConfigError } from "../kernel/errors.ts";
import { type Command, exit, readArgs, type Terminal, WrongUse } from "./command.ts";
import { importAsterisk, type Imported } from "./import/asterisk.ts";
import { openFolder } from "./import/folder.ts";
import { printFaults } from "./manifest_file.ts";
import type { World } from "../world/world.ts";
import type { Rooms } from "./rooms.ts";
import { VERSION } from "./version.ts";

/** Reads an Asterisk configuration; the manifest it answers starts. Throws a ConfigError when none can be made. */
export async function readAsterisk(path: string, rooms: Rooms): Promise<Imported> {
  const head = [`Made by patchbay ${VERSION} from ${path}`, "What became of every line is in import-report.txt"];
  return await importAsterisk(openFolder(path), rooms.catalog, head, async (manifest) => {
    await checkManifest({
      world: rooms.world(),
      manifest,
      file: "modules.json",
      folder: path,
      environment: process.env,
      modules: rooms.catalog,
      services: rooms.checking,
      readManifest: async () => manifest,
      generated: async (name) => `generated-${name}`,
      importModule: () => Promise.reject(new Error("an import has no modules of its own")),
    });
  });
}

/** `patchbay import asterisk <dir> --out <dir>`. */
export const importCommand = (rooms: Rooms): Command => ({
  name: "import",
  summary: "Turn a folder of Asterisk's configuration into a manifest",
  usage: "asterisk <folder> --out <folder>",
  details: [
    "Reads pjsip.conf, extensions.conf and the files beside them, and writes into the folder of --out:",
    "modules.json       the manifest, with the passwords in it: only its owner may read it",
    "import-report.txt  every line: taken, changed and why, or without a counterpart",
    "ari.json           the users of ari.conf, if there are any",
  ],
  async run(args, terminal) {
    const { values, positionals } = readArgs(args, { options: { out: { type: "string" } } });
    const [what, folder, ...more] = positionals;
    if (what !== "asterisk" || folder === undefined || more.length > 0) {
      throw new WrongUse("import expects: asterisk <folder> --out <folder>");
    }
    if (values.out === undefined) throw new WrongUse("--out names the folder for the manifest");
    try {
      const imported = await readAsterisk(folder, rooms);
      await writeAll(values.out, imported, rooms.world());
      printSummary(imported, values.out, terminal);
      return exit.done;
    } catch (error) {
      if (error instanceof ConfigError) return printFaults(error, terminal);
      throw error;
    }
  },
});

/** What an import made may be made anew; what somebody wrote stays. */
const MADE = "// Made by patchbay ";

async function writeAll(out: string, imported: Imported, { files }: Pick<World, "files">): Promise<void> {
  const { manifest, report, ariUsers } = imported;
  const target = join(out, "modules.json");
  const there = await files.read(target);
  if (there && !new TextDecoder().decode(there).startsWith(MADE)) {
    throw new Error(`${target} is there already, and no import made it: name another folder`);
  }
  await mkdir(out, { recursive: true });
  const encoder = new TextEncoder();
  await files.write(target, encoder.encode(manifest.text), 0o600);
  await files.write(join(out, "import-report.txt"), encoder.encode(report.text()), 0o644);
  if (ariUsers.length === 0) return;
  await files.write(join(out, "ari.json"), encoder.encode(JSON.stringify({ users: ariUsers }, null, 2) + "\n"), 0o600);
}

function printSummary({ report }: Imported, out: string, terminal: Terminal): void {
  terminal.out(report.text(["missing", "changed"]));
  const [taken, changed, missing] = [report.count("taken"), report.count("changed"), report.count("missing")];
  terminal.out(`${taken} lines taken, ${changed} changed, ${missing} without counterpart`);
  terminal.out(`wrote ${join(out, "modules.json")}; all of it is in ${join(out, "import-report.txt")}`);
}
