import { isAbsolute, normalize } from "node:path";
import type { AnyModule } from "./configuration.ts";
import { ConfigError, type ConfigFault } from "./errors.ts";
import * as hostApi from "./host_api.ts";

interface Known {
  readonly text: string;
  readonly definition: AnyModule;
}

// Copies live as long as the process does, and so does their numbering.
let copies = 0;

/** Modules in files beside the executable. They import the host's API as "patchbay". */
export class ExternalModules {
  readonly #known = new Map<string, Known>();

  constructor(readonly read: (path: string) => Promise<Uint8Array | undefined>) {
    Bun.plugin({
      name: "patchbay",
      setup: (build) => {
        build.module("patchbay", () => ({ exports: { ...hostApi }, loader: "object" }));
      },
    });
  }

  /** The module of a file; the copy that was read before while the file is the same, unless `fresh`. */
  async load(path: string, fresh: boolean): Promise<AnyModule> {
    const file = isAbsolute(path) ? normalize(path) : normalize(`${process.cwd()}/${path}`);
    const bytes = await this.read(file);
    if (!bytes) throw new Error("there is no such file");
    const text = new TextDecoder().decode(bytes);
    const known = this.#known.get(file);
    if (known && known.text === text && !fresh) return known.definition;
    const definition = moduleOf(await importFresh(file));
    this.#known.set(file, { text, definition });
    return definition;
  }
}

/** The module's exports; what the compiler has against it is a ConfigError with the places in the file. */
async function importFresh(file: string): Promise<unknown> {
  try {
    return await import(`${file}?t=${++copies}`); // the query makes it a fresh copy
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error];
    const faults = errors.flatMap((one: unknown) => compilerFault(one));
    throw faults.length > 0 ? new ConfigError(faults, { cause: error }) : error;
  }
}

/** Bun's complaints about a source carry a `position`; others are answered with an empty list. */
function compilerFault(error: unknown): ConfigFault[] {
  if (!(error instanceof BuildMessage || error instanceof ResolveMessage) || !error.position) return [];
  const { file, line, column } = error.position;
  return [{ file: file.replace(/\?t=\d+$/, ""), line, column, message: error.message }];
}

function moduleOf(imported: unknown): AnyModule {
  const definition = typeof imported === "object" && imported !== null && "default" in imported
    ? imported.default
    : undefined;
  if (!isModule(definition)) throw new Error("it has no default export made with defineModule({ name, summary, ... })");
  return definition;
}

function isModule(value: unknown): value is AnyModule {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" &&
    /^\w{1,64}$/.test(value.name) && "setup" in value && typeof value.setup === "function" &&
    "requires" in value && Array.isArray(value.requires) && "options" in value && "summary" in value;
}
