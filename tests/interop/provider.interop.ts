// Kamailio as a provider: we register there with credentials, and it sends us the calls for our number.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { manifest } from "./manifest.ts";
import { Kamailio } from "./peers/kamailio.ts";
import { Sipp } from "./peers/sipp.ts";
import { Server } from "./server.ts";

const PORT = 15195;
const REGISTRAR = `
modparam("usrloc", "db_mode", 0)
request_route {
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("provider", "s3cret-7-words", "0")) {
      www_challenge("provider", "0");
      exit;
    }
    save("location");
    xlog("L_WARN", "saved $tU expires $hdr(Expires) contact $ct\\n");
    exit;
  }
  record_route();
  if (is_method("INVITE") && !has_totag()) {
    if (!lookup("location")) {
      sl_send_reply("404", "Not Found");
      exit;
    }
  } else if (has_totag()) {
    loose_route();
  }
  t_relay();
}
`;

let kamailio: Kamailio;
let server: Server;
beforeAll(async () => {
  const modules = ["sl", "tm", "rr", "pv", "textops", "siputils", "usrloc", "registrar", "auth", "xlog", "maxfwd"];
  kamailio = await Kamailio.start(PORT, modules, REGISTRAR);
  const base = manifest();
  const core = base.core as { endpoints: Record<string, unknown>; auths?: Record<string, unknown> };
  core.endpoints.provider = { context: "from-provider", allow: ["ulaw"] };
  core.auths = { provider: { username: "555", password: "s3cret-7-words" } };
  server = await Server.start({
    ...base,
    outbound_registration: {
      registrations: {
        provider: {
          serverUri: `sip:127.0.0.1:${PORT}`,
          clientUri: `sip:555@127.0.0.1:${PORT}`,
          outboundAuth: "provider",
          maxRandomInitialDelay: "1s",
          line: true,
          endpoint: "provider",
        },
      },
    },
    dialplan: { ...base.dialplan as object, "from-provider": { s: ["answer", "echo"] } },
  });
});
afterAll(async () => {
  await server.stop();
  await kamailio.stop();
});

test("registers with credentials, and takes the calls for the number", async () => {
  await kamailio.peer.expect(/saved 555 expires 3600 contact .*line=[a-z]{7}/, 15);
  const [shown] = await (await server.api("/api/v1/outbound-registrations")).json() as { status: string }[];
  expect(shown?.status).toBe("Registered");
  const uac = await Sipp.start({
    scenario: join(import.meta.dir, "scenarios/uac.xml"),
    remote: `127.0.0.1:${PORT}`,
    port: 15180,
    calls: 3,
    rate: 3,
    mediaPort: 18100,
    keys: { caller: "customer" },
    user: "555",
    timeoutSeconds: 20,
  });
  await uac.succeeded();
}, 40_000);

test("takes its binding back when told", async () => {
  const reply = await server.api("/api/v1/outbound-registrations/provider/unregister", { method: "POST" });
  expect(reply.status).toBe(202);
  await kamailio.peer.expect(/saved 555 expires 0 /, 10);
}, 20_000);
