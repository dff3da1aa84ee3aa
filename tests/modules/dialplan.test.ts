import { expect, test } from "bun:test";
import { header } from "../sip/dialog/agent.ts";
import { sessions } from "../../src/kernel/services.ts";
import { audioPort, bodyOf, CallServer } from "./call_server.ts";

/** Alice calls bob through `dial` and both talk. */
async function talking(steps: unknown = "dial(bob, 20s)", endpoint: Record<string, unknown> = {}) {
  const server = await CallServer.start({ dialplan: { bob: steps }, endpoint });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("200 OK", bob.sdp());
  const ok = await alice.ack();
  const streams = { alice: server.media.at(audioPort(ok)), bob: server.media.at(audioPort(bob.ringing)) };
  return { server, alice, bob, streams, ok };
}

test("alice calls bob: ringing and answer are passed, both streams hear each other, BYE ends both legs", async () => {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob, 20s)" } });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  expect(alice.status).toBe("100");
  expect(bob.ringing).toStartWith("INVITE sip:bob@192.0.2.11:5060 SIP/2.0\r\n");
  expect(header(bob.ringing, "From")).toContain("alice");
  await bob.answer("180 Ringing");
  expect(alice.status).toBe("180");
  await bob.answer("200 OK", bob.sdp());
  const ok = await alice.ack();
  const [toAlice, toBob] = [server.media.at(audioPort(ok)), server.media.at(audioPort(bob.ringing))];
  expect(toAlice.hears).toEqual({ peer: toBob.local.port });
  expect(toAlice.config?.remote).toEqual({ host: alice.host, port: alice.port });
  expect(toBob.config?.remote).toEqual({ host: bob.host, port: bob.port });
  expect(toBob.config?.codec).toMatchObject({ name: "PCMU", payloadType: 0 });
  expect(toBob.config?.telephoneEvent).toEqual({ send: 101, receive: 101, clockRate: 8000 });
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  expect(alice.status).toBe("200");
  expect(server.story.filter((name) => name === "call.bridged" || name === "call.ended")).toEqual([
    "call.bridged",
    "call.ended",
    "call.ended",
  ]);
  await server.expectIdle();
});

test("the callee hangs up: the caller gets BYE; with option g the dialplan goes on", async () => {
  const { server, alice, bob } = await talking();
  await bob.bye();
  await alice.reply("BYE", "200 OK");
  expect(alice.count("BYE")).toBe(1);
  await server.expectIdle();

  const again = await talking(["dial(bob, 20s, g)", "echo"]);
  await again.bob.bye();
  expect(again.alice.count("BYE")).toBe(0);
  expect(again.streams.alice.hears).toBe("itself");
  await again.alice.bye();
  await again.server.expectIdle();
});

test("early media of a lone callee reaches the caller before the answer", async () => {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob)" } });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("183 Session Progress", bob.sdp());
  expect(alice.status).toBe("183");
  const early = server.media.at(audioPort(alice.peer.last("SIP/2.0 183")));
  expect(early.hears).toEqual({ peer: audioPort(bob.ringing) });
  await bob.answer("200 OK", bob.sdp());
  await alice.ack();
  expect(early.hears).toEqual({ peer: audioPort(bob.ringing) });
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("the caller cancels: the callee gets CANCEL, the caller 487", async () => {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob, 20s)" } });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("180 Ringing");
  await alice.cancel();
  expect(alice.peer.all("SIP/2.0 487").length).toBeGreaterThan(0);
  await bob.reply("CANCEL", "200 OK");
  await bob.answer("487 Request Terminated");
  await server.expectIdle();
});

const refusals: readonly [string, string, string][] = [
  ["486 Busy Here", "486", "BUSY"],
  ["603 Decline", "603", "CHANUNAVAIL"],
  ["404 Not Found", "404", "CHANUNAVAIL"],
  ["480 Temporarily Unavailable", "480", "NOANSWER"],
  ["503 Service Unavailable", "503", "CONGESTION"],
];
for (const [status, passed, meaning] of refusals) {
  test(`a callee's ${status} reaches the caller as ${passed}; DIALSTATUS is ${meaning}`, async () => {
    const server = await CallServer.start({ dialplan: { bob: ["dial(bob, 20s)", "noop(${DIALSTATUS})"] } });
    const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
    await alice.invite("bob");
    await bob.answer(status);
    expect(alice.status).toBe(passed);
    await server.expectIdle();
  });
}

test("nobody answers in time: the callee gets CANCEL and the dialplan goes on", async () => {
  const server = await CallServer.start({
    dialplan: {
      bob: ["dial(bob, 5s)", 'gotoif($["${DIALSTATUS}" = "NOANSWER"]?late)', "hangup(1)", "late: hangup(busy)"],
    },
  });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  await bob.answer("180 Ringing");
  await alice.settle(5100);
  expect(bob.count("CANCEL")).toBe(1);
  expect(alice.status).toBe("486");
  await bob.reply("CANCEL", "200 OK");
  await bob.answer("487 Request Terminated");
  await server.expectIdle();
});

test("several ring together: the first that answers wins, the others are cancelled as answered elsewhere", async () => {
  const server = await CallServer.start({ dialplan: { all: "dial(bob&PJSIP/carol, 20s)" } });
  const [alice, bob, carol] = [await server.phone("alice"), await server.phone("bob"), await server.phone("carol")];
  await alice.invite("all");
  await bob.answer("180 Ringing");
  await carol.answer("180 Ringing");
  await carol.answer("200 OK", carol.sdp());
  expect(bob.count("CANCEL")).toBe(1);
  expect(bob.peer.last("CANCEL ")).toMatch(/^Reason:.*(cause=26|cause=200)/m);
  await alice.ack();
  await alice.bye();
  await carol.reply("BYE", "200 OK");
  await bob.reply("CANCEL", "200 OK");
  await bob.answer("487 Request Terminated");
  await server.expectIdle();
});

test("hold is answered and the held side hears the music that is configured; resume joins both again", async () => {
  const { server, alice, bob, streams } = await talking("dial(bob)", { mohSuggest: "melody" });
  const held = await alice.reinvite(alice.sdp("a=sendonly"));
  expect(bodyOf(held)).toContain("a=recvonly");
  expect(streams.bob.hears).toMatchObject({ clip: { sampleRate: 8000 } });
  expect(streams.alice.config).toMatchObject({ sending: false, receiving: true });
  expect(bob.count("INVITE")).toBe(1); // not passed on
  const resumed = await alice.reinvite(alice.sdp("a=sendrecv"));
  expect(bodyOf(resumed)).toContain("a=sendrecv");
  expect(streams.bob.hears).toEqual({ peer: streams.alice.local.port });
  expect(server.story.filter((name) => name === "call.held" || name === "call.resumed")).toEqual([
    "call.held",
    "call.resumed",
  ]);
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("with mohPassthrough the hold goes on to the other phone", async () => {
  const { server, alice, bob } = await talking("dial(bob)", { mohPassthrough: true });
  await alice.reinvite(alice.sdp("a=sendonly"));
  const passed = await bob.reply("INVITE", "200 OK", bob.sdp("a=recvonly"));
  expect(bodyOf(passed)).toContain("a=sendonly");
  await alice.reinvite(alice.sdp("a=sendrecv"));
  expect(bodyOf(await bob.reply("INVITE", "200 OK", bob.sdp()))).toContain("a=sendrecv");
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("a number behind a prefix goes out to the trunk; the trunk's calls come in", async () => {
  const server = await CallServer.start({
    dialplan: { "_9X.": "dial(PJSIP/${exten:1}@trunk, 20s)", alice: "dial(alice)" },
  });
  const [alice, trunk] = [await server.phone("alice"), await server.phone("trunk")];
  await alice.invite("9123");
  expect(trunk.ringing).toStartWith("INVITE sip:123@192.0.2.20:5060 SIP/2.0\r\n");
  await trunk.answer("200 OK", trunk.sdp());
  await alice.ack();
  await trunk.bye();
  await alice.reply("BYE", "200 OK");
  await trunk.invite("alice");
  await alice.answer("200 OK", alice.sdp());
  await trunk.ack();
  await trunk.bye();
  await alice.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("an explicit URI is called with the endpoint's settings", async () => {
  const server = await CallServer.start({ dialplan: { x: "dial(bob/sip:desk@192.0.2.12:5060)" } });
  const [alice, carol] = [await server.phone("alice"), await server.phone("carol")];
  await alice.invite("x");
  expect(carol.ringing).toStartWith("INVITE sip:desk@192.0.2.12:5060 SIP/2.0\r\n");
  await carol.answer("486 Busy Here");
  expect(alice.status).toBe("486");
  await server.expectIdle();
});

test("an unknown endpoint is cause 3, no endpoint cause 6", async () => {
  const server = await CallServer.start({
    dialplan: { 1: ["dial(PJSIP/)", "set(GLOBAL(one)=${HANGUPCAUSE} ${DIALSTATUS})"], 2: "dial(PJSIP/nobody)" },
  });
  const alice = await server.phone("alice");
  await alice.invite("2");
  expect(alice.status).toBe("404");
  await alice.invite("1");
  expect(server.log.some((r) => r.text.includes("no endpoint is named"))).toBe(true);
  await server.expectIdle();
});

test("echo, playback, conference and read work on the caller's stream", async () => {
  const server = await CallServer.start({
    dialplan: {
      601: ["answer", "echo", "hangup"],
      602: ["playback(demo)", "hangup"],
      600: "conference(main)",
      603: ["read(code, demo, 4)", "goto(8${code},1)"],
      "8XXXX": ["senddtmf(${exten:1})", "hangup"],
    },
  });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("601");
  const echo = server.media.at(audioPort(await alice.ack()));
  expect(echo.hears).toBe("itself");
  echo.happens({ kind: "digit", digit: "#", durationMs: 100 });
  await alice.settle();
  await alice.reply("BYE", "200 OK");

  await alice.invite("602");
  const playback = server.media.at(audioPort(await alice.ack()));
  expect(playback.hears).toMatchObject({ clip: { sampleRate: 8000 } });
  await alice.settle(3000);
  await alice.reply("BYE", "200 OK");

  await alice.invite("600");
  const member = server.media.at(audioPort(await alice.ack()));
  await bob.invite("600");
  await bob.ack();
  expect(member.hears).toEqual({ conference: "main" });
  expect(server.media.conferences.get("main")?.size).toBe(2);
  await bob.bye();
  await alice.bye();
  expect(server.events.filter((e) => e.name.startsWith("conference.")).map((e) => e.data)).toMatchObject([
    { conference: "main", members: 1 },
    { conference: "main", members: 2 },
    { conference: "main", members: 1 },
    { conference: "main", members: 0 },
  ]);

  await alice.invite("603");
  const reading = server.media.at(audioPort(await alice.ack()));
  for (const digit of "1234") reading.happens({ kind: "digit", digit, durationMs: 100 });
  await alice.settle();
  expect(reading.sent).toBe("1234");
  await alice.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("busy, congestion, hangup by name and an end without answer give their statuses", async () => {
  const server = await CallServer.start({
    dialplan: { 1: "busy", 2: "congestion", 3: "hangup(no_answer)", 4: "noop", 5: "incomplete", 6: "hangup(rejected)" },
  });
  const alice = await server.phone("alice");
  for (const [number, status] of [[1, "486"], [2, "503"], [3, "480"], [4, "603"], [5, "484"], [6, "403"]] as const) {
    await alice.invite(String(number));
    expect([number, alice.status]).toEqual([number, status]);
  }
  await alice.invite("99");
  expect(alice.status).toBe("404");
  await server.expectIdle();
});

test("a loop without a pause is ended, one with a pause lives", async () => {
  const server = await CallServer.start({
    dialplan: { 1: ["again: noop", "goto(again)"], 2: ["answer", "again: wait(100ms)", "goto(again)"] },
  });
  const alice = await server.phone("alice");
  await alice.invite("1");
  expect(alice.status).toBe("500");
  expect(server.log.some((r) => r.text.includes("a loop?"))).toBe(true);
  await alice.invite("2");
  await alice.ack();
  await alice.settle(30_000);
  expect(alice.count("BYE")).toBe(0);
  await alice.bye();
  await server.expectIdle();
});

test("gosub comes back with a value, and its arguments are its own", async () => {
  const server = await CallServer.start({
    dialplan: {
      1: ["gosub(sub,1(busy,x))", 'gotoif($["${GOSUB_RETVAL}${ARG1}" = "busy-x"]?ok)', "hangup(1)", "ok: hangup(busy)"],
      sub: "return(${ARG1}-${ARG2})",
    },
  });
  const alice = await server.phone("alice");
  await alice.invite("1");
  expect(alice.status).toBe("486");
  await server.expectIdle();
});

test("what stands in the caller's name cannot become an argument", async () => {
  const server = await CallServer.start({
    dialplan: { 1: ["set(CALLERID(name)=x,carol&bob)", "dial(${CALLERID(name)})"] },
  });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("1");
  expect(bob.count("INVITE")).toBe(1); // "x,carol" is no endpoint, bob is one of the targets
  expect(server.log.some((r) => r.text.includes('"x,carol"'))).toBe(true);
  await bob.answer("486 Busy Here");
  await server.expectIdle();
});

test("setVar of the endpoint is there before the first step; the callee becomes the connected line", async () => {
  const server = await CallServer.start({
    dialplan: {
      1: [
        "dial(bob,,g)",
        "verbose(${GREETING} ${CONNECTEDLINE(num)})",
        "set(CONNECTEDLINE(all)=Bob <12>)",
        "verbose(${CONNECTEDLINE(all)})",
      ],
    },
    endpoint: { setVar: ["CALLERID(num)=100", "GREETING=hello, you", "NONE()=x"] },
  });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("1");
  expect(header(bob.ringing, "From")).toContain("<sip:100@");
  await bob.answer("200 OK", bob.sdp());
  await alice.ack();
  await bob.bye();
  const said = server.log.map((record) => record.text);
  expect(said).toContain("hello, you bob");
  expect(said).toContain('"Bob" <12>');
  expect(said).toContain("setVar of alice: NONE() cannot be assigned");
  await server.expectIdle();
});

test("a NOTIFY within a call has its Call-ID, tags and the next CSeq; 481 to it does not end the call", async () => {
  const { server, bob } = await talking();
  const legs = server.kernel.find(sessions)?.channels ?? [];
  const toBob = legs.find(({ endpoint }) => endpoint.id === "bob");
  const status = toBob?.request("NOTIFY", [["Event", "check-sync"]], { type: "text/plain", bytes: Buffer.from("hi") });
  await server.universe.advance(20);
  const notify = await bob.reply("NOTIFY", "481 Gone");
  expect(header(notify, "Call-ID")).toBe(header(bob.ringing, "Call-ID"));
  expect(header(notify, "To")).toContain("tag=bobtag");
  expect(Number.parseInt(header(notify, "CSeq"))).toBe(Number.parseInt(header(bob.ringing, "CSeq")) + 1);
  expect(bodyOf(notify)).toBe("hi");
  expect(await status).toBe(481);
  await server.universe.advance(1000);
  expect(bob.count("BYE")).toBe(0);
});

test("a call that reaches nobody is told in one line, with where it went and why", async () => {
  const server = await CallServer.start({ dialplan: { bob: "dial(bob)" } });
  const alice = await server.phone("alice");
  await alice.invite("bob");
  await server.universe.advance(40_000);
  const told = server.log.filter(({ text }) => text === "a call did not reach its peer");
  expect(told.map(({ fields }) => [fields.endpoint, fields.to, fields.why])).toEqual([
    ["bob", "sip:bob@192.0.2.11:5060", expect.stringMatching(/^(timeout|transport)$/)],
  ]);
  await server.expectIdle();
});
