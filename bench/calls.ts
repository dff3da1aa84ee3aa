// (1) CPU of a B2BUA call without media, (4) start-up, idle memory and memory with 1,000 calls: sipp -> patchbay -> sipp.
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { ADDRESS, manifest, SIP } from "../tests/interop/manifest.ts";
import { Sipp } from "../tests/interop/peers/sipp.ts";
import { Server } from "../tests/interop/server.ts";
import { cpu, residentMb, table } from "./process.ts";

const scenario = (name: string) => join(import.meta.dir, "../tests/interop/scenarios", `${name}.xml`);

/** Milliseconds from now to the first answer to an OPTIONS. */
async function firstOptions(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const started = performance.now();
  const answered = new Promise<number>((resolve) => socket.once("message", () => resolve(performance.now() - started)));
  const port = socket.address().port;
  socket.on("error", () => undefined); // nobody listens yet
  let n = 0;
  const ask = setInterval(() => {
    n++;
    socket.send(
      `OPTIONS sip:${ADDRESS} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKs${n}\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\n` +
        `To: <sip:${ADDRESS}>\r\nCall-ID: start${n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
      SIP,
      "127.0.0.1",
    );
  }, 5);
  const ms = await answered;
  clearInterval(ask);
  socket.close();
  return ms;
}

async function calls(
  count: number,
  rate: number,
  concurrent: number,
  holdMs: number,
  during = () => {},
): Promise<void> {
  const uas = await Sipp.start({ scenario: scenario("uas"), port: 15190, calls: count, mediaPort: 30000, concurrent });
  const uac = await Sipp.start({
    scenario: scenario("uac"),
    remote: ADDRESS,
    port: 15180,
    calls: count,
    rate,
    concurrent,
    holdMs,
    mediaPort: 40000,
    keys: { caller: "trunk" },
    user: "91",
    timeoutSeconds: 120,
  });
  const watching = setInterval(during, 200);
  try {
    await uac.succeeded();
    await uas.succeeded();
  } finally {
    clearInterval(watching);
  }
}

const WARM = Number(process.argv[2] ?? 10_000);
const CALLS = 2000;
const RATE = 200; // a second
const generous = manifest();
const { endpoints } = generous.core as { endpoints: Record<string, Record<string, unknown>> };
if (endpoints.trunk) endpoints.trunk.callLimit = 5000;
generous.sdp_rtp = { rtpStart: 20000, rtpEnd: 29999 };

const startMs: number[] = [];
for (let i = 0; i < 5; i++) {
  const ready = firstOptions();
  const server = await Server.start(generous);
  startMs.push(await ready);
  await server.stop();
}

const server = await Server.start(generous);
await Bun.sleep(1000);
const idleMb = residentMb(server.peer.pid);
// A server that has run for a while: the optimising compiler takes up the last functions after some ten thousand calls.
await calls(WARM, RATE, 1000, 0);
const perCall: { main: number; all: number }[] = [];
for (let round = 0; round < 3; round++) {
  const before = cpu(server.peer.pid);
  await calls(CALLS, RATE, 1000, 500);
  const after = cpu(server.peer.pid);
  perCall.push({ main: after.main - before.main, all: after.all - before.all });
}
let thousandMb = 0;
await calls(1000, 150, 1000, 12_000, () => thousandMb = Math.max(thousandMb, residentMb(server.peer.pid)));
const best = perCall.reduce((a, b) => (a.main < b.main ? a : b));
table("B2BUA calls (sipp - patchbay - sipp, no media flowing)", [
  ["figure", "measured", "goal"],
  ["main thread, ms of CPU per call (best of 3 x 2,000)", (best.main * 1000 / CALLS).toFixed(2), "<= 0.7"],
  ["whole process, CPU seconds per 1,000 calls", (best.all * 1000 / CALLS).toFixed(2), ""],
  [
    "start to first OPTIONS answered, ms (best / worst of 5)",
    `${Math.min(...startMs).toFixed(0)} / ${Math.max(...startMs).toFixed(0)}`,
    "<= 250",
  ],
  ["memory idle, MB", idleMb.toFixed(0), ""],
  ["memory with 1,000 calls, MB", thousandMb.toFixed(0), ""],
]);
await server.stop();
