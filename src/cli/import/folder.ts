// The folder of an Asterisk configuration, as it is on disk.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import type { ConfSource } from "./conf.ts";

export interface ConfFolder {
  /** Files by their names in it; an absolute name, and `*` in the last part, work as in #include. */
  readonly source: ConfSource;
  /** Names of the .conf files in it, sorted. */
  readonly files: readonly string[];
  /** Names of what is in any folder, sorted; none when there is no such folder. */
  list(path: string): readonly string[];
}

/** Rejects by throwing when it is no folder. */
export function openFolder(path: string): ConfFolder {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`there is no folder ${path}`);
  const shown = (file: string) => {
    const short = relative(path, file);
    return short.startsWith("..") ? file : short;
  };
  const list = (folder: string) =>
    statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : [];
  return {
    files: list(path).filter((name) => name.endsWith(".conf")),
    list,
    source(name) {
      const full = isAbsolute(name) ? name : join(path, name);
      const last = basename(full);
      const found = last.includes("*")
        ? list(dirname(full)).filter((one) => wildcard(last).test(one)).map((one) => join(dirname(full), one))
        : [full];
      return found.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
        .map((file) => ({ file: shown(file), text: readFileSync(file, "utf8") }));
    },
  };
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`);
}
