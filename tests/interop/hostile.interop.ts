// A minute of random octets, truncated messages and RTP garbage on every port: no crash, no growth, and a call in
// progress keeps its audio.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createConnection } from "node:net";
import { readFileSync } from "node:fs";
import { ADDRESS, manifest, SIP } from "./manifest.ts";
import { expectTone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

const SECONDS = 60;

let server: Server;
const phones = new Phones();
beforeAll(async () => {
  server = await Server.start(manifest());
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

/** xorshift32: the same flood every time. */
function generator(seed: number): () => number {
  return () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
}

const invite = `INVITE sip:601@${ADDRESS} SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:15999;branch=z9hG4bKx\r
From: <sip:alice@127.0.0.1>;tag=1\r
To: <sip:601@127.0.0.1>\r
Call-ID: flood\r
CSeq: 1 INVITE\r
Contact: <sip:alice@127.0.0.1:15999>\r
Max-Forwards: 70\r
Content-Type: application/sdp\r
Content-Length: 9\r
\r
v=0\r
o=-\r
`;

/** Random octets, or a message cut short or with octets changed. */
function junk(random: () => number): Uint8Array {
  if (random() % 3 === 0) return Uint8Array.from({ length: random() % 1200 }, () => random());
  const bytes = new TextEncoder().encode(
    invite.replace("flood", `flood${random()}`).replace("z9hG4bKx", `z9hG4bK${random()}`),
  );
  for (let i = random() % 6; i > 0; i--) bytes[random() % bytes.length] = random();
  return bytes.subarray(0, random() % 2 ? bytes.length : random() % bytes.length);
}

/** RTP and RTCP with every field at random, sometimes cut. */
function rtpJunk(random: () => number): Uint8Array {
  const bytes = Uint8Array.from({ length: random() % 220 }, () => random());
  if (bytes.length > 1 && random() % 4) bytes[0] = 0x80 | random() & 0x3f;
  if (bytes.length > 1 && random() % 4) bytes[1] = [0, 8, 101, 200, 201, 203][random() % 6] ?? 0;
  return bytes;
}

const rssKb = (pid: number) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1]);

test(`${SECONDS} s of garbage on every port leave a call's audio and the memory alone`, async () => {
  const alice = await phones.baresip("alice", 440);
  const bob = await phones.baresip("bob", 880);
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(1000);
  const random = generator(20261125);
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(15999, "127.0.0.1", resolve));
  udp.on("error", () => undefined); // ICMP from closed media ports
  const end = Date.now() + SECONDS * 1000;
  const half = Date.now() + SECONDS * 500;
  let middle = 0;
  let sent = 0;
  while (Date.now() < end) {
    for (let i = 0; i < 30; i++) {
      udp.send(junk(random), SIP, "127.0.0.1");
      udp.send(rtpJunk(random), 20000 + random() % 1000, "127.0.0.1");
      sent += 2;
    }
    const stream = createConnection({ host: "127.0.0.1", port: SIP });
    stream.on("error", () => undefined); // the server may close it at once
    stream.end(junk(random));
    await Bun.sleep(20);
    if (middle === 0 && Date.now() > half) middle = rssKb(server.peer.pid);
  }
  udp.close();
  await alice.hangup();
  await bob.event("CALL_CLOSED");
  const after = rssKb(server.peer.pid);
  expect(sent).toBeGreaterThan(50_000);
  expectTone(await alice.heard(), 880);
  expectTone(await bob.heard(), 440);
  expect(after - middle).toBeLessThan(30_000);
  // the phone of before is still served
  await alice.dial("sip:601@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await alice.hangup();
}, 120_000);
