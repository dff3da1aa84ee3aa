import { statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

/** Where a server's files are. */
export interface Location {
  /** Absolute path of the manifest. */
  readonly file: string;
  /** As it is shown in faults: relative to the working folder where that is shorter. */
  readonly shown: string;
  readonly folder: string;
  /** What the server keeps: store, secrets, token. */
  readonly state: string;
}

/** What `-c` names: a manifest, or a folder with a modules.json; without it, the working folder. */
export function locate(named: string | undefined): Location {
  const path = resolve(named ?? ".");
  const file = isFolder(path) ? join(path, "modules.json") : path;
  const near = relative(process.cwd(), file);
  const folder = dirname(file);
  return { file, shown: near.startsWith("..") ? file : near || basename(file), folder, state: join(folder, "state") };
}

/** A folder of Asterisk's configuration: nothing is written there. */
export function asteriskLocation(named: string): Location {
  const folder = resolve(named);
  return { file: join(folder, "modules.json"), shown: `modules.json of ${named}`, folder, state: resolve("state") };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
