// An Asterisk configuration, imported by the executable: it starts, and the account keeps its password.
import { afterEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Peer } from "./peers/process.ts";
import { EXECUTABLE } from "./server.ts";

const PORT = 15076;
const PASSWORD = "correct-horse-7";
const folders: string[] = [];
const peers: Peer[] = [];
afterEach(async () => {
  for (const peer of peers.splice(0)) {
    if (peer.exitCode === null) peer.signal("SIGTERM");
    await peer.exited;
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function folder(files: Record<string, string> = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "patchbay-asterisk-"));
  folders.push(dir);
  for (const [name, text] of Object.entries(files)) await Bun.write(join(dir, name), text);
  return dir;
}

const configuration = {
  "pjsip.conf": `[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:${PORT}\n#include phones/*.conf\n`,
  "phones/anne.conf": `[phone](!)\ntype=endpoint\ncontext=internal\ndisallow=all\nallow=ulaw\n` +
    `[anne](phone)\nauth=anne\naors=anne\n[anne]\ntype=aor\nmax_contacts=1\n` +
    `[anne]\ntype=auth\nusername=anne\npassword=${PASSWORD}\nstrange_option=1\n`,
  "extensions.conf": "[internal]\nexten => _6XX,1,Answer()\n same => n,Echo()\n",
  "voicemail.conf": "[general]\n",
};

async function echoes(password: string): Promise<number> {
  const probe = new Peer(
    [EXECUTABLE, "probe", "--as", "anne", "--password", password, "--server", `127.0.0.1:${PORT}`]
      .concat("--register", "--seconds", "1", "601"),
    { cwd: await folder() },
  );
  return await probe.exited;
}

test("import writes a manifest only its owner reads, and a report without secrets; it runs", async () => {
  const [from, to] = [await folder(configuration), await folder()];
  const run = new Peer([EXECUTABLE, "import", "asterisk", from, "--out", to]);
  expect(await run.exited).toBe(0);
  expect((await readdir(to)).sort()).toEqual(["import-report.txt", "modules.json"]);
  expect((await stat(join(to, "modules.json"))).mode & 0o777).toBe(0o600);
  const report = await Bun.file(join(to, "import-report.txt")).text();
  for (const text of [run.output, report]) {
    expect(text).toContain("phones/anne.conf:16: [anne] auth strange_option: there is no such option here");
    expect(text).toContain("voicemail.conf:1: this file has no counterpart");
    expect(text).not.toContain(PASSWORD);
  }
  const again = new Peer([EXECUTABLE, "import", "asterisk", from, "--out", to]);
  expect(await again.exited).toBe(0);
  const own = await folder({ "modules.json": "{}" });
  const refused = new Peer([EXECUTABLE, "import", "asterisk", from, "--out", own]);
  expect(await refused.exited).toBe(1);
  expect(await Bun.file(join(own, "modules.json")).text()).toBe("{}");
  const server = new Peer([EXECUTABLE, "run", "-c", to]);
  peers.push(server);
  await server.expect(/ready in/);
  expect(await echoes(PASSWORD)).toBe(0);
  expect(await echoes("wrong")).not.toBe(0);
});

test("run --asterisk does the same in memory and leaves the folder as it was", async () => {
  const [from, here] = [await folder(configuration), await folder()];
  const server = new Peer([EXECUTABLE, "run", "--asterisk", from], { cwd: here });
  peers.push(server);
  await server.expect(/ready in/);
  expect(await echoes(PASSWORD)).toBe(0);
  await Bun.write(join(from, "extensions.conf"), "[internal]\nexten => _7XX,1,Answer()\n same => n,Echo()\n");
  server.signal("SIGHUP");
  await server.expect(/reload: .*dialplan/);
  expect(await echoes(PASSWORD)).not.toBe(0); // 601 is gone
  expect((await readdir(from)).sort()).toEqual(["extensions.conf", "phones", "pjsip.conf", "voicemail.conf"]);
  expect(await readdir(here)).toEqual(["state"]);
});

test("a folder that is not there, and two configurations at once, are told", async () => {
  const here = await folder();
  const missing = new Peer([EXECUTABLE, "import", "asterisk", join(here, "none"), "--out", here]);
  expect(await missing.exited).toBe(1);
  expect(missing.output).toContain("there is no folder");
  const both = new Peer([EXECUTABLE, "run", "--asterisk", here, "-c", here]);
  expect(await both.exited).toBe(2);
});
