import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { TOKEN_FILE } from "../../src/http/server.ts";
import { hashOf } from "../../src/http/tokens.ts";
import type { Events } from "../../src/kernel/events.ts";
import type { ApiRoute } from "../../src/kernel/http.ts";
import type { HttpOptions } from "../../src/kernel/services.ts";
import { Api } from "./api.ts";

const routes: readonly ApiRoute[] = [
  {
    method: "GET",
    path: "/things/:id",
    summary: "One thing",
    scope: "read",
    reply: v.object({ id: v.string(), like: v.optional(v.string()) }),
    run: ({ params, query }) => ({ status: 200, body: { ...params, ...query } }),
  },
  {
    method: "POST",
    path: "/things",
    summary: "Makes a thing",
    scope: "write",
    body: v.strictObject({ password: v.pipe(v.string(), v.minLength(8)) }),
    run: () => ({ status: 201, body: { password: "***" } }),
  },
  {
    method: "DELETE",
    path: "/things/:id",
    summary: "Ends a thing",
    scope: "admin",
    run: () => ({ status: 204, body: null }),
  },
  {
    method: "GET",
    path: "/broken",
    summary: "Throws",
    scope: "read",
    run() {
      throw new Error("secret detail at /etc/secret");
    },
  },
];

let api: Api | undefined;
afterEach(async () => {
  await api?.stop();
  api = undefined;
});
const start = async (more: Partial<HttpOptions> = {}) => api = await Api.start(routes, more);

test("the generated token opens the API; its file is the owner's alone", async () => {
  const { folder, token, ...rest } = await start();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(statSync(join(folder, TOKEN_FILE)).mode & 0o777).toBe(0o600);
  const response = await api!.get("/api/v1/things/a%2Fb?like=c");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ id: "a/b", like: "c" });
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
  expect(rest.url).toStartWith("http://127.0.0.1:");
});

test("authentication comes before routing: an unknown path without a token is 401 too", async () => {
  const { url, token } = await start();
  for (const path of ["/api/v1/things/a", "/no/such/path", "/metrics", "/openapi.json", "/api/v1/events"]) {
    const response = await fetch(url + path, { headers: { "X-Forwarded-For": `192.0.2.${path.length}` } });
    expect([401, 429]).toContain(response.status);
    expect(await response.text()).not.toContain(token);
  }
  expect((await api!.get("/no/such/path")).status).toBe(404);
  // No other way to bring the token.
  expect((await fetch(`${url}/api/v1/things/a?token=${token}`)).status).toBe(429);
  expect((await fetch(url + "/api/v1/things/a", { headers: { Authorization: "Basic " + btoa(`x:${token}`) } })).status)
    .toBe(429);
});

test("after five wrong tokens in a minute a source is told to wait, and each try is a security event", async () => {
  const { url, kernel } = await start();
  const events: Events["security"][] = [];
  kernel.host.events.all((name, data) => {
    if (name === "security" && "severity" in data) events.push(data);
  });
  const wrong = () => fetch(url + "/metrics", { headers: { Authorization: "Bearer " + "0".repeat(64) } });
  for (let i = 0; i < 5; i++) expect((await wrong()).status).toBe(401);
  const limited = await wrong();
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(50);
  expect(events.map((e) => e.event)).toEqual(Array(6).fill("ManagementAuthFailed"));
  expect(JSON.stringify(events)).not.toContain("0000");
  expect((await api!.get("/metrics")).status).toBe(200); // who has the token is not locked out
  api!.later.ms = 60_000;
  expect((await wrong()).status).toBe(401);
});

test("a Host that is not ours is 421, before anything else", async () => {
  await start({ hosts: ["pbx.example.org"] });
  expect((await api!.get("/healthz", { Host: "evil.example.org" })).status).toBe(421);
  expect((await api!.get("/api/v1/things/a", { Host: "evil.example.org:8088" })).status).toBe(421);
  for (const Host of ["localhost:8088", "[::1]:8088", "127.0.0.1", "PBX.example.org:1"]) {
    expect((await api!.get("/api/v1/things/a", { Host })).status).toBe(200);
  }
});

test("/healthz needs no token", async () => {
  const { url } = await start();
  const response = await fetch(url + "/healthz");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: "ok" });
});

test("a write needs JSON: 415, 413, 400, and a fault never repeats the input", async () => {
  await start();
  const post = (body: unknown, headers = {}) => api!.send("POST", "/api/v1/things", body, headers);
  expect((await post({ password: "long enough" })).status).toBe(201);
  expect((await post("{}", { "Content-Type": "text/plain" })).status).toBe(415);
  expect((await post(JSON.stringify({ password: "x".repeat(300_000) }))).status).toBe(413);
  expect((await post("[".repeat(40) + "]".repeat(40))).status).toBe(400);
  expect((await post("{not json")).status).toBe(400);
  const refused = await post({ password: "hunter2", more: 1 });
  expect(refused.status).toBe(400);
  const text = await refused.text();
  expect(text).not.toContain("hunter2");
  expect(JSON.parse(text).faults.map((f: { path: string }) => f.path)).toContain("password");
});

test("a token has a scope; another method of a known path is 405", async () => {
  await start({ tokens: { watcher: { sha256: hashOf("watch").toString("hex"), scope: "read" } } });
  const watcher = { Authorization: "Bearer watch" };
  expect((await api!.get("/api/v1/things/a", watcher)).status).toBe(200);
  expect((await api!.send("POST", "/api/v1/things", { password: "long enough" }, watcher)).status).toBe(403);
  expect((await api!.send("DELETE", "/api/v1/things/a", "{}", watcher)).status).toBe(403);
  expect((await api!.send("DELETE", "/api/v1/things/a", "{}")).status).toBe(204);
  const wrong = await api!.send("PUT", "/api/v1/things/a", {});
  expect(wrong.status).toBe(405);
  expect(wrong.headers.get("allow")).toBe("GET, DELETE");
});

test("a route that throws is 500 without detail, and its module's fault", async () => {
  await start();
  const response = await api!.get("/api/v1/broken");
  expect(response.status).toBe(500);
  expect(await response.json()).toEqual({ error: "internal error" });
  expect(api!.kernel.modules.find((m) => m.name === "things")?.faults).toBe(1);
});

test("the description holds every route with the schemas that validate", async () => {
  await start();
  const document = JSON.parse(await (await api!.get("/openapi.json")).text());
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths)).toContain("/api/v1/things/{id}");
  expect(document.paths["/api/v1/things"].post.requestBody.content["application/json"].schema).toMatchObject({
    type: "object",
    properties: { password: { type: "string", minLength: 8 } },
    required: ["password"],
    additionalProperties: false,
  });
});

test("events arrive over a WebSocket as JSON, those that were asked for", async () => {
  const { url, token, kernel } = await start();
  const listen = (query: string) => {
    const socket = new WebSocket(url.replace("http", "ws") + "/api/v1/events" + query, {
      headers: { Authorization: `Bearer ${token}` },
    });
    const got: Record<string, unknown>[] = [];
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    socket.onmessage = ({ data }) => {
      got.push(JSON.parse(String(data)));
      if (got.at(-1)?.event === "configuration.reloaded") resolve();
    };
    return { got, heard, open: new Promise((open) => socket.onopen = open), socket };
  };
  const all = listen("");
  const some = listen("?names=contact.,configuration.");
  await Promise.all([all.open, some.open]);
  kernel.host.events.emit("module.loaded", { module: "m" });
  kernel.host.events.emit("contact.added", { aor: "alice", uri: "sip:alice@192.0.2.1" });
  kernel.host.events.emit("configuration.reloaded", { changes: 0 });
  await Promise.all([all.heard, some.heard]);
  expect(all.got.map((e) => e.event)).toEqual(["module.loaded", "contact.added", "configuration.reloaded"]);
  expect(some.got[0]).toMatchObject({ event: "contact.added", data: { aor: "alice", uri: "sip:alice@192.0.2.1" } });
  expect(typeof some.got[0]?.at).toBe("number");
  all.socket.close();
  some.socket.close();
});

test("a reload of the module that serves is answered, and listeners keep listening", async () => {
  const { url, token, kernel } = await start();
  const socket = new WebSocket(url.replace("http", "ws") + "/api/v1/events?names=user.", {
    headers: { Authorization: `Bearer ${token}` },
  });
  await new Promise((open) => socket.onopen = open);
  const event = new Promise((heard) => socket.onmessage = heard);
  await kernel.reloadModule("server");
  expect((await api!.get("/api/v1/things/a")).status).toBe(200);
  kernel.host.events.emit("user.event", { name: "n", fields: {} });
  await event;
  socket.close();
});

test("a token that is taken out opens nothing any more, and its listeners are closed", async () => {
  const { url, kernel, setTokens } = await start({
    tokens: { watcher: { sha256: hashOf("watch").toString("hex"), scope: "read" } },
  });
  const watcher = { Authorization: "Bearer watch" };
  const socket = new WebSocket(url.replace("http", "ws") + "/api/v1/events", { headers: watcher });
  await new Promise((open) => socket.onopen = open);
  const closed = new Promise<CloseEvent>((close) => socket.onclose = close);
  setTokens({});
  await kernel.reloadModule("server");
  expect((await closed).code).toBe(1008);
  expect((await api!.get("/api/v1/things/a", watcher)).status).toBe(401);
  expect((await api!.get("/api/v1/things/a")).status).toBe(200);
});

test("TLS serves the same API; a key that others can read is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "patchbay-tls-"));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const made = Bun.spawnSync([
    ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=pbx".split(" "),
    ...["-out", certFile, "-keyout", keyFile],
  ]);
  expect(made.exitCode).toBe(0);
  chmodSync(keyFile, 0o644);
  await expect(start({ tls: { certFile, keyFile } })).rejects.toThrow("can be read by others");
  chmodSync(keyFile, 0o600);
  const { url, token } = await start({ tls: { certFile, keyFile } });
  expect(url).toStartWith("https://");
  const response = await fetch(url + "/api/v1/things/a", {
    headers: { Authorization: `Bearer ${token}` },
    tls: { rejectUnauthorized: false },
  });
  expect(response.status).toBe(200);
  rmSync(folder, { recursive: true });
});
