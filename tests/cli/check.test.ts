import { afterEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "../../src/cli/check.ts";
import { type Command, WrongUse } from "../../src/cli/command.ts";
import { commandNamed, help } from "../../src/cli/help.ts";
import type { Rooms } from "../../src/cli/rooms.ts";
import { version } from "../../src/cli/version.ts";
import { realWorld } from "../../src/world/real_world.ts";
import { catalog } from "../kernel/fixture.ts";
import { run } from "./server.ts";

const rooms: Rooms = {
  catalog,
  world: () => realWorld(),
  checking: [],
  media: () => Promise.reject(new Error("a check opens nothing")),
  open: () => Promise.reject(new Error("a check opens nothing")),
};
const command = check(rooms);
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function folderWith(manifest: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "patchbay-check-"));
  folders.push(folder);
  await writeFile(join(folder, "modules.json"), manifest);
  return folder;
}

test("check answers 0 for a manifest without faults, and writes nothing", async () => {
  const folder = await folderWith('{ "core": { "endpoints": { "a": { "password": "${generated:a}" } } } }');
  const outcome = await run(command, "-c", folder);
  expect(outcome).toMatchObject({ status: 0, err: "" });
  expect(outcome.out).toContain("modules.json: no faults (1 modules, 4 objects)");
  expect(existsSync(join(folder, "state"))).toBe(false);
});

test("check answers 78 with every fault at its place", async () => {
  const folder = await folderWith('{\n  "core": { "limts": {} },\n  "registar": {}\n}');
  const { status, err } = await run(command, "-c", join(folder, "modules.json"));
  expect(status).toBe(78);
  expect(err).toContain('modules.json:2:13: core: unknown key "limts"; did you mean "limits"?');
  expect(err).toContain('modules.json:3:3: there is no module "registar"; did you mean "registrar"?');
  expect(err).toEndWith("2 faults; nothing was started");
});

test("a manifest that is not there is an invalid configuration", async () => {
  const { status, err } = await run(command, "-c", "/nowhere/at/all");
  expect(status).toBe(78);
  expect(err).toContain("/nowhere/at/all:1:1: there is no such file");
});

test("an unknown option or command is wrong use, with the nearest name", async () => {
  expect(run(command, "--colour")).rejects.toBeInstanceOf(WrongUse);
  const commands: Command[] = [command, version];
  expect(() => commandNamed(commands, "chek")).toThrow('there is no command "chek"; did you mean "check"?');
});

test("help lists every command, and says how one is used", async () => {
  const commands: Command[] = [command, version];
  const all = await run(help(commands));
  for (const { name, summary } of commands) expect(all.out).toContain(`${name.padEnd(7)}  ${summary}`);
  expect((await run(help(commands), "check")).out).toStartWith("patchbay check [-c manifest]");
});

test("version prints one line", async () => {
  expect((await run(version)).out).toMatch(/^patchbay \d+\.\d+\.\d+$/);
});
