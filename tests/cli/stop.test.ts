import { expect, test } from "bun:test";
import { stopGently } from "../../src/cli/stop.ts";
import { CallServer } from "../modules/call_server.ts";

/** Alice and bob talk. */
async function talking() {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob, 20s)" } });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("200 OK", bob.sdp());
  await alice.ack();
  return { server, alice, bob };
}

test("a server that stops answers new calls with 503 and lets running ones end by themselves", async () => {
  const { server, alice, bob } = await talking();
  const carol = await server.phone("carol");
  const stopped = stopGently(server.kernel, server.world, 8000);
  await carol.invite("bob");
  expect(carol.status).toBe("503");
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.universe.advance(100);
  await stopped;
  expect(server.kernel.modules).toEqual([]);
});

test("after the grace time both legs of a running call get a BYE, and nothing is left open", async () => {
  const { server, alice, bob } = await talking();
  const stopped = stopGently(server.kernel, server.world, 3000);
  await server.universe.advance(2900);
  expect(alice.count("BYE") + bob.count("BYE")).toBe(0);
  await server.universe.advance(200);
  await alice.reply("BYE", "200 OK");
  await bob.reply("BYE", "200 OK");
  await server.universe.advance(3000);
  await stopped;
  expect([alice.count("BYE"), bob.count("BYE")]).toEqual([1, 1]);
  expect(server.world.datagrams.size).toBe(0);
  expect(server.media.counts).toMatchObject({ streams: 0 });
});

test("phones that do not answer the BYE do not hold the process up", async () => {
  const { server } = await talking();
  let gone = false;
  void stopGently(server.kernel, server.world, 1000).then(() => gone = true);
  await server.universe.advance(10_000);
  expect(gone).toBe(true);
});
