// tshark judges what was on the wire.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { ADDRESS, manifest, SIP } from "./manifest.ts";
import { Capture } from "./peers/tshark.ts";
import { Phones } from "./phones.ts";
import { Server } from "./server.ts";

let server: Server;
const phones = new Phones();
beforeAll(async () => {
  server = await Server.start(manifest());
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

test("on the wire: no malformed SIP or RTP, RTP sequence and timestamps continuous", async () => {
  const capture = await Capture.start(`udp port ${SIP} or udp portrange 20000-20999`);
  const alice = await phones.baresip("alice", 440);
  const bob = await phones.baresip("bob", 880);
  for (let call = 0; call < 2; call++) {
    await alice.dial("sip:bob@" + ADDRESS);
    await bob.event("CALL_ESTABLISHED");
    await Bun.sleep(2500);
    await bob.hangup();
    await alice.event("CALL_CLOSED");
  }
  await capture.stop();
  expect(await capture.rows("sip && _ws.malformed", ["frame.number"])).toEqual([]);
  expect((await capture.rows("sip.Method == INVITE", ["frame.number"])).length).toBeGreaterThanOrEqual(4);
  const packets = await capture.rows("rtp && !rtcp", ["udp.srcport", "rtp.ssrc", "rtp.seq", "rtp.timestamp"]);
  expect(packets.length).toBeGreaterThan(400);
  expect(await capture.rows("rtp && _ws.malformed", ["frame.number"])).toEqual([]);
  const streams = new Map<string, { seq: number; timestamp: number }>();
  for (const [port, ssrc, seq, timestamp] of packets) {
    if (Number(port) < 20000 || Number(port) > 20999) continue; // what we sent
    const before = streams.get(`${port} ${ssrc}`);
    const now = { seq: Number(seq), timestamp: Number(timestamp) };
    if (before) {
      expect((now.seq - before.seq) & 0xffff).toBe(1);
      expect((now.timestamp - before.timestamp) >>> 0).toBe(160);
    }
    streams.set(`${port} ${ssrc}`, now);
  }
  expect(streams.size).toBeGreaterThanOrEqual(4);
  capture.remove();
}, 60_000);
