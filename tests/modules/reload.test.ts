// Every module of a running call is exchanged under it.
import { expect, test } from "bun:test";
import { sessions } from "../../src/kernel/services.ts";
import { audioPort, CallServer } from "./call_server.ts";

async function talking() {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob, 20s)" } });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("200 OK", bob.sdp());
  const ok = await alice.ack();
  return { server, alice, bob, stream: server.media.at(audioPort(ok)) };
}

for (const name of ["core", "session", "sdp_rtp", "dialplan", "registrar"]) {
  test(`a call survives a reload of ${name}, can be renegotiated, and ends as calls do`, async () => {
    const { server, alice, bob, stream } = await talking();
    const reloaded = server.kernel.reloadModule(name);
    await server.universe.advance(100);
    await reloaded;
    expect(server.kernel.modules.filter(({ state }) => state !== "running")).toEqual([]);
    expect(server.kernel.find(sessions)?.channels).toHaveLength(2);
    expect(stream.hears).toHaveProperty("peer");
    expect(await alice.reinvite(alice.sdp("a=sendrecv"))).toStartWith("SIP/2.0 200");
    await alice.bye();
    await bob.reply("BYE", "200 OK");
    expect([alice.status, bob.count("BYE")]).toEqual(["200", 1]);
    await server.expectIdle();
    const faults = server.log.filter(({ level, module }) => level === "error" && module !== "registrar"); // it has no store
    expect(faults).toEqual([]);
  });

  test(`a new call works after a reload of ${name}`, async () => {
    const server = await CallServer.start({ dialplan: { bob: "dial(bob, 20s)" } });
    const reloaded = server.kernel.reloadModule(name);
    await server.universe.advance(100);
    await reloaded;
    const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
    await alice.invite("bob");
    await bob.answer("200 OK", bob.sdp());
    await alice.ack();
    await bob.bye();
    await alice.reply("BYE", "200 OK");
    expect(alice.count("BYE")).toBe(1);
    await server.expectIdle();
  });
}

test("a step that waits goes on waiting over a reload of its dialplan", async () => {
  const server = await CallServer.start({ dialplan: { 7: ["answer", "wait(3s)", "hangup"] } });
  const alice = await server.phone("alice");
  await alice.invite("7");
  await alice.ack();
  await server.universe.advance(1000);
  const reloaded = server.kernel.reloadModule("dialplan");
  await server.universe.advance(500);
  await reloaded;
  expect(alice.count("BYE")).toBe(0);
  await server.universe.advance(2000);
  await alice.reply("BYE", "200 OK");
  expect(alice.count("BYE")).toBe(1);
  await server.expectIdle();
});
