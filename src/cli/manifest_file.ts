import { ConfigError } from "../kernel/errors.ts";
import { type KernelOptions, SetupError } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";
import { exit, type ExitStatus, type Terminal } from "./command.ts";
import type { Location } from "./location.ts";

/** The text of a manifest. Rejects with a ConfigError when there is none. */
export async function readManifest(location: Location, world: Pick<World, "files">): Promise<string> {
  const fault = (message: string) => new ConfigError([{ file: location.shown, line: 1, column: 1, message }]);
  try {
    const bytes = await world.files.read(location.file);
    if (bytes) return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw fault(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw fault("there is no such file; -c names a manifest, or a folder with a modules.json");
}

/** What a kernel needs of a manifest in a file. */
export async function manifestOptions(
  location: Location,
  world: World,
): Promise<Pick<KernelOptions, "world" | "manifest" | "file" | "folder" | "environment" | "readManifest">> {
  return {
    world,
    manifest: await readManifest(location, world),
    file: location.shown,
    folder: location.folder,
    environment: process.env,
    readManifest: () => readManifest(location, world),
  };
}

/** Prints every fault, each on a line with its place; answers the exit status. Other errors are thrown on. */
export function printFaults(error: unknown, terminal: Terminal): ExitStatus {
  if (!(error instanceof ConfigError)) throw error;
  terminal.err(error.message);
  if (error instanceof SetupError) return exit.failed;
  const { length } = error.faults;
  terminal.err(`${length} ${length === 1 ? "fault" : "faults"}; nothing was started`);
  return exit.invalidConfiguration;
}
