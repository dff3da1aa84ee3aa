// baresip sends pictures (VP8) to baresip through the server, and to itself by the echo.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { ADDRESS, manifest } from "./manifest.ts";
import type { Baresip } from "./peers/baresip.ts";
import { expectTone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

const phones = new Phones();
let server: Server;
beforeAll(async () => {
  const base = manifest();
  const { endpoints } = base.core as { endpoints: Record<string, object> };
  for (const id of ["alice", "bob"]) endpoints[id] = { ...endpoints[id], allow: ["ulaw", "vp8"], useAvpf: false };
  server = await Server.start(base);
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

const seeing = (user: string, frequency: number): Promise<Baresip> =>
  phones.baresip(user, frequency, {
    modules: ["vp8", "fakevideo"],
    settings:
      "video_source fakevideo,nil\nvideo_display fakevideo,nil\nvideo_size 320x240\nvideo_fps 15\nvideo_bitrate 200000",
  });

/** Packets of video that baresip counted at the end of its last call: sent, received. */
async function pictures(phone: Baresip): Promise<[number, number]> {
  const [, sent, received] = await phone.peer.expect(/video +Transmit: +Receive:\s+packets: +(\d+) +(\d+)/, 5);
  return [Number(sent), Number(received)];
}

test("pictures go both ways between two phones, with the sound", async () => {
  const [alice, bob] = [await seeing("alice", 440), await seeing("bob", 880)];
  await alice.dial(`sip:bob@${ADDRESS}`);
  await Promise.all([alice.event("CALL_ESTABLISHED"), bob.event("CALL_ESTABLISHED")]);
  await Bun.sleep(3500);
  await alice.hangup();
  await bob.event("CALL_CLOSED");
  const [[sent, received], [bobSent, bobReceived]] = [await pictures(alice), await pictures(bob)];
  expect(sent).toBeGreaterThan(30);
  expect(bobSent).toBeGreaterThan(30);
  expect(Math.abs(sent - bobReceived)).toBeLessThan(10);
  expect(Math.abs(bobSent - received)).toBeLessThan(10);
  expectTone(await bob.heard(), 440);
  expectTone(await alice.heard(), 880);
}, 40_000);

test("the echo sends pictures back", async () => {
  const alice = await seeing("alice", 440);
  await alice.dial(`sip:601@${ADDRESS}`);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(3000);
  await alice.hangup();
  const [sent, received] = await pictures(alice);
  expect(sent).toBeGreaterThan(30);
  expect(Math.abs(sent - received)).toBeLessThan(10);
}, 40_000);
