// A media thread: commands in, packets through, events out. The loop gives its event loop a turn at least every 5 ms; it aims at 2.
import { type Core, loadCore } from "./core.ts";
import { openLinuxIo } from "./linux.ts";
import { type PacketIo, setClock } from "./packet_io.ts";
import { openPortableIo } from "./portable.ts";
import type { FromWorker, Report, ToWorker } from "./protocol.ts";
import { Streams } from "./streams.ts";

declare const self: { onmessage: ((event: { readonly data: ToWorker }) => void) | null };

const TICK_MS = 20;
const TURN_MS = 2; // packets may keep the loop from its messages for so long
const POLL_MS = 2; // a command waits half of it in the mean; a wake-up costs about 5 µs
const CATCH_UP_MS = 200; // further behind, the missed ticks are given up

// Set before anything is awaited: a message that finds no handler is lost.
const early: ToWorker[] = [];
let wake = () => {};
let take = (message: ToWorker) => void early.push(message);
self.onmessage = ({ data }) => {
  take(data);
  wake();
};

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  postMessage(message, transfer);
}

/** What this turn of the loop has to tell; sent before the loop waits or gives its event loop a turn. */
let reports: Report[] = [];
let idle = false; // the loop waits for a command and will not send what is told meanwhile

function report(report: Report): void {
  if (reports.push(report) === 1 && idle) queueMicrotask(tell);
}

function tell(): void {
  if (reports.length === 0) return;
  post({ kind: "reports", reports });
  reports = [];
}

function openIo(core: Core, wanted: "auto" | "linux" | "portable"): { io: PacketIo; name: "linux" | "portable" } {
  const linux = wanted === "linux" || (wanted === "auto" && process.platform === "linux");
  return linux ? { io: openLinuxIo(core), name: "linux" } : { io: openPortableIo(core), name: "portable" };
}

class Loop {
  #stopped = false;

  constructor(readonly core: Core) {}

  /** Runs until stop; resolves when every socket is closed. */
  async run(wanted: "auto" | "linux" | "portable"): Promise<void> {
    const { io, name } = openIo(this.core, wanted);
    const streams = new Streams(this.core, io, report, post);
    take = (message) => {
      if (message.kind === "stop") this.#stopped = true;
      if (message.kind === "requests") {
        for (const { id, command } of message.requests) streams.request(id, command);
      }
    };
    post({ kind: "ready", io: name });
    for (const message of early.splice(0)) take(message);
    let now = performance.now();
    let due = now + TICK_MS;
    let turned = now;
    while (!this.#stopped) {
      tell();
      if (streams.count === 0) {
        idle = true;
        await new Promise<void>((resolve) => wake = resolve);
        idle = false;
        wake = () => {};
        now = performance.now();
        due = now + TICK_MS;
        continue;
      }
      const waiting = io.poll(Math.max(0, Math.min(POLL_MS, Math.ceil(due - now))));
      if (waiting !== undefined) await waiting;
      now = performance.now();
      if (now >= due) due = this.#ticks(streams, io, due);
      if (waiting === undefined && now - turned >= TURN_MS) {
        tell();
        await new Promise((resolve) => setImmediate(resolve));
        now = performance.now();
        turned = now;
      }
    }
    streams.stop();
    io.stop();
    tell();
    post({ kind: "stopped" });
  }

  #ticks(streams: Streams, io: PacketIo, due: number): number {
    let next = due;
    let now = performance.now();
    if (now - next > CATCH_UP_MS) next = now;
    while (now >= next) {
      setClock(this.core);
      streams.feed();
      if (this.core.tickRun() > 0) io.send();
      streams.drain();
      next += TICK_MS;
      now = performance.now();
    }
    return next;
  }
}

async function main(): Promise<void> {
  const core = await loadCore();
  while (early.length === 0) await new Promise<void>((resolve) => wake = resolve);
  const first = early.shift();
  if (first?.kind !== "start") throw new Error("a media thread begins with start");
  await new Loop(core).run(first.io);
}

main().catch((error) => post({ kind: "failed", why: error instanceof Error ? error.message : String(error) }));
