import { expect, test } from "bun:test";
import { audioPort, bodyOf, CallServer, type Phone } from "./call_server.ts";

const ANY = { sdes: "any" };
const KEY = "inline:WbTBosdVUZqEb6Htqhn+m3z7wUh4RJVR8nE15GbN"; // 30 octets
const start = (endpoint: Record<string, unknown> = {}, sdpRtp: Record<string, unknown> = ANY) =>
  CallServer.start({ dialplan: { 1: ["answer", "wait(1h)"], bob: "dial(bob)" }, endpoint, sdpRtp });

const line = (alice: Phone, profile: string, ...more: string[]) =>
  alice.sdp(`m=audio ${alice.port} ${profile} 0`, ...more);
const crypto = (text: string) => /^a=crypto:(\d+) (\S+) inline:(\S+)\r$/m.exec(text);

async function answered(server: CallServer, alice: Phone, offer: string) {
  await alice.invite("1", offer);
  if (alice.status !== "200") return { status: alice.status, body: "", config: undefined };
  const body = bodyOf(await alice.ack());
  return { status: "200", body, config: server.media.at(audioPort(`\r\n\r\n${body}`)).config };
}

const rows: readonly [string, Record<string, unknown>, string, string[], string, string | undefined][] = [
  // what, endpoint, profile, lines, status, suite
  [
    "sdes",
    { mediaEncryption: "sdes" },
    "RTP/SAVP",
    [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`],
    "200",
    "AES_CM_128_HMAC_SHA1_80",
  ],
  ["sdes, plain offer", { mediaEncryption: "sdes" }, "RTP/AVP", [], "488", undefined],
  [
    "sdes, best-effort offer",
    { mediaEncryption: "sdes" },
    "RTP/AVP",
    [`a=crypto:7 AES_CM_128_HMAC_SHA1_32 ${KEY}`],
    "200",
    "AES_CM_128_HMAC_SHA1_32",
  ],
  ["sdes, no line", { mediaEncryption: "sdes" }, "RTP/SAVP", [], "488", undefined],
  ["no", {}, "RTP/SAVP", [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`], "488", undefined],
  ["no, lines in a plain offer", {}, "RTP/AVP", [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`], "200", undefined],
  ["no, lenient", { forceAvp: true }, "RTP/SAVP", [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`], "488", undefined],
  ["optimistic", { mediaEncryption: "sdes", mediaEncryptionOptimistic: true }, "RTP/AVP", [], "200", undefined],
  [
    "optimistic, lines",
    { mediaEncryption: "sdes", mediaEncryptionOptimistic: true },
    "RTP/AVP",
    [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`],
    "200",
    "AES_CM_128_HMAC_SHA1_80",
  ],
  [
    "optimistic, unusable lines",
    { mediaEncryption: "sdes", mediaEncryptionOptimistic: true },
    "RTP/AVP",
    ["a=crypto:1 F8_128_HMAC_SHA1_80 inline:QUJD"],
    "200",
    undefined,
  ],
  [
    "optimistic, SAVP, unusable",
    { mediaEncryption: "sdes", mediaEncryptionOptimistic: true },
    "RTP/SAVP",
    ["a=crypto:1 F8_128_HMAC_SHA1_80 inline:QUJD"],
    "488",
    undefined,
  ],
  [
    "F without useAvpf",
    { mediaEncryption: "sdes" },
    "RTP/SAVPF",
    [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`],
    "488",
    undefined,
  ],
  [
    "F with useAvpf",
    { mediaEncryption: "sdes", useAvpf: true },
    "RTP/SAVPF",
    [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`],
    "200",
    "AES_CM_128_HMAC_SHA1_80",
  ],
  [
    "DTLS",
    { mediaEncryption: "sdes" },
    "UDP/TLS/RTP/SAVP",
    [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`],
    "488",
    undefined,
  ],
];
for (const [what, endpoint, profile, lines, status, suite] of rows) {
  test(`${what}: ${profile} with ${lines.length} crypto lines is answered ${status}, ${suite ?? "plain"}`, async () => {
    const server = await start(endpoint);
    const alice = await server.phone("alice");
    const answer = await answered(server, alice, line(alice, profile, ...lines));
    expect([answer.status, answer.config?.srtp?.suite.name]).toEqual([status, suite]);
    if (status === "200") {
      const [, tag, name, key = ""] = crypto(answer.body) ?? [];
      expect(answer.body).toContain(`${profile} 0`);
      expect(name).toBe(suite);
      if (suite) {
        expect(tag).toBe(/crypto:(\d+)/.exec(lines[0] ?? "")?.[1]);
        expect(answer.config?.srtp?.receive.toBase64()).toBe(KEY.slice(7));
        expect(answer.config?.srtp?.send.toBase64()).toBe(key);
        expect(key).not.toBe(KEY.slice(7));
      }
      await alice.bye();
    }
    await server.expectIdle();
  });
}

test("lines we cannot do are passed over, the next is taken: lengths, MKI, lifetimes, session parameters, tags", async () => {
  const bad = [
    "AES_CM_128_HMAC_SHA1_80 inline:WbTBosdVUZqEb6Htqhn+m3z7wUh4RJVR8nE15GY=", // 29 octets
    "AES_CM_256_HMAC_SHA1_80 " + KEY,
    "AEAD_AES_128_GCM " + KEY,
    `AES_CM_128_HMAC_SHA1_80 ${KEY}|2^20|1:4`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY}|1:4`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY}|2^19`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY}|1000`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY} KDR=1`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY} UNENCRYPTED_SRTCP`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY} WSH=64`,
    `AES_CM_128_HMAC_SHA1_80 ${KEY};${KEY}`,
    "AES_CM_128_HMAC_SHA1_80 inline:!!!!",
    "garbage",
    "",
  ];
  for (const text of bad) {
    const server = await start({ mediaEncryption: "sdes" });
    const alice = await server.phone("alice");
    const lines = [`a=crypto:1 ${text}`, `a=crypto:2 AES_CM_128_HMAC_SHA1_80 ${KEY}|2^31`];
    const both = await answered(server, alice, line(alice, "RTP/SAVP", ...lines));
    expect([text, crypto(both.body)?.[1]]).toEqual([text, "2"]);
    await alice.bye();
    const alone = await answered(server, alice, line(alice, "RTP/SAVP", ...lines.slice(0, 1)));
    expect([text, alone.status]).toEqual([text, "488"]);
    await server.expectIdle();
  }
  const server = await start({ mediaEncryption: "sdes" });
  const alice = await server.phone("alice");
  const tagged = await answered(
    server,
    alice,
    line(alice, "RTP/SAVP", `a=crypto:1000000000 AES_CM_128_HMAC_SHA1_80 ${KEY}`),
  );
  expect(tagged.status).toBe("488");
});

test("each suite is taken, with keys of its length", async () => {
  const suites = [
    ["AES_CM_128_HMAC_SHA1_80", 30],
    ["AES_CM_128_HMAC_SHA1_32", 30],
    ["AES_192_CM_HMAC_SHA1_80", 38],
    ["AES_256_CM_HMAC_SHA1_80", 46],
    ["AEAD_AES_128_GCM", 28],
    ["AEAD_AES_256_GCM", 44],
  ] as const;
  for (const [name, octets] of suites) {
    const server = await start({ mediaEncryption: "sdes" });
    const alice = await server.phone("alice");
    const key = new Uint8Array(octets).fill(7).toBase64();
    const { config, body } = await answered(server, alice, line(alice, "RTP/SAVP", `a=crypto:1 ${name} inline:${key}`));
    expect([config?.srtp?.suite.name, config?.srtp?.send.length]).toEqual([name, octets]);
    expect(crypto(body)?.[2]).toBe(name);
    await alice.bye();
  }
});

test("our offer: RTP/SAVP, five suites with keys of their own, or a short tag; optimistic it is RTP/AVP", async () => {
  const settings = [
    [{ mediaEncryption: "sdes" }, "RTP/SAVP", "AES_CM_128_HMAC_SHA1_80"],
    [{ mediaEncryption: "sdes", useAvpf: true }, "RTP/SAVPF", "AES_CM_128_HMAC_SHA1_80"],
    [{ mediaEncryption: "sdes", srtpTag32: true }, "RTP/SAVP", "AES_CM_128_HMAC_SHA1_32"],
    [{ mediaEncryption: "sdes", mediaEncryptionOptimistic: true }, "RTP/AVP", "AES_CM_128_HMAC_SHA1_80"],
  ] as const;
  for (const [bob, profile, first] of settings) {
    const server = await CallServer.start({ dialplan: { bob: "dial(bob)" }, sdpRtp: ANY, endpoints: { bob } });
    const [alice, phone] = [await server.phone("alice"), await server.phone("bob")];
    await alice.invite("bob", alice.sdp());
    const offer = bodyOf(phone.ringing);
    expect(offer).toMatch(new RegExp(`^m=audio \\d+ ${profile} 0 8 101\r$`, "m"));
    const lines = [...offer.matchAll(/^a=crypto:(\d) (\S+) inline:(\S+)\r$/gm)];
    expect(lines.map(([, tag, suite]) => `${tag} ${suite}`)).toEqual([
      `1 ${first}`,
      "2 AEAD_AES_128_GCM",
      "3 AES_256_CM_HMAC_SHA1_80",
      "4 AEAD_AES_256_GCM",
      "5 AES_192_CM_HMAC_SHA1_80",
    ]);
    expect(new Set(lines.map(([, , , key]) => key)).size).toBe(5);
  }
});

/** Alice calls bob, who encrypts; his answer to our offer. */
async function dialled(
  answer: (bob: Phone, offer: string) => string,
  bob: Record<string, unknown> = { mediaEncryption: "sdes" },
) {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob)" }, sdpRtp: ANY, endpoints: { bob } });
  const [alice, phone] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", alice.sdp());
  const offer = bodyOf(phone.ringing);
  const stream = server.media.at(audioPort(`\r\n\r\n${offer}`));
  await phone.answer("200 OK", answer(phone, offer));
  return { server, alice, bob: phone, offer, config: stream.config };
}

test("an answer to our offer names a line of it: both keys count, the caller stays plain", async () => {
  const { server, alice, bob, offer, config } = await dialled((bob) =>
    line(bob, "RTP/SAVP", `a=crypto:4 AEAD_AES_256_GCM inline:${new Uint8Array(44).fill(9).toBase64()}`)
  );
  const ours = /^a=crypto:4 AEAD_AES_256_GCM inline:(\S+)\r$/m.exec(offer)?.[1];
  expect(config?.srtp?.suite.name).toBe("AEAD_AES_256_GCM");
  expect(config?.srtp?.send.toBase64()).toBe(ours ?? "");
  expect(config?.srtp?.receive).toEqual(new Uint8Array(44).fill(9));
  const body = bodyOf(await alice.ack());
  expect(server.media.at(audioPort(`\r\n\r\n${body}`)).config?.srtp).toBeUndefined();
  // An offer of bob's within the call: the same key of ours, whatever he changes.
  const again = line(bob, "RTP/SAVP", `a=crypto:1 AEAD_AES_256_GCM inline:${new Uint8Array(44).fill(5).toBase64()}`);
  const answer = crypto(bodyOf(await bob.reinvite(again)));
  expect(answer?.slice(1)).toEqual(["1", "AEAD_AES_256_GCM", ours ?? ""]);
  await alice.bye();
  await server.expectIdle();
});

const unusable: readonly [string, string[]][] = [
  ["no line", []],
  ["another tag", [`a=crypto:3 AES_CM_128_HMAC_SHA1_80 ${KEY}`]],
  ["another suite", [`a=crypto:2 AES_CM_128_HMAC_SHA1_80 ${KEY}`]],
  ["a short key", ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD"]],
];
for (const [what, lines] of unusable) {
  test(`an answer with ${what} to RTP/SAVP: nothing is sent in the clear, the call ends`, async () => {
    const { server, alice, config } = await dialled((bob) => line(bob, "RTP/SAVP", ...lines));
    expect(config).toBeUndefined();
    expect(alice.status).not.toBe("200");
    expect(server.log.filter(({ text }) => text.includes("has no key"))).toHaveLength(1);
    await server.universe.advance(40_000);
    await server.expectIdle();
  });
}

test("an optimistic offer that is answered without a key: plain", async () => {
  const { server, alice, config } = await dialled((bob) => line(bob, "RTP/AVP"), {
    mediaEncryption: "sdes",
    mediaEncryptionOptimistic: true,
  });
  expect(config?.sending).toBe(true);
  expect(config?.srtp).toBeUndefined();
  await alice.ack();
  await alice.bye();
  await server.expectIdle();
});

test("over UDP keys are told only where the operator says so", async () => {
  const server = await start({ mediaEncryption: "sdes" }, {});
  const alice = await server.phone("alice");
  const offer = line(alice, "RTP/SAVP", `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`);
  expect((await answered(server, alice, offer)).status).toBe("488");
  expect(server.log.some(({ text }) => text.startsWith("no SRTP: its keys would travel in the clear"))).toBe(true);
  const bob = await server.phone("bob");
  await alice.invite("bob", offer);
  expect(bob.count("INVITE")).toBe(0);
  await server.expectIdle();
  const lenient = await start({ mediaEncryption: "sdes", mediaEncryptionOptimistic: true }, {});
  const caller = await lenient.phone("alice");
  const plain = await answered(lenient, caller, line(caller, "RTP/AVP", `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`));
  expect([plain.status, plain.body.includes("crypto"), plain.config?.srtp]).toEqual(["200", false, undefined]);
});

test("a call that was in the clear for a while gets new keys: counters did not go on", async () => {
  const server = await start({ mediaEncryption: "sdes", mediaEncryptionOptimistic: true });
  const alice = await server.phone("alice");
  const secure = line(alice, "RTP/AVP", `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`);
  const first = crypto((await answered(server, alice, secure)).body)?.[3];
  expect(crypto(bodyOf(await alice.reinvite(`${secure}a=x-again\r\n`)))?.[3]).toBe(first);
  expect(bodyOf(await alice.reinvite(line(alice, "RTP/AVP")))).not.toContain("crypto");
  const later = crypto(bodyOf(await alice.reinvite(secure)))?.[3];
  expect(later).toBeDefined();
  expect(later).not.toBe(first);
  await alice.bye();
  await server.expectIdle();
});
