import { expect, test } from "bun:test";
import { type Rig, rig, rtp } from "./rig.ts";

const SYMMETRIC = 16;
const SOURCE = 2;

/** Hands in `count` packets 20 ms apart; how many were heard. */
function speak(
  core: Rig,
  slot: number,
  port: number,
  count: number,
  first = 100,
  options: { host?: string; ssrc?: number } = {},
) {
  const before = core.stat(slot, 0);
  for (let i = 0; i < count; i++) {
    core.advance(20);
    const { ssrc = 0xfeed } = options;
    core.datagram(slot, rtp({ sequence: first + i, timestamp: 160 * (first + i), ssrc }), port, options);
  }
  return core.stat(slot, 0) - before;
}

test("the negotiated source is heard at once and locks; a stranger is not heard", async () => {
  const core = await rig();
  const slot = core.open();
  expect(speak(core, slot, 4000, 1)).toBe(1);
  expect(core.notices(SOURCE)).toHaveLength(1);
  expect(speak(core, slot, 4666, 50)).toBe(0);
  expect(core.stat(slot, 10)).toBe(50);
});

test("before media comes another host is not heard, unless the endpoint is behind NAT", async () => {
  const core = await rig();
  const plain = core.open();
  expect(speak(core, plain, 4000, 20, 100, { host: "192.0.2.66" })).toBe(0);
  const nat = core.open({ flags: 3 | SYMMETRIC });
  expect(speak(core, nat, 9999, 6, 100, { host: "192.0.2.66" })).toBe(3); // from the fourth on
  expect(core.notices(SOURCE)).toHaveLength(1);
});

test("behind NAT only the host of signaling may speak, when it is known", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC, signaling: "198.51.100.7" });
  expect(speak(core, slot, 9999, 20, 100, { host: "192.0.2.66" })).toBe(0);
  expect(speak(core, slot, 9999, 6, 100, { host: "198.51.100.7" })).toBe(3);
});

test("four packets in a burst are a flood, not a source", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC });
  for (let i = 0; i < 4; i++) core.datagram(slot, rtp({ sequence: i, timestamp: 160 * i }), 9999);
  expect(core.stat(slot, 0)).toBe(0);
});

test("probation wants consecutive numbers", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC });
  for (const sequence of [1, 2, 3, 5, 6, 7]) {
    core.advance(20);
    core.datagram(slot, rtp({ sequence, timestamp: 160 * sequence }), 9999);
  }
  expect(core.stat(slot, 0)).toBe(0);
});

test("symmetric media is answered to the locked source", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC });
  core.core.bridgeEcho(slot);
  speak(core, slot, 9999, 4);
  expect(core.datagram(slot, rtp({ sequence: 104, timestamp: 0 }), 9999)[0]!.port).toBe(9999);
});

test("while it learns, the negotiated address wins over another", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC });
  speak(core, slot, 9999, 6);
  expect(speak(core, slot, 4000, 6, 500)).toBe(3);
  expect(speak(core, slot, 9999, 6, 106)).toBe(0);
});

test("after five seconds a lock moves by re-negotiation only", async () => {
  const core = await rig();
  const slot = core.open({ flags: 3 | SYMMETRIC });
  speak(core, slot, 9999, 6);
  core.advance(5000);
  expect(speak(core, slot, 4000, 20, 500)).toBe(0);
  core.configure(slot, { port: 4002, flags: 3 | SYMMETRIC });
  expect(speak(core, slot, 4002, 3, 900)).toBe(3);
});

test("strict seqno: a source that goes on with the sequence takes over after probation", async () => {
  const core = await rig();
  const slot = core.open({ strict: 2 });
  speak(core, slot, 4000, 10, 100);
  core.advance(6000);
  expect(speak(core, slot, 7000, 5, 9000)).toBe(0);
  expect(speak(core, slot, 7000, 5, 110)).toBe(2);
});

test("strict no: everybody is heard", async () => {
  const core = await rig();
  const slot = core.open({ strict: 0 });
  expect(speak(core, slot, 4000, 1, 100) + speak(core, slot, 7000, 1, 101, { host: "192.0.2.9" })).toBe(2);
});

test("RTCP of a stranger is not believed", async () => {
  const core = await rig();
  const slot = core.open();
  speak(core, slot, 4000, 2);
  core.datagram(slot, Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1]), 4001, { host: "192.0.2.66", rtcp: true });
  expect(core.stat(slot, 10)).toBe(1);
});
