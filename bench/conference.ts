// (3) CPU of a conference member at 10, 50 and 200 members: G.711, everybody talks, every member's mix is its own.
import { openMediaPlane } from "../src/media/plane.ts";
import { realWorld } from "../src/world/real_world.ts";
import { compile, Phones, towards } from "./phones.ts";
import { table } from "./process.ts";

const SECONDS = Number(process.argv[2] ?? 5);
const ROUNDS = 2;

/** Microseconds of CPU per member and 20 ms, sockets included; packets that members missed. */
async function conference(
  source: string,
  members: number,
): Promise<{ readonly micros: number; readonly missed: number }> {
  const worker = () => new Worker(new URL("../src/worker/worker.ts", import.meta.url).href);
  const plane = await openMediaPlane({ world: realWorld(), count: 1, worker });
  const phones = new Phones(source, members, SECONDS);
  const streams = [];
  for (const port of await phones.ports()) {
    const stream = await plane.open({ host: "127.0.0.1", ports: [0, 0], rtcpMux: true });
    await stream.configure(towards(port));
    streams.push(stream);
  }
  const before = process.cpuUsage();
  for (const stream of streams) await stream.join("bench", { muted: false });
  const { received } = await phones.speak(streams.map(({ local }) => local.port));
  const { user, system } = process.cpuUsage(before);
  await plane.stop();
  return { micros: (user + system) / (SECONDS * 50 * members), missed: 1 - received / (SECONDS * 50 * members) };
}

const source = compile("source");
const rows = [];
for (const members of [10, 50, 200]) {
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await conference(source, members));
  const micros = Math.min(...rounds.map((round) => round.micros));
  const missed = Math.max(0, ...rounds.map((round) => round.missed));
  rows.push([
    String(members),
    micros.toFixed(1),
    (micros * members * 50 / 10_000).toFixed(1) + " %",
    (100 * missed).toFixed(2) + " %",
  ]);
}
table(`Conference, receive, decode, mix, encode, send; best of ${ROUNDS}`, [
  ["members", "CPU µs per member and 20 ms", "of one core", "packets missed"],
  ...rows,
]);
