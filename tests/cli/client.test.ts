import { afterEach, expect, test } from "bun:test";
import { listCalls } from "../../src/cli/calls.ts";
import { WrongUse } from "../../src/cli/command.ts";
import { hangup } from "../../src/cli/hangup.ts";
import { health } from "../../src/cli/health.ts";
import { reload } from "../../src/cli/reload.ts";
import { status } from "../../src/cli/status.ts";
import type { Api } from "../http/api.ts";
import { run, serve } from "./server.ts";

const call = {
  id: "1.7",
  name: "PJSIP/alice-00000007",
  endpoint: "alice",
  direction: "incoming",
  state: "up",
  caller: "alice",
  called: "600",
  codec: "PCMU",
  callId: "x",
  startedAt: "2026-01-31T12:00:00.000Z",
  seconds: 75,
};
const ok = (body: unknown) => () => ({ status: 200, body });

let api: Api | undefined;
afterEach(async () => {
  await api?.stop();
  api = undefined;
});
async function server(answers: Parameters<typeof serve>[0]): Promise<string> {
  const served = await serve(answers);
  api = served.api;
  return served.folder;
}

test("status shows what listens and who is there", async () => {
  const folder = await server({
    "GET /modules": ok([{ name: "core", state: "running", faults: 0 }, { name: "odd", state: "disabled", faults: 5 }]),
    "GET /transports": ok([{ id: "udp", protocol: "udp", address: "0.0.0.0:5060", connections: 0 }]),
    "GET /endpoints": ok([
      { id: "alice", online: true, contacts: ["sip:alice@192.0.2.1:5060"], calls: 1 },
      { id: "bob", online: false, contacts: [], calls: 0 },
    ]),
    "GET /calls": ok([call]),
  });
  const shown = await run(status, "-c", folder);
  expect(shown).toEqual({
    status: 0,
    err: "",
    out: `2 modules, 1 of 2 endpoints online, 1 call legs
module odd is disabled after 5 faults

TRANSPORT  PROTOCOL  ADDRESS       CONNECTIONS
udp        udp       0.0.0.0:5060  0

ENDPOINT  STATE    CALLS  CONTACTS
alice     online   1      sip:alice@192.0.2.1:5060
bob       offline  0`,
  });
  const json = await run(status, "-c", folder, "--json");
  expect(JSON.parse(json.out).endpoints[1].id).toBe("bob");
});

test("calls is a table, or the API's JSON; what a caller sent does not steer the terminal", async () => {
  const folder = await server({ "GET /calls": ok([{ ...call, caller: "a\u001b[31m" }]) });
  const { out, status } = await run(listCalls, "-c", folder);
  expect(status).toBe(0);
  expect(out.split("\n")[1]).toBe("1.7  alice     incoming   up     a.[31m  600     PCMU   1:15");
  expect(JSON.parse((await run(listCalls, "-c", folder, "--json")).out)).toHaveLength(1);
});

test("hangup ends a call, and says 4 for one that is not there", async () => {
  const ended: string[] = [];
  const folder = await server({
    "DELETE /calls/:id": ({ params: { id = "" } }) => {
      if (id !== "1.7/x") return { status: 404, body: { error: `there is no call "${id}"` } };
      ended.push(id);
      return { status: 204, body: null };
    },
  });
  expect(await run(hangup, "-c", folder, "1.7/x")).toEqual({ status: 0, out: "hung up 1.7/x", err: "" });
  expect(ended).toEqual(["1.7/x"]);
  expect(await run(hangup, "-c", folder, "9")).toEqual({ status: 4, out: "", err: 'patchbay: there is no call "9"' });
  expect(run(hangup, "-c", folder)).rejects.toThrow(WrongUse);
});

test("reload shows what changed; the faults of a manifest are exit status 78", async () => {
  let broken = false;
  const fault = { file: "modules.json", line: 3, column: 7, message: 'unknown module "regstrar"' };
  const change = { module: "core", what: "endpoint", name: "carol", change: "added", effect: "live" };
  const folder = await server({
    "POST /reload": ({ body }) =>
      broken
        ? { status: 422, body: { error: "the configuration has faults; the old one stays", faults: [fault] } }
        : { status: 200, body: { applied: !(JSON.stringify(body) === '{"plan":true}'), changes: [change] } },
    "POST /modules/:name/reload": ({ params: { name } }) =>
      name === "nat"
        ? { status: 200, body: { reloaded: name } }
        : { status: 404, body: { error: `no module "${name}" is loaded` } },
  });
  expect((await run(reload, "-c", folder)).out).toContain("core    endpoint carol  added   live");
  expect((await run(reload, "-c", folder, "--plan")).out).toEndWith("nothing was applied");
  expect(await run(reload, "-c", folder, "nat")).toEqual({ status: 0, out: "reloaded nat", err: "" });
  expect((await run(reload, "-c", folder, "no")).status).toBe(4);
  broken = true;
  const refused = await run(reload, "-c", folder);
  expect(refused.status).toBe(78);
  expect(refused.err).toContain('modules.json:3:7: unknown module "regstrar"');
});

test("health is 0 while it serves and 69 when nobody answers", async () => {
  const folder = await server({});
  expect(await run(health, "-c", folder, "--live")).toEqual({ status: 0, out: "ok", err: "" });
  expect(await run(health, "-c", folder, "--ready", "--json")).toEqual({ status: 0, out: '{"status":"ok"}', err: "" });
  await api?.kernel.stop();
  const never = await run(health, "-c", "/nonexistent");
  expect(never.status).toBe(69);
  expect(never.err).toContain("has not been run");
});
