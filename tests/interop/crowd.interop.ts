// 10,000 phones registered, refreshed and asked with OPTIONS: memory is bounded, and nobody waits for it.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { residentMb } from "../../bench/process.ts";
import { Crowd } from "./crowd.ts";
import { manifest, PASSWORD, SIP } from "./manifest.ts";
import { Server } from "./server.ts";

const PHONES = 10_000;
const users = Array.from({ length: PHONES }, (_, i) => `u${i}`);
const RATE = 400; // a second

let server: Server;
let crowd: Crowd;
let pinging: Crowd;
beforeAll(async () => {
  server = await Server.start(manifest({
    core: {
      transports: { udp: { bind: `udp:127.0.0.1:${SIP}` } },
      templates: { phone: { password: PASSWORD, maxContacts: 1, qualifyFrequency: "20s" } },
      endpoints: {
        ...Object.fromEntries(users.map((user) => [user, { use: "phone" }])),
        ping: { password: PASSWORD, allowUnauthenticatedOptions: true },
      },
      limits: { exempt: ["127.0.0.0/8"], serverTransactions: 1_000_000 },
    },
    endpoint_identifier_ip: {},
    qualify: {},
    dialplan: {},
  }));
  [crowd, pinging] = [await Crowd.open(), await Crowd.open()];
}, 60_000);
afterAll(async () => {
  crowd.close();
  pinging.close();
  await server.stop();
});

test("10,000 contacts: memory per contact, and the time an OPTIONS waits meanwhile", async () => {
  const empty = residentMb(server.peer.pid);
  await crowd.registerAll(users, 50, RATE);
  const full = residentMb(server.peer.pid);
  // From now on everybody is refreshed and asked every 20 s, and we look how long an answer takes.
  const waits: number[] = [];
  let going = true;
  const looking = (async () => {
    for (let n = 0; going; n++) {
      const asked = performance.now();
      await pinging.ask("OPTIONS", "ping", `ping${n}`);
      waits.push(performance.now() - asked);
      await Bun.sleep(20);
    }
  })();
  const before = crowd.qualified;
  await crowd.registerAll(users, 50, RATE);
  going = false;
  await looking;
  const again = residentMb(server.peer.pid);
  const contacts = await (await server.api("/api/v1/contacts")).json() as { status: string }[];
  waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0;
  console.log(
    `memory: ${empty.toFixed(0)} MB empty, ${full.toFixed(0)} MB registered, ${
      again.toFixed(0)
    } MB refreshed and qualified: ` +
      `${((again - empty) * 1024 / PHONES).toFixed(1)} KiB per contact; OPTIONS p50 ` +
      `${waits[Math.floor(waits.length / 2)]?.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, worst ${
        waits.at(-1)?.toFixed(1)
      } ms`,
  );
  expect(contacts).toHaveLength(PHONES);
  expect(contacts.filter(({ status }) => status === "reachable").length).toBeGreaterThan(PHONES * 0.99);
  expect(crowd.qualified - before).toBeGreaterThan(PHONES / 2);
  expect((again - empty) * 1024 / PHONES).toBeLessThan(24);
}, 200_000);
