// Phones with SRTP, their keys in SDP over TLS: baresip and linphone, alone, with each other, with one that is in the clear.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { levelAt, sine, stretch } from "./audio.ts";
import { ADDRESS, manifest, PASSWORD, PLAYED, soundsInto } from "./manifest.ts";
import type { Baresip } from "./peers/baresip.ts";
import { Linphone } from "./peers/linphone.ts";
import { expectTone, expectToneOfLinphone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

const TLS = 15061;
const OVER_TLS = `127.0.0.1:${TLS}`;
const phones = new Phones();
let folder: string;
let server: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "patchbay-encrypted-"));
  const certificate = join(folder, "server.pem");
  const make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"];
  const made = Bun.spawnSync([...make, "-keyout", certificate, "-out", join(folder, "cert.pem")]);
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  await Bun.write(certificate, await Bun.file(certificate).text() + await Bun.file(join(folder, "cert.pem")).text());
  const base = manifest();
  const core = base.core as { transports: Record<string, unknown>; endpoints: Record<string, object> };
  core.transports.tls = { bind: `tls:${OVER_TLS}`, certFile: certificate };
  // A phone listens for nothing over TLS: the way back to it is the connection it made.
  const secure = { mediaEncryption: "sdes", rewriteContact: true };
  for (const id of ["alice", "carol"]) core.endpoints[id] = { ...core.endpoints[id], ...secure };
  core.endpoints.erin = { ...core.endpoints.erin, mediaEncryption: "sdes", mediaEncryptionOptimistic: true };
  server = await Server.start(base);
  await soundsInto(server.dir);
});
afterEach(() => phones.stop());
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const encrypted = (user: string, frequency: number): Promise<Baresip> =>
  phones.baresip(user, frequency, {
    server: OVER_TLS,
    transport: "tls",
    modules: ["srtp"],
    account: "mediaenc=srtp-mand",
  });

/** The legs that are up, as `patchbay calls` shows them. */
async function encryption(): Promise<Record<string, string | undefined>> {
  const calls = await (await server.api("/api/v1/calls")).json() as { endpoint: string; encryption?: string }[];
  return Object.fromEntries(calls.map((call) => [call.endpoint, call.encryption]));
}

test("baresip with SRTP: echo, and a clip", async () => {
  const alice = await encrypted("alice", 440);
  await alice.dial(`sip:601@${OVER_TLS}`);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  expect(await encryption()).toEqual({ alice: "AES_CM_128_HMAC_SHA1_80" });
  await alice.hangup();
  expectTone(await alice.heard(), 440);
  await alice.dial(`sip:602@${OVER_TLS}`);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await alice.hangup();
  expectTone(await alice.heard(1), PLAYED, -12);
}, 40_000);

test("baresip with SRTP and one without call each other, both ways", async () => {
  const alice = await encrypted("alice", 440);
  const bob = await phones.baresip("bob", 880);
  const ways = [[alice, bob, `sip:bob@${OVER_TLS}`], [bob, alice, `sip:alice@${ADDRESS}`]] as const;
  for (const [call, [from, to, target]] of ways.entries()) {
    await from.dial(target);
    await Promise.all([from.event("CALL_ESTABLISHED"), to.event("CALL_ESTABLISHED")]);
    await Bun.sleep(2500);
    expect(await encryption()).toEqual({ alice: "AES_CM_128_HMAC_SHA1_80", bob: undefined });
    await from.hangup();
    await to.event("CALL_CLOSED");
    expectTone(await bob.heard(call), 440);
    expectTone(await alice.heard(call), 880);
  }
}, 60_000);

test("a conference of two with SRTP and one without: each hears the others", async () => {
  const tones = [440, 700, 1000];
  const [a = 0, c = 0, b = 0] = tones;
  const members = [await encrypted("alice", a), await encrypted("carol", c), await phones.baresip("bob", b)];
  for (const member of members) {
    await member.dial(`sip:600@${member === members[2] ? ADDRESS : OVER_TLS}`);
    await member.event("CALL_ESTABLISHED");
  }
  await Bun.sleep(3500);
  for (const member of members) await member.hangup();
  for (const [at, member] of members.entries()) {
    const heard = await member.heard();
    const seconds = heard.samples.length / heard.sampleRate;
    const together = stretch(heard, seconds - 2, seconds - 0.5);
    for (const [other, frequency] of tones.entries()) {
      const level = levelAt(together, frequency);
      if (other === at) expect(level).toBeLessThan(-55);
      else expect(Math.abs(level + 10)).toBeLessThan(1);
    }
  }
}, 60_000);

test("one that must encrypt is not served in the clear; one that may is", async () => {
  const plain = await phones.baresip("alice", 440, { server: OVER_TLS, transport: "tls" });
  await plain.dial(`sip:601@${OVER_TLS}`);
  expect(await plain.event("CALL_CLOSED")).toContain("488");
  const erin = await phones.baresip("erin", 440);
  await erin.dial(`sip:601@${ADDRESS}`);
  await erin.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  expect(await encryption()).toEqual({ erin: undefined });
  await erin.hangup();
  expectTone(await erin.heard(), 440);
}, 40_000);

test("linphone with SRTP calls baresip with SRTP", async () => {
  const alice = await Linphone.start({
    user: "alice",
    password: PASSWORD,
    server: OVER_TLS,
    transport: "tls",
    encryption: "srtp",
    port: 15660,
    rtpPort: 17020,
    speaks: sine(440, 60, -10),
  });
  phones.add(alice);
  const carol = await encrypted("carol", 880);
  await server.registered("alice");
  await alice.call(`sip:carol@${OVER_TLS};transport=tls`);
  await carol.event("CALL_ESTABLISHED");
  await Bun.sleep(4000);
  const suites = await encryption();
  expect(Object.keys(suites).sort()).toEqual(["alice", "carol"]);
  for (const suite of Object.values(suites)) expect(suite).toMatch(/^A/);
  alice.command("terminate");
  await carol.event("CALL_CLOSED");
  const heard = await carol.heard();
  const seconds = heard.samples.length / heard.sampleRate;
  expectTone(stretch(heard, seconds - 3, seconds), 440);
  await Bun.sleep(500);
  expectToneOfLinphone(await alice.heard(), 880);
}, 60_000);
