// Wires the rooms, makes the media threads, runs one command. The only file that knows everyone.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { catalog } from "./catalog.ts";
import { listCalls } from "./cli/calls.ts";
import { check } from "./cli/check.ts";
import { type Command, exit, type Terminal, WrongUse } from "./cli/command.ts";
import { hangup } from "./cli/hangup.ts";
import { importCommand } from "./cli/import_asterisk.ts";
import { health } from "./cli/health.ts";
import { commandNamed, help } from "./cli/help.ts";
import { media as mediaCommand, type Pipes } from "./cli/media.ts";
import { reload } from "./cli/reload.ts";
import type { OpenOptions, OpenRooms, Rooms } from "./cli/rooms.ts";
import { probe } from "./cli/probe.ts";
import { run } from "./cli/run.ts";
import { schema } from "./cli/schema.ts";
import { status } from "./cli/status.ts";
import { version } from "./cli/version.ts";
import { engine } from "./dialplan/engine.ts";
import { httpEngine as makeHttpEngine } from "./http/server.ts";
import { offer } from "./kernel/kernel.ts";
import { dialplanEngine } from "./kernel/dialplan.ts";
import { httpEngine, media } from "./kernel/services.ts";
import { openMediaPlane } from "./media/plane.ts";
import { SqliteStore } from "./store/sqlite_store.ts";
import { loadCore } from "./worker/core.ts";
import { realWorld } from "./world/real_world.ts";

const makeWorker = () => new Worker(new URL("./worker/worker.ts", import.meta.url).href);

const rooms: Rooms = {
  catalog,
  world: () => realWorld(),
  media: (world, workers) => openMediaPlane({ world, count: workers, worker: makeWorker }),
  checking: [offer(dialplanEngine, engine)],
  async open({ world, location, workers, storeFault }: OpenOptions): Promise<OpenRooms> {
    mkdirSync(location.state, { recursive: true, mode: 0o700 });
    const store = new SqliteStore({ path: join(location.state, "patchbay.sqlite"), world, fault: storeFault });
    const plane = await openMediaPlane({ world, count: workers, worker: makeWorker });
    return {
      store,
      services: [offer(media, plane), offer(httpEngine, makeHttpEngine(location.state, world))],
      async close() {
        await plane.stop();
        store.close();
      },
    };
  },
};

const pipes: Pipes = {
  input: () => Bun.stdin.stream(),
  write: (octets) =>
    new Promise((resolve, reject) => {
      process.stdout.write(octets, (error) => error ? reject(error) : resolve());
    }),
};

const commands: Command[] = [
  run(rooms),
  check(rooms),
  importCommand(rooms),
  probe(rooms),
  status,
  listCalls,
  hangup,
  reload,
  health,
  mediaCommand(loadCore, pipes),
  schema(rooms),
  version,
];
commands.push(help(commands));

const terminal: Terminal = {
  out: (line) => void process.stdout.write(line + "\n"),
  err: (line) => void process.stderr.write(line + "\n"),
};

async function main(args: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = args;
  try {
    if (name === "--version" || name === "-v") return await version.run([], terminal);
    if (name === "--help" || name === "-h") return await help(commands).run([], terminal);
    const command = commandNamed(commands, name);
    if (rest.includes("--help") || rest.includes("-h")) return await help(commands).run([command.name], terminal);
    return await command.run(rest, terminal);
  } catch (error) {
    if (error instanceof WrongUse) {
      terminal.err(`patchbay: ${error.message}\npatchbay help lists the commands`);
      return exit.wrongUse;
    }
    terminal.err(`patchbay: ${error instanceof Error ? error.message : String(error)}`);
    return exit.failed;
  }
}

process.exit(await main(Bun.argv.slice(2)));
