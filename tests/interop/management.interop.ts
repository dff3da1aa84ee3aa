// The API and its thin clients against the executable, with a real phone: what a user sees and does.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { catalog } from "../../src/catalog.ts";
import { ADDRESS, HTTP, manifest } from "./manifest.ts";
import { expectTone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

let server: Server;
const phones = new Phones();
beforeAll(async () => {
  server = await Server.start(manifest());
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

const url = `http://127.0.0.1:${HTTP}`;
const token = () => readFileSync(join(server.dir, "state/management.token"), "utf8").trim();
const authorization = () => ({ Authorization: `Bearer ${token()}` });

/** Listens to events; `until` resolves with the first of a name that fits. */
async function listen() {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/events`, { headers: authorization() });
  const events: { event: string; data: Record<string, unknown> }[] = [];
  const waiting = new Set<() => void>();
  socket.onmessage = ({ data }) => {
    events.push(JSON.parse(String(data)));
    for (const look of waiting) look();
  };
  await new Promise((open) => socket.onopen = open);
  return {
    events,
    close: () => socket.close(),
    until: (name: string, fits: (data: Record<string, unknown>) => boolean = () => true) =>
      new Promise<Record<string, unknown>>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no ${name}; ${JSON.stringify(events)}`)), 10_000);
        const look = () => {
          const found = events.find(({ event, data }) => event === name && fits(data));
          if (!found) return;
          clearTimeout(late);
          waiting.delete(look);
          resolve(found.data);
        };
        waiting.add(look);
        look();
      }),
  };
}

test("a call is made from the API, seen, and hung up from the command line", async () => {
  const events = await listen();
  const alice = await phones.baresip("alice", 440);
  await events.until("contact.added", (data) => data.aor === "alice");
  const made = await fetch(`${url}/api/v1/calls`, {
    method: "POST",
    headers: { ...authorization(), "Content-Type": "application/json" },
    body: JSON.stringify({ endpoint: "alice", extension: "601", callerId: { name: "Robot", number: "100" } }),
  });
  expect(made.status).toBe(201);
  const { id } = JSON.parse(await made.text());
  await alice.event("CALL_ESTABLISHED");
  await events.until("call.answered", (data) => data.call === id);
  await Bun.sleep(2500);
  const calls = JSON.parse((await server.cli("calls", "--json")).out);
  expect(calls).toMatchObject([{ id, endpoint: "alice", state: "up", direction: "outgoing" }]);
  expect((await server.cli("calls")).out).toContain(id);
  const hangup = await server.cli("hangup", id);
  expect(hangup).toMatchObject({ code: 0, out: `hung up ${id}\n` });
  await alice.event("CALL_CLOSED");
  await events.until("call.ended", (data) => data.call === id);
  expectTone(await alice.heard(), 440);
  expect((await server.cli("hangup", id)).code).toBe(4);
  events.close();
});

test("status, health and reload; a manifest with a typo changes nothing and is exit status 78", async () => {
  const file = join(server.dir, "modules.json");
  const written = readFileSync(file, "utf8");
  expect((await server.cli("health", "--live")).code).toBe(0);
  expect((await server.cli("health", "--ready")).code).toBe(0);
  const status = await server.cli("status");
  expect(status.code).toBe(0);
  expect(status.out).toContain(ADDRESS);
  await Bun.write(file, written.replace('"registrar"', '"regstrar"'));
  const refused = await server.cli("reload");
  expect(refused.code).toBe(78);
  expect(refused.err).toMatch(/modules\.json:\d+:\d+: .*regstrar.*registrar/);
  await Bun.write(file, written.replace('"maxContacts": 3', '"maxContacts": 4'));
  const planned = await server.cli("reload", "--plan", "--json");
  expect(JSON.parse(planned.out).changes.length).toBeGreaterThan(0);
  expect((await server.cli("reload")).code).toBe(0);
  expect(JSON.parse((await server.cli("reload", "--json")).out)).toEqual({ applied: true, changes: [] });
});

test("the store is the owner's, the API wants its token", async () => {
  expect(statSync(join(server.dir, "state")).mode & 0o077).toBe(0);
  expect((await fetch(`${url}/api/v1/modules`)).status).toBe(401);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const metrics = await (await fetch(`${url}/metrics`, { headers: authorization() })).text();
  expect(metrics).toContain("# TYPE patchbay_registrar_contacts gauge");
  const description = JSON.parse(await (await fetch(`${url}/openapi.json`, { headers: authorization() })).text());
  expect(Object.keys(description.paths)).toContain("/api/v1/calls/{id}");
});

test("every module of the executable runs beside every other, and its paths are there", async () => {
  const listed = await (await server.api("/api/v1/modules")).json() as { name: string }[];
  await server.stop();
  const all = Object.fromEntries(catalog.map(({ name }) => [name, {}]));
  server = await Server.start({ ...all, ...manifest(), hep: { captureAddress: "127.0.0.1:19060" } });
  const running = await (await server.api("/api/v1/modules")).json() as { name: string }[];
  expect(running.map(({ name }) => name).sort()).toEqual(catalog.map(({ name }) => name).sort());
  expect(running.length).toBeGreaterThan(listed.length);
  const { paths } = await (await server.api("/openapi.json")).json() as { paths: Record<string, unknown> };
  for (const path of ["registrations", "outbound-registrations", "history", "hep", "notify", "logger", "contacts"]) {
    expect(Object.keys(paths)).toContain(`/api/v1/${path}`);
  }
}, 30_000);
