import { expect, test } from "bun:test";
import { openMediaPlane } from "../../src/media/plane.ts";
import { config, LIMIT_MS, Peer, world } from "../worker/peer.ts";

test("a thread that dies closes its streams, and another takes its place", async () => {
  const workers: Worker[] = [];
  const worker = () => {
    const made = new Worker(new URL("../../src/worker/worker.ts", import.meta.url).href);
    workers.push(made);
    return made;
  };
  const media = await openMediaPlane({ world, count: 1, worker });
  const stream = await media.open({ host: "127.0.0.1", ports: [0, 0] });
  const closed = new Promise((resolve) => stream.on((event) => event.kind === "closed" && resolve(event)));
  const waiting = stream.tone([{ frequencies: [440], levelDbm0: -13, ms: 0 }], { loop: false }).catch(String);
  workers[0]!.terminate();
  await closed;
  expect(await waiting).toContain("ended");
  expect(media.counts.streams).toBe(0);
  expect(await stream.stats().catch(String)).toContain("closed");
  while (media.workers === 0) await new Promise((resolve) => setImmediate(resolve));
  const peer = await Peer.open();
  const next = await media.open({ host: "127.0.0.1", ports: [0, 0] });
  await next.configure(config(peer.local));
  expect(await next.play({ samples: new Int16Array(320), sampleRate: 8000 }, { loop: false })).toBe(true);
  peer.close();
  await media.stop();
}, LIMIT_MS);

test("a thread that cannot start is the plane's error", async () => {
  const worker = () => new Worker("data:text/javascript,throw new Error('no core')");
  const why = await openMediaPlane({ world, count: 1, worker }).then(() => "", String);
  expect(why).not.toBe("");
}, LIMIT_MS);
