import { availableParallelism } from "node:os";
import type { Events } from "../kernel/events.ts";
import { ExternalModules } from "../kernel/external.ts";
import { bootKernel, type Kernel } from "../kernel/kernel.ts";
import { type LogLevel, moduleLogger } from "../kernel/log.ts";
import { join } from "node:path";
import { TOKEN_FILE } from "../http/server.ts";
import { banner } from "./banner.ts";
import { ApiClient } from "./client.ts";
import { type Command, exit, type ExitStatus, readArgs, readCount, type Terminal, WrongUse } from "./command.ts";
import { readAsterisk } from "./import_asterisk.ts";
import { openLog } from "./log_output.ts";
import { asteriskLocation, locate, type Location } from "./location.ts";
import { manifestOptions, printFaults } from "./manifest_file.ts";
import type { OpenRooms, Rooms } from "./rooms.ts";
import { SecretsFile } from "./secrets_file.ts";
import { SecurityLog } from "./security_log.ts";
import { stopGently } from "./stop.ts";
import { systemNotify } from "./system_notify.ts";
import { VERSION } from "./version.ts";

const flags = {
  config: { type: "string", short: "c" },
  asterisk: { type: "string" },
  workers: { type: "string" },
  grace: { type: "string" },
  log: { type: "string" },
  "log-json": { type: "boolean" },
} as const;

/** `patchbay run`: the server, until SIGTERM. */
export const run = (rooms: Rooms): Command => ({
  name: "run",
  summary: "Run the server (SIGTERM ends it gently, SIGHUP reloads the manifest)",
  usage: "[-c manifest | --asterisk folder] [--workers N] [--grace seconds] [--log level] [--log-json]",
  details: [
    "-c         the manifest, or its folder (default: ./modules.json); what the server keeps goes to state/ beside it",
    "--asterisk a folder of Asterisk's configuration, imported in memory; state/ is in the working folder",
    "--workers  media threads (default: one per core beyond the first)",
    "--grace    how long running calls may go on after SIGTERM before they get a BYE (default 2, at most 8)",
    "--log      lowest level to show: debug, verbose, info, notice, warning, error (default info)",
    "--log-json one JSON object per line",
  ],
  async run(args, terminal) {
    const { values } = readArgs(args, { options: flags });
    const workers = readCount(values.workers, Math.max(1, availableParallelism() - 1), "workers", 1, 64);
    const graceSeconds = readCount(values.grace, 2, "grace", 0, 8);
    const writeLog = openLog({ lowest: level(values.log), json: values["log-json"] === true });
    const started = performance.now();
    if (values.config !== undefined && values.asterisk !== undefined) {
      throw new WrongUse("-c and --asterisk both name a configuration");
    }
    const location = values.asterisk === undefined ? locate(values.config) : asteriskLocation(values.asterisk);
    const world = rooms.world();
    const log = moduleLogger("host", writeLog);
    const external = new ExternalModules((path) => world.files.read(path));
    const secrets = new SecretsFile(`${location.state}/secrets.json`, world);
    const signals = new Signals();
    if (process.getuid?.() === 0) log.warning("runs as root: give it a user of its own");
    // A module's forgotten rejection must not end everybody's calls.
    process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error, stack: stackOf(error) }));
    process.on("uncaughtException", (error) => log.error("uncaught exception", { error, stack: stackOf(error) }));

    let kernel: Kernel | undefined;
    let open: OpenRooms | undefined;
    const storeFault = (why: string) => {
      log.error("store fault", { why });
      kernel?.host.events.emit("store.fault", { why });
      kernel?.host.events.emit("security", { event: "StoreFault", severity: "Error", fields: { Why: why } });
    };
    try {
      kernel = await bootKernel({
        ...await (values.asterisk === undefined
          ? manifestOptions(location, world)
          : asteriskOptions(values.asterisk, location, rooms, terminal)),
        modules: rooms.catalog,
        services: rooms.checking,
        open: async () => open = await rooms.open({ world, location, workers, log: writeLog, storeFault }),
        log: writeLog,
        generated: (name) => secrets.get(name),
        importModule: (path, fresh) => external.load(path, fresh),
      });
    } catch (error) {
      await open?.close();
      return printFaults(error, terminal);
    }
    const security = new SecurityLog((line) => terminal.err(line), process.pid);
    kernel.host.events.all((name, data, at) => {
      if (name === "security") security.event(data as Events["security"], at); // the name says so
    });
    await announce(kernel, secrets, location, terminal);
    terminal.out(`ready in ${Math.round(performance.now() - started)} ms`);
    systemNotify("READY=1", process.env.NOTIFY_SOCKET);
    for await (const signal of signals.all()) {
      if (signal !== "SIGHUP") break;
      await reload(kernel, terminal);
    }
    systemNotify("STOPPING=1", process.env.NOTIFY_SOCKET);
    await stopGently(kernel, world, graceSeconds * 1000);
    await open?.close();
    return exit.done;
  },
});

/** Like `manifestOptions`, of a manifest that is made anew from the folder at every reload. */
async function asteriskOptions(folder: string, location: Location, rooms: Rooms, terminal: Terminal) {
  const readManifest = async () => {
    const { manifest, report } = await readAsterisk(folder, rooms);
    const [changed, missing] = [report.count("changed"), report.count("missing")];
    terminal.out(`${folder}: ${report.count("taken")} lines taken, ${changed} changed, ${missing} without counterpart`);
    return manifest.text;
  };
  return {
    world: rooms.world(),
    manifest: await readManifest(),
    file: location.shown,
    folder: location.folder,
    environment: process.env,
    readManifest,
  };
}

async function announce(kernel: Kernel, secrets: SecretsFile, location: Location, terminal: Terminal): Promise<void> {
  const managed = kernel.modules.some((module) => module.name === "management");
  const api = managed ? `${ApiClient.of(location).url}, token in ${join(location.state, TOKEN_FILE)}` : undefined;
  terminal.out(`patchbay ${VERSION}, ${location.shown}`);
  for (const line of banner(kernel, (await secrets.existing()).values(), api)) terminal.out(line);
}

/** SIGHUP: the manifest is checked first, and the old one stays on any fault. */
async function reload(kernel: Kernel, terminal: Terminal): Promise<void> {
  systemNotify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, process.env.NOTIFY_SOCKET);
  try {
    const changes = await kernel.reload();
    if (changes.length === 0) terminal.out("reload: nothing changed");
    for (const { module, what, name, change, effect } of changes) {
      const subject = name === "" ? `${what} ${module}` : `${module}: ${what} ${name}`;
      terminal.out(`reload: ${subject} ${change} (${effect === "restart" ? "needs a restart" : effect})`);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    terminal.err(`${reason}\nreload: the old configuration stays`);
  } finally {
    systemNotify("READY=1", process.env.NOTIFY_SOCKET);
  }
}

/** The signals of the process in order; the second to stop ends it at once. */
class Signals {
  readonly #waiting: NodeJS.Signals[] = [];
  #wake = () => {};
  #stops = 0;

  constructor() {
    for (const name of ["SIGHUP", "SIGTERM", "SIGINT"] as const) process.on(name, () => this.#came(name));
  }

  #came(name: NodeJS.Signals): void {
    if (name !== "SIGHUP" && ++this.#stops > 1) process.exit(exit.failed satisfies ExitStatus);
    this.#waiting.push(name);
    this.#wake();
  }

  async *all(): AsyncGenerator<NodeJS.Signals> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) yield next;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

function level(text: string | undefined): LogLevel {
  const found = (["debug", "verbose", "info", "notice", "warning", "error"] as const).find((one) => one === text);
  return found ?? "info";
}

const stackOf = (error: unknown) => error instanceof Error ? error.stack?.split("\n")[1]?.trim() : undefined;
