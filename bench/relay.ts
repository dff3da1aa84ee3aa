// (2) CPU of a relayed RTP packet, beside a C relay of epoll, recvfrom and sendto compiled in the same run.
import { openMediaPlane } from "../src/media/plane.ts";
import { realWorld } from "../src/world/real_world.ts";
import { compile, Lines, Phones, towards } from "./phones.ts";
import { table } from "./process.ts";

const PAIRS = Number(process.argv[2] ?? 100);
const SECONDS = Number(process.argv[3] ?? 6);
const ROUNDS = 3;

interface Round {
  readonly micros: number; // CPU per relayed packet
  readonly lost: number; // of all sent
}

async function ours(source: string, io: "linux" | "portable"): Promise<Round> {
  const worker = () => new Worker(new URL("../src/worker/worker.ts", import.meta.url).href);
  const plane = await openMediaPlane({ world: realWorld(), count: 1, io, worker });
  const phones = new Phones(source, 2 * PAIRS, SECONDS);
  const streams = [];
  for (const port of await phones.ports()) {
    const stream = await plane.open({ host: "127.0.0.1", ports: [0, 0], rtcpMux: true });
    await stream.configure(towards(port));
    streams.push(stream);
  }
  for (let i = 0; i < streams.length; i += 2) await streams[i]?.connect(streams[i + 1]!); // they come in pairs
  const before = process.cpuUsage();
  const { sent, received } = await phones.speak(streams.map(({ local }) => local.port));
  const { user, system } = process.cpuUsage(before);
  await plane.stop();
  return { micros: (user + system) / received, lost: (sent - received) / sent };
}

async function native(source: string, relay: string): Promise<Round> {
  const phones = new Phones(source, 2 * PAIRS, SECONDS);
  await phones.ports();
  const program = Bun.spawn([relay, String(PAIRS)], { stdout: "pipe" });
  const lines = new Lines(program.stdout);
  const { sent, received } = await phones.speak(await lines.numbers(2 * PAIRS));
  program.kill("SIGTERM");
  const [relayed = 0, micros = 0] = (await lines.next()).split(" ").map(Number);
  return { micros: micros / relayed, lost: (sent - received) / sent };
}

const source = compile("source");
const relay = compile("relay");
const rounds: { readonly c: Round; readonly linux: Round; readonly portable: Round }[] = [];
for (let i = 0; i < ROUNDS; i++) {
  rounds.push({
    c: await native(source, relay),
    linux: await ours(source, "linux"),
    portable: await ours(source, "portable"),
  });
}
const best = (of: "c" | "linux" | "portable") => Math.min(...rounds.map((round) => round[of].micros));
const worst = (of: "c" | "linux" | "portable") => Math.max(...rounds.map((round) => round[of].lost));
table(`Relay, ${PAIRS} calls of two G.711 legs, ${PAIRS * 100} packets a second, best of ${ROUNDS}`, [
  ["", "CPU µs per packet", "ratio to C", "lost"],
  ...(["c", "linux", "portable"] as const).map((name) => [
    name === "c" ? "C relay" : `patchbay, ${name}`,
    best(name).toFixed(2),
    (best(name) / best("c")).toFixed(2),
    `${(100 * worst(name)).toFixed(2)} %`,
  ]),
]);
