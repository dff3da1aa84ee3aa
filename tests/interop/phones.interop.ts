// baresip and linphone register, call each other and the numbers of the README; the sound they hear is measured.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { levelAt, sine, stretch, strongest } from "./audio.ts";
import { ADDRESS, manifest, PASSWORD, PLAYED, soundsInto } from "./manifest.ts";
import { Linphone } from "./peers/linphone.ts";
import { expectTone, expectToneOfLinphone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

let server: Server;
const phones = new Phones();
beforeAll(async () => {
  server = await Server.start(manifest());
  await soundsInto(server.dir);
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

for (const transport of ["udp", "tcp"] as const) {
  test(`two phones over ${transport} call each other and hear each other`, async () => {
    const alice = await phones.baresip("alice", 440, { transport });
    const bob = await phones.baresip("bob", 880, { transport });
    await alice.dial("sip:bob@" + ADDRESS);
    await alice.event("CALL_ESTABLISHED");
    await bob.event("CALL_ESTABLISHED");
    await Bun.sleep(2500);
    await alice.hangup();
    await bob.event("CALL_CLOSED");
    expectTone(await alice.heard(), 880);
    expectTone(await bob.heard(), 440);
  });
}

test("G.711 A-law on one side and µ-law on the other are transcoded", async () => {
  const alice = await phones.baresip("alice", 440, { audioCodecs: "PCMA/8000" });
  const bob = await phones.baresip("bob", 880, { audioCodecs: "PCMU/8000" });
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await bob.hangup();
  await alice.event("CALL_CLOSED");
  expectTone(await alice.heard(), 880);
  expectTone(await bob.heard(), 440);
});

const g722 = { codecs: ["g722"], audioCodecs: "G722/16000/1" };

test("G.722 on one side and A-law on the other are transcoded", async () => {
  const alice = await phones.baresip("alice", 440, g722);
  const bob = await phones.baresip("bob", 880, { audioCodecs: "PCMA/8000" });
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await bob.hangup();
  await alice.event("CALL_CLOSED");
  expectTone(await alice.heard(), 880);
  expectTone(await bob.heard(), 440);
});

test("two phones with G.722 hear each other above 4 kHz", async () => {
  const alice = await phones.baresip("alice", 5300, { ...g722, speaks: sine(5300, 60, -10, 16000) });
  const bob = await phones.baresip("bob", 6100, { ...g722, speaks: sine(6100, 60, -10, 16000) });
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await bob.hangup();
  await alice.event("CALL_CLOSED");
  for (const [phone, frequency] of [[alice, 6100], [bob, 5300]] as const) {
    const heard = await phone.heard();
    expect(heard.sampleRate).toBe(16000);
    const settled = stretch(heard, 0.6, heard.samples.length / heard.sampleRate - 0.4);
    expect(Math.abs(levelAt(settled, frequency) + 10)).toBeLessThan(1);
  }
});

test("a phone that speaks G.722 alone hears the clip of 602 and the others of a conference", async () => {
  const alice = await phones.baresip("alice", 440, g722);
  await alice.dial("sip:602@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await alice.event("CALL_CLOSED");
  const clip = await alice.heard();
  expect(strongest(clip).frequency).toBeCloseTo(PLAYED, -1);
  await alice.stop();
  const again = await phones.baresip("alice", 440, g722);
  const bob = await phones.baresip("bob", 880);
  await again.dial("sip:600@" + ADDRESS);
  await bob.dial("sip:600@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await bob.hangup();
  await again.hangup();
  await again.event("CALL_CLOSED");
  const heard = await again.heard();
  expect(levelAt(heard, 880)).toBeGreaterThan(-14);
  expect(levelAt(heard, 440)).toBeLessThan(-50);
  expect(levelAt(await bob.heard(), 440)).toBeGreaterThan(-14);
});

test("hold and resume: silence of the other while held, sound again after", async () => {
  const alice = await phones.baresip("alice", 440);
  const bob = await phones.baresip("bob", 880);
  await alice.dial("sip:bob@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(1500);
  await alice.command("hold");
  await Bun.sleep(2000);
  await alice.command("resume");
  await Bun.sleep(2000);
  await alice.hangup();
  await bob.event("CALL_CLOSED");
  const heard = await bob.heard();
  const seconds = heard.samples.length / heard.sampleRate;
  expectTone(stretch(heard, 0, 1.6), 440);
  expectTone(stretch(heard, seconds - 1.6, seconds), 440);
});

test.each([["INFO", "RTP events", "info", "rtpevent"], ["RTP events", "INFO", "rtpevent", "info"]])(
  "digits that come as %s reach a phone as it takes them: %s",
  async (_from, _to, speaks, takes) => {
    const alice = await phones.baresip("alice", 440, { account: `dtmfmode=${speaks}` });
    const bob = await phones.baresip(takes === "info" ? "dave" : "bob", 880);
    await alice.dial(`sip:${takes === "info" ? "dave" : "bob"}@${ADDRESS}`);
    await alice.event("CALL_ESTABLISHED");
    await Bun.sleep(500);
    await alice.press("159#");
    await Bun.sleep(500);
    await alice.hangup();
    await bob.event("CALL_CLOSED");
    const told = takes === "info" ? /received DTMF: '(.)'/g : /received event: '(.)' \(end=0\)/g;
    expect([...bob.peer.output.matchAll(told)].map((m) => m[1]).join("")).toBe("159#");
  },
);

test("DTMF (RFC 4733) is passed on, each digit once", async () => {
  const alice = await phones.baresip("alice", 440);
  const bob = await phones.baresip("bob", 880);
  await alice.dial("sip:bob@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(800);
  await alice.press("159#");
  await Bun.sleep(800);
  await alice.hangup();
  await bob.event("CALL_CLOSED");
  const begun = [...bob.peer.output.matchAll(/received event: '(.)' \(end=0\)/g)].map((m) => m[1]).join("");
  expect(begun).toBe("159#");
});

test("the caller cancels while it rings; the callee rejects", async () => {
  const alice = await phones.baresip("alice", 440);
  const bob = await phones.baresip("bob", 880, { answer: "manual" });
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_INCOMING");
  await alice.hangup();
  await alice.event("CALL_CLOSED");
  await bob.event("CALL_CLOSED");
  await alice.dial("sip:bob@" + ADDRESS);
  await bob.event("CALL_INCOMING");
  await bob.hangup();
  expect(await alice.event("CALL_CLOSED")).toMatch(/486|603|Busy|Decline/);
});

test("601 echoes", async () => {
  const alice = await phones.baresip("alice", 440);
  await alice.dial("sip:601@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await alice.hangup();
  await alice.event("CALL_CLOSED");
  expectTone(await alice.heard(), 440);
});

test("602 plays a WAV file and hangs up", async () => {
  const alice = await phones.baresip("alice", 440);
  await alice.dial("sip:602@" + ADDRESS);
  await alice.event("CALL_ESTABLISHED");
  await alice.event("CALL_CLOSED", 8);
  const heard = await alice.heard();
  expect(heard.samples.length / heard.sampleRate).toBeGreaterThan(2.7);
  expectTone(stretch(heard, 0, 2.9), PLAYED, -12);
});

test("600 is a conference: each of five hears the other four and not itself", async () => {
  const tones = { alice: 440, bob: 700, carol: 1000, dave: 1400, erin: 1900 };
  const names = Object.keys(tones) as (keyof typeof tones)[];
  const members = await Promise.all(
    names.map((name) => phones.baresip(name, tones[name], { speaks: sine(tones[name], 60, -18) })),
  );
  for (const member of members) await member.dial("sip:600@" + ADDRESS);
  for (const member of members) await member.event("CALL_ESTABLISHED");
  await Bun.sleep(3500);
  for (const member of members) await member.hangup();
  for (const [at, member] of members.entries()) {
    await member.event("CALL_CLOSED");
    const heard = await member.heard();
    const seconds = heard.samples.length / heard.sampleRate;
    const together = stretch(heard, seconds - 2.6, seconds - 0.8);
    for (const [other, name] of names.entries()) {
      const level = levelAt(together, tones[name]);
      if (other === at) expect(level).toBeLessThan(-55);
      else expect(Math.abs(level + 18)).toBeLessThan(1);
    }
  }
});

test("linphone and baresip call each other and hear each other", async () => {
  const alice = await Linphone.start({
    user: "alice",
    password: PASSWORD,
    server: ADDRESS,
    port: 15640,
    rtpPort: 17000,
    speaks: sine(440, 60, -10),
  });
  phones.add(alice);
  const bob = await phones.baresip("bob", 880);
  await server.registered("alice");
  await alice.call("sip:bob@" + ADDRESS);
  await bob.event("CALL_ESTABLISHED");
  await Bun.sleep(4000);
  alice.command("terminate");
  await bob.event("CALL_CLOSED");
  const atBob = await bob.heard();
  const seconds = atBob.samples.length / atBob.sampleRate;
  expectTone(stretch(atBob, seconds - 3, seconds), 440);
  await Bun.sleep(500);
  const atAlice = await alice.heard();
  expectToneOfLinphone(atAlice, 880);
});
