import { expect, test } from "bun:test";
import { audioPort, bodyOf, CallServer, type Phone } from "./call_server.ts";

const start = (endpoint: Record<string, unknown> = {}, sdpRtp: Record<string, unknown> = {}) =>
  CallServer.start({ dialplan: { 1: ["answer", "wait(1h)"], bob: "dial(bob)" }, endpoint, sdpRtp });

/** Calls an extension that answers; the SDP of the 200. */
async function answered(alice: Phone, body: string): Promise<string> {
  await alice.invite("1", body);
  return bodyOf(await alice.ack());
}

/** An audio line of the formats. */
const line = (alice: Phone, formats: string, ...more: string[]) =>
  alice.sdp(`m=audio ${alice.port} RTP/AVP ${formats}`, ...more);

const orders: readonly [string, string][] = [
  ["local", "0 8"],
  ["local_first", "0"],
  ["remote", "8 0"],
  ["remote_first", "8"],
];
for (const [preference, order] of orders) {
  test(`an offer of PCMA, PCMU, G722 with incomingCallOfferPref ${preference} is answered ${order}`, async () => {
    const server = await start({ allow: "ulaw,alaw", incomingCallOfferPref: preference });
    const alice = await server.phone("alice");
    expect(await answered(alice, line(alice, "8 0 9"))).toMatch(
      new RegExp(`^m=audio 1\\d{4} RTP/AVP ${order}\r$`, "m"),
    );
    await alice.bye();
    await server.expectIdle();
  });
}

test("nothing in common, a wrong profile or no address: 488 (RFC 3261 §13.3.1.3)", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  const offers = [
    line(alice, "18"),
    alice.sdp(`m=audio ${alice.port} RTP/SAVP 0`),
    alice.sdp(`m=audio ${alice.port} RTP/AVPF 0`),
    line(alice, "0", "c=IN IP4 phone.example.org"),
    alice.sdp("m=audio 0 RTP/AVP 0"),
    alice.sdp(`m=video ${alice.port} RTP/AVP 34`),
  ];
  for (const offer of offers) {
    await alice.invite("1", offer);
    expect([offer, alice.status]).toEqual([offer, "488"]);
  }
  await server.expectIdle();
});

test("video and a second audio line are declined with port 0, the first line lives", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  const answer = await answered(
    alice,
    alice.sdp("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 34", "m=audio 4004 RTP/AVP 0"),
  );
  expect([...answer.matchAll(/^m=(\w+) (\d+)/gm)].map((m) => `${m[1]} ${Number(m[2]) > 0}`)).toEqual([
    "audio true",
    "video false",
    "audio false",
  ]);
  await alice.bye();
  await server.expectIdle();
});

for (const offered of [true, false]) {
  for (const enabled of [true, false]) {
    test(`rtcp-mux ${offered ? "offered" : "not offered"} and ${enabled ? "enabled" : "off"}`, async () => {
      const server = await start({ rtcpMux: enabled });
      const alice = await server.phone("alice");
      const answer = await answered(alice, alice.sdp(...offered ? ["a=rtcp-mux"] : []));
      expect(answer.includes("a=rtcp-mux")).toBe(offered && enabled);
      const { config } = server.media.at(audioPort(`\r\n\r\n${answer}`));
      expect(config?.rtcpMux).toBe(offered && enabled);
      expect(config?.remoteRtcp?.port).toBe(alice.port + (offered && enabled ? 0 : 1));
      await alice.bye();
      await server.expectIdle();
    });
  }
}

test("comfort noise is taken where it is offered (RFC 3389), and not asked for", async () => {
  for (const [formats, more, number] of [["0 13", [], 13], ["0 98", ["a=rtpmap:98 CN/8000"], 98]] as const) {
    const server = await start();
    const alice = await server.phone("alice");
    const answer = await answered(alice, line(alice, formats, ...more));
    expect(answer).toContain(`a=rtpmap:${number} CN/8000\r\n`);
    const { config } = server.media.at(audioPort(`\r\n\r\n${answer}`));
    expect(config?.codec.name).toBe("PCMU");
    expect(config?.accepted.map(({ name, payloadType }) => `${name} ${payloadType}`)).toEqual([
      "PCMU 0",
      `CN ${number}`,
    ]);
    await alice.bye();
  }
  const server = await start();
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", line(alice, "0 13"));
  expect(bodyOf(bob.ringing)).not.toContain("CN/8000");
});

test("a=rtcp says where reports go (RFC 3605)", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  const answer = await answered(alice, alice.sdp("a=rtcp:5555 IN IP4 192.0.2.77"));
  expect(server.media.at(audioPort(`\r\n\r\n${answer}`)).config?.remoteRtcp).toEqual({
    host: "192.0.2.77",
    port: 5555,
  });
  await alice.bye();
  await server.expectIdle();
});

test("hold by sendonly, inactive and c=0.0.0.0: each is noticed once and answered as RFC 3264 §8.4 says", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  const port = audioPort(`\r\n\r\n${await answered(alice, alice.sdp())}`);
  const stream = server.media.at(port);
  const rows: [string[], string, boolean, number | undefined][] = [
    [["a=sendonly"], "recvonly", true, alice.port],
    [[], "sendrecv", false, alice.port],
    [["a=inactive"], "inactive", true, alice.port],
    [["a=sendrecv"], "sendrecv", false, alice.port],
    [["c=IN IP4 0.0.0.0"], "recvonly", true, undefined],
    [[], "sendrecv", false, alice.port],
  ];
  for (const [lines, direction, held, remote] of rows) {
    const ok = await alice.reinvite(alice.sdp(...lines));
    expect([lines, bodyOf(ok)]).toEqual([lines, expect.stringContaining(`a=${direction}\r\n`)]);
    expect(audioPort(ok)).toBe(port);
    expect(stream.config?.sending).toBe(!held);
    expect(stream.config?.remote?.port).toBe(remote);
  }
  expect(server.story.filter((name) => /held|resumed/.test(name))).toEqual([
    "call.held",
    "call.resumed",
    "call.held",
    "call.resumed",
    "call.held",
    "call.resumed",
  ]);
  await alice.bye();
  await server.expectIdle();
});

test("digits: telephone-event is negotiated by dtmfMode; the peer's number counts", async () => {
  const rows: [string, string[], boolean, boolean][] = [
    ["rfc4733", ["a=rtpmap:96 telephone-event/8000"], true, false],
    ["inband", ["a=rtpmap:96 telephone-event/8000"], false, true],
    ["info", ["a=rtpmap:96 telephone-event/8000"], false, false],
    ["auto", ["a=rtpmap:96 telephone-event/8000"], true, false],
    ["auto", ["a=rtpmap:96 x-nothing/8000"], false, true],
  ];
  for (const [dtmfMode, map, events, detect] of rows) {
    const server = await start({ dtmfMode });
    const alice = await server.phone("alice");
    const answer = await answered(alice, line(alice, "0 96", ...map));
    const { config } = server.media.at(audioPort(`\r\n\r\n${answer}`));
    expect([dtmfMode, answer.includes("telephone-event")]).toEqual([dtmfMode, events]);
    expect(config?.telephoneEvent).toEqual(events ? { send: 96, receive: 96, clockRate: 8000 } : undefined);
    expect(config?.detectDtmf).toBe(detect);
    await alice.bye();
  }
});

test("usePtime: the peer's packet length is ours, and G.722 comes in at most 140 ms", async () => {
  for (const [usePtime, ptime] of [[true, 30], [false, 20]] as const) {
    const server = await start({ allow: "g722,ulaw", usePtime });
    const alice = await server.phone("alice");
    const answer = await answered(alice, line(alice, "9 0", "a=ptime:30"));
    expect(answer).toContain(`a=ptime:${ptime}\r\na=maxptime:140\r\n`);
    expect(server.media.at(audioPort(`\r\n\r\n${answer}`)).config?.codec.ptimeMs).toBe(ptime);
    await alice.bye();
  }
});

test("parameters of a codec we only pass on are repeated; its peer may send digits at 8000 (RFC 4733 §2.1)", async () => {
  const server = await start({ allow: "opus" });
  const alice = await server.phone("alice");
  const map = ["a=rtpmap:96 opus/48000/2", "a=fmtp:96 stereo=1", "a=rtpmap:101 telephone-event/8000"];
  const answer = await answered(alice, line(alice, "96 101", ...map));
  expect(answer).toContain("a=fmtp:96 stereo=1\r\n");
  expect(answer).toContain("a=rtpmap:101 telephone-event/8000\r\n");
  await alice.bye();
});

test("the callee is offered what the caller has first, then the rest of its own", async () => {
  const server = await start({ allow: "ulaw,g722,alaw" });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", line(alice, "8 0"));
  expect(bodyOf(bob.ringing)).toMatch(/^m=audio \d+ RTP\/AVP 8 0 9 101\r$/m);
  await bob.answer("200 OK", bob.sdp("m=audio 4000 RTP/AVP 8"));
  await alice.ack();
  expect(server.media.at(audioPort(bob.ringing)).config?.codec.name).toBe("PCMA");
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("silence of the peer ends the call with cause 44; on hold only rtpTimeoutHold counts", async () => {
  const server = await start({ rtpTimeout: "5s", rtpTimeoutHold: "60s" });
  const alice = await server.phone("alice");
  const stream = server.media.at(audioPort(`\r\n\r\n${await answered(alice, alice.sdp())}`));
  expect(stream.config?.timeoutSeconds).toBe(5);
  await alice.reinvite(alice.sdp("a=sendonly"));
  expect(stream.config?.timeoutSeconds).toBe(60);
  stream.happens({ kind: "timeout", seconds: 60 });
  await alice.settle();
  expect(await alice.reply("BYE", "200 OK")).toContain("cause=44");
  await server.expectIdle();
});

test("the advertised address is mediaAddress, and bound when asked", async () => {
  const server = await start({ mediaAddress: "203.0.113.7", bindRtpToMediaAddress: true });
  const alice = await server.phone("alice");
  const answer = await answered(alice, alice.sdp());
  expect(answer).toContain("c=IN IP4 203.0.113.7");
  expect(server.media.at(audioPort(`\r\n\r\n${answer}`)).local.host).toBe("203.0.113.7");
  await alice.bye();
  await server.expectIdle();
});

test("no port left: the call is refused, and the server goes on", async () => {
  const server = await start({}, { rtpStart: 10000, rtpEnd: 10002 });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await answered(alice, alice.sdp());
  await bob.invite("1");
  expect(bob.status).toBe("488");
  await alice.bye();
  await answered(bob, bob.sdp());
  await bob.bye();
  await server.expectIdle();
});

test("ports of an endpoint come from its own range", async () => {
  const server = await start({ rtpPortStart: 30000, rtpPortEnd: 30010 });
  const alice = await server.phone("alice");
  expect(audioPort(`\r\n\r\n${await answered(alice, alice.sdp())}`)).toBe(30000);
  await alice.bye();
  await server.expectIdle();
});
