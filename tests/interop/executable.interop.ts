// What a user sees of the one file: it minds its own settings, keeps what it promised, ends well.
import { afterEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADDRESS, manifest } from "./manifest.ts";
import { Peer } from "./peers/process.ts";
import { expectTone, Phones } from "./phones.ts";
import { EXECUTABLE, Server } from "./server.ts";

const phones = new Phones();
const folders: string[] = [];
const servers: Server[] = [];
afterEach(async () => {
  await phones.stop();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A server that is stopped after the test. */
async function started(what = manifest()): Promise<Server> {
  const server = await Server.start(what);
  servers.push(server);
  return server;
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "patchbay-"));
  folders.push(dir);
  return dir;
}

test("it ignores .env and bunfig.toml of the folder it starts in", async () => {
  const dir = await folder();
  await Bun.write(join(dir, ".env"), "ALICE=from-dot-env\n");
  await Bun.write(join(dir, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  await Bun.write(join(dir, "preload.ts"), 'console.log("PRELOADED");\nprocess.exit(3);\n');
  await Bun.write(
    join(dir, "modules.json"),
    JSON.stringify({
      core: { transports: { udp: { bind: "udp:127.0.0.1:15062" } }, endpoints: { a: { password: "${env:ALICE}" } } },
    }),
  );
  const env = { ...process.env };
  delete env.ALICE;
  const run = Bun.spawn([EXECUTABLE, "check", "-c", dir], { cwd: dir, env, stdout: "pipe", stderr: "pipe" });
  const said = await new Response(run.stdout).text() + await new Response(run.stderr).text();
  expect(said).not.toContain("PRELOADED");
  expect(said).toContain("ALICE"); // is not set: an error that names it
  expect(await run.exited).toBe(78);
});

test("a registration answered 200 is there after kill -9", async () => {
  const server = await Server.start(manifest());
  const bob = await phones.baresip("bob", 880);
  server.peer.signal("SIGKILL");
  await server.peer.exited;
  servers.push(await Server.run(server.dir));
  const alice = await phones.baresip("alice", 440);
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(2000);
  await alice.hangup();
  await bob.event("CALL_CLOSED");
  expectTone(await bob.heard(), 440);
});

test("SIGTERM ends running calls with BYE and exits 0", async () => {
  const server = await started();
  const alice = await phones.baresip("alice", 440);
  await alice.dial("sip:601@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  server.peer.signal("SIGTERM");
  await alice.event("CALL_CLOSED");
  expect(await server.peer.exited).toBe(0);
});

test("a wrong password is refused, and the events say why", async () => {
  const server = await started();
  const events = await server.events();
  await expect(phones.baresip("alice", 440, { password: "wrong" })).rejects.toThrow(/did not say/); // it tries for ever
  const refused = await events.next((event) => event.event === "request.refused" && event.data.status === 401);
  expect(refused.data).toMatchObject({ method: "REGISTER", endpoint: "alice" });
  await events.next((event) =>
    event.event === "security" && /InvalidPassword|ChallengeResponseFailed/.test(String(event.data.event))
  );
  const contacts = await server.api("/api/v1/contacts?aor=alice");
  expect(await contacts.json()).toEqual([]);
  events.close();
}, 60_000);

test("the probe speaks G.722 alone and hears its tone", async () => {
  const server = await started();
  const probe = await server.cli("probe", "601", "--codec", "g722", "--seconds", "1");
  expect(probe.out).toContain("codec G722");
  expect(probe.out).toMatch(/sound came back: 1004.0 Hz at -1[23]/);
  expect(probe.code).toBe(0);
}, 30_000);

test("a stranger's call is refused, and the event shows which identifiers were tried", async () => {
  const server = await started();
  const events = await server.events();
  const probe = await server.cli("probe", "601", "--as", "mallory", "--password", "guess", "--server", ADDRESS);
  expect(probe.code).toBe(1);
  const refused = await events.next((event) => event.event === "request.refused" && event.data.method === "INVITE");
  expect(refused.data).toMatchObject({ status: 401 });
  expect(refused.data.tried).toContainEqual(expect.objectContaining({ identifier: "username" }));
  events.close();
}, 60_000);

test("a module is reloaded during a call, and the call keeps its sound", async () => {
  const server = await started();
  const alice = await phones.baresip("alice", 440);
  await alice.dial("sip:601@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(1000);
  const reload = await server.cli("reload", "nat");
  expect(reload.code).toBe(0);
  await Bun.sleep(1500);
  const calls = await server.cli("calls", "--json");
  expect(JSON.parse(calls.out)).toHaveLength(1);
  await alice.hangup();
  await alice.event("CALL_CLOSED");
  expectTone(await alice.heard(), 440);
});

test("a typo in the manifest is answered with file, line, column and the nearest name; nothing starts", async () => {
  const dir = await folder();
  await Bun.write(
    join(dir, "modules.json"),
    '{\n  "core": { "transports": { "udp": { "bnid": "udp:127.0.0.1:15062" } } },\n  "regstrar": {}\n}\n',
  );
  const peer = new Peer([EXECUTABLE, "run", "-c", dir]);
  expect(await peer.exited).toBe(78);
  expect(peer.output).toMatch(/modules\.json:2:\d+: .*bnid.*bind/);
  expect(peer.output).toMatch(/modules\.json:3:\d+: .*regstrar.*registrar/);
});

test("without registrar, REGISTER is answered 405 or 501", async () => {
  const { registrar: _, ...rest } = manifest();
  await started(rest);
  await expect(phones.baresip("alice", 440)).rejects.toThrow(/405|501/);
});
