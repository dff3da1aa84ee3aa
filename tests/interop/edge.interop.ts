// Kamailio as an edge proxy: a phone registers through it, and calls to the phone go back through it (RFC 3327).
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ADDRESS, manifest, PASSWORD } from "./manifest.ts";
import { Kamailio } from "./peers/kamailio.ts";
import { Sipp } from "./peers/sipp.ts";
import { Server } from "./server.ts";
import { scenario, trunkCall } from "./trunk_call.ts";

const PORT = 15196;
const PHONE = 15197;
const EDGE = `
request_route {
  if (is_method("REGISTER")) {
    add_path();
    append_hf("Supported: path\\r\\n");
    $du = "sip:${ADDRESS}";
    t_relay();
    exit;
  }
  loose_route();
  xlog("L_WARN", "relayed $rm to $ru\\n");
  t_relay();
}
`;

let kamailio: Kamailio;
let server: Server;
beforeAll(async () => {
  kamailio = await Kamailio.start(PORT, ["sl", "tm", "rr", "pv", "textops", "siputils", "path", "xlog"], EDGE);
  const base = manifest({ path: {} });
  const { endpoints } = base.core as { endpoints: Record<string, object> };
  endpoints.alice = { ...endpoints.alice, supportPath: true };
  server = await Server.start(base);
});
afterAll(async () => {
  await server.stop();
  await kamailio.stop();
});

test("a phone behind an edge proxy registers and is called through it", async () => {
  const phone = await Sipp.start({
    scenario: scenario("register"),
    remote: `127.0.0.1:${PORT}`,
    port: PHONE,
    calls: 1,
    injection: `SEQUENTIAL\nalice;[authentication username=alice password=${PASSWORD}]\n`,
    timeoutSeconds: 20,
  });
  await phone.succeeded();
  const contacts = await (await server.api("/api/v1/contacts?aor=alice")).json() as { path: string[] }[];
  expect(contacts[0]?.path).toEqual([`<sip:127.0.0.1:${PORT};lr>`]);
  await trunkCall("alice", PHONE);
  expect(kamailio.peer.output).toContain(`relayed INVITE to sip:alice@127.0.0.1:${PHONE}`);
}, 60_000);
