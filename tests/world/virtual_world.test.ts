import { expect, test } from "bun:test";
import { VirtualUniverse } from "../virtual_world.ts";

test("timers fire in order of time and promises settle between them", async () => {
  const universe = new VirtualUniverse();
  const seen: string[] = [];
  universe.after(20, () => seen.push("b"));
  universe.after(10, async () => {
    await Promise.resolve();
    await Promise.resolve();
    seen.push("a");
    universe.after(5, () => seen.push("between"));
  });
  universe.after(15, () => seen.push("never")).cancel();
  await universe.advance(100);
  expect(seen).toEqual(["a", "between", "b"]);
  expect(universe.now()).toBe(100);
  expect(universe.pending).toBe(0);
});

async function run(seed: number): Promise<string> {
  const universe = new VirtualUniverse(seed);
  universe.setFaults({ loss: 0.3, duplication: 0.3, jitterMs: 20 });
  const seen: string[] = [];
  const b = universe.host("192.0.2.2");
  await b.network.bindDatagram({ host: "0.0.0.0", port: 5060 }, {
    received: (bytes) => seen.push(String(bytes[0])),
    unreachable: () => {},
  });
  const a = universe.host("192.0.2.1");
  const socket = await a.network.bindDatagram({ host: "192.0.2.1", port: 0 }, {
    received: () => {},
    unreachable: () => seen.push("icmp"),
  });
  for (let n = 0; n < 30; n++) socket.send(new Uint8Array([n]), { host: "192.0.2.2", port: 5060 });
  await universe.advance(1000);
  universe.setFaults({});
  socket.send(new Uint8Array([1]), { host: "192.0.2.2", port: 9 });
  await universe.advance(1000);
  expect(seen.at(-1)).toBe("icmp");
  return seen.join();
}

test("the same seed gives the same run, another seed another one", async () => {
  expect(await run(1)).toBe(await run(1));
  expect(await run(1)).not.toBe(await run(2));
});

test("a stream arrives in order, in pieces, and waits out a partition", async () => {
  const universe = new VirtualUniverse();
  universe.setFaults({ pieces: 3 });
  const b = universe.host("192.0.2.2");
  let text = "";
  let closed = 0;
  await b.network.listenStream({ host: "0.0.0.0", port: 5060 }, {
    accepted: (connection) =>
      connection.listen({
        received: (bytes) => text += new TextDecoder().decode(bytes),
        drained: () => {},
        closed: () => closed++,
      }),
    failed: () => {},
  });
  const a = universe.host("192.0.2.1");
  const connecting = a.network.connectStream({ host: "192.0.2.2", port: 5060, timeoutMs: 1000 });
  await universe.advance(10);
  const connection = await connecting;
  universe.partition("192.0.2.1", "192.0.2.2");
  connection.write(new TextEncoder().encode("hello "));
  connection.write(new TextEncoder().encode("world"));
  await universe.advance(1000);
  expect(text).toBe("");
  expect(connection.unsent).toBe(11);
  universe.heal();
  await universe.advance(1000);
  expect(text).toBe("hello world");
  connection.end();
  await universe.advance(10);
  expect(closed).toBe(1);
});
