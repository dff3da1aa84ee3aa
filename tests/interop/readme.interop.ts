// The README as a newcomer follows it: a fresh clone, the one command, then every command it shows, with the output it
// shows (numbers, times and secrets may differ).
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Peer } from "./peers/process.ts";

const root = resolve(import.meta.dir, "../..");

interface Command {
  readonly line: string;
  readonly exit: number;
  readonly output: readonly string[];
}

/** `$ command` lines of the console blocks with the lines shown below them. `# exit N` names an exit status. */
function commands(markdown: string): Command[] {
  const found: { line: string; exit: number; output: string[] }[] = [];
  for (const block of markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of (block[1] ?? "").split("\n")) {
      const command = /^\$ (.*?)(?:\s*# exit (\d+))?$/.exec(line);
      if (command) found.push({ line: command[1] ?? "", exit: Number(command[2] ?? 0), output: [] });
      else if (line.trim() !== "") found.at(-1)?.output.push(line);
    }
  }
  return found;
}

/** A shown line as a pattern: numbers, the words after "password" and what stands for "…" may differ. */
function shape(line: string): RegExp {
  const escaped = line.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/password \S+/, "password \\S+")
    .replaceAll("…", ".*").replace("RTCP", "(RTCP|SIP)")
    .replace(/\d+(\\\.\d+)?/g, "\\d+(\\.\\d+)?")
    .replace(/ +/g, " +");
  return new RegExp(escaped);
}

let clone: string;
let server: Peer;
const all = commands(await Bun.file(join(root, "README.md")).text());

beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), "patchbay-clone-"));
  const cloned = Bun.spawnSync(["git", "clone", "--quiet", root, clone]);
  if (cloned.exitCode !== 0) throw new Error(cloned.stderr.toString());
  const first = all[0];
  if (first === undefined) throw new Error("the README shows no command");
  server = new Peer(["bash", "-c", `exec ${first.line}`], { cwd: clone });
  await server.expect(/^ready in/m, 240);
}, 300_000);

afterAll(async () => {
  await server?.stop();
  rmSync(clone, { recursive: true, force: true });
});

test("the first command sets everything up and starts the server as shown", () => {
  for (const line of all[0]?.output ?? []) expect(server.output).toMatch(shape(line));
});

for (const command of all.slice(1)) {
  test(`$ ${command.line}`, async () => {
    const path = `${join(clone, "dist")}:${process.env.PATH}`;
    const run = Bun.spawn(["bash", "-c", command.line], {
      cwd: clone,
      env: { ...process.env, PATH: path },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    const said = out + err;
    for (const line of command.output) expect(said).toMatch(shape(line));
    expect(await run.exited).toBe(command.exit);
  }, 60_000);
}
