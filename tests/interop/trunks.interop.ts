// sipp as trunks and as a crowd of phones.
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import { join } from "node:path";
import { ADDRESS, manifest, PASSWORD } from "./manifest.ts";
import { Sipp, type SippOptions } from "./peers/sipp.ts";
import { Server } from "./server.ts";

const scenario = (name: string) => join(import.meta.dir, "scenarios", `${name}.xml`);
const CROWD = 200;

let server: Server;
beforeAll(async () => {
  const base = manifest();
  const core = base.core as { endpoints: Record<string, unknown> };
  for (let i = 0; i < CROWD; i++) core.endpoints[`u${i}`] = { use: "phone", password: PASSWORD };
  server = await Server.start(base);
});
afterEach(() => Promise.all(running.splice(0).map((sipp) => sipp.stop())));
afterAll(() => server.stop());

const running: Sipp[] = [];

async function sipp(options: SippOptions): Promise<Sipp> {
  const started = await Sipp.start(options);
  running.push(started);
  return started;
}

/** Rejects with sipp's errors, what the server said and what it counted unless every call succeeded. */
async function succeed(one: Sipp): Promise<void> {
  try {
    await one.succeeded();
  } catch (error) {
    const metrics = await (await server.api("/metrics")).text();
    throw new Error(`${error}\nserver:\n${server.peer.output.slice(-2000)}\n${metrics}`, { cause: error });
  }
}

for (const [transport, flag] of [["UDP", "u1"], ["TCP", "t1"]] as const) {
  test(`100 calls from a trunk to a trunk over ${transport}, none fails`, async () => {
    const uas = await sipp({ scenario: scenario("uas"), port: 15190, calls: 100, mediaPort: 18200 });
    const uac = await sipp({
      scenario: scenario("uac"),
      remote: ADDRESS,
      port: 15180,
      calls: 100,
      rate: 20,
      transport: flag,
      mediaPort: 18100,
      keys: { caller: "trunk" },
      user: "91",
      timeoutSeconds: 40,
    });
    await succeed(uac);
    await succeed(uas);
  }, 60_000);
}

test("a crowd of phones registers with digest, none fails", async () => {
  const rows = Array.from({ length: CROWD }, (_, i) => `u${i};[authentication username=u${i} password=${PASSWORD}]`);
  const crowd = await sipp({
    scenario: scenario("register"),
    remote: ADDRESS,
    port: 15195,
    calls: 1000,
    rate: 200,
    injection: ["SEQUENTIAL", ...rows].join("\n") + "\n",
    timeoutSeconds: 40,
  });
  await succeed(crowd);
}, 60_000);
