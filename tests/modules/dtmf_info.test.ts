import { expect, test } from "bun:test";
import dtmfInfo from "../../src/modules/dtmf_info.ts";
import { header } from "../sip/dialog/agent.ts";
import { audioPort, bodyOf, CallServer, type Phone } from "./call_server.ts";
import { callUp, request, Room } from "./session_room.ts";

const RELAY = "application/dtmf-relay";

async function call() {
  const room = await Room.open({ modules: [dtmfInfo] });
  const to = await callUp(room);
  let cseq = 1;
  const heard: string[] = [];
  room.channel.on((event) => {
    if (event.kind === "digit") heard.push(`${event.digit} ${event.durationMs} ${event.by}`);
  });
  /** Sends an INFO: its status. */
  const info = async (type: string, body: string) => {
    await room.send(request("INFO", ++cseq, { to, type, body }).replace(/(Content-Type: ).*/, `$1${type}`));
    const answer = room.peer.all("SIP/2.0").findLast(({ text }) => header(text, "CSeq") === `${cseq} INFO`);
    return answer?.text.slice(8, 11);
  };
  return { room, info, heard };
}

test("dtmf-relay: all sixteen digits in order", async () => {
  const { info, heard } = await call();
  for (const digit of "0123456789*#ABCD") expect(await info(RELAY, `Signal=${digit}\r\nDuration=160\r\n`)).toBe("200");
  expect(heard.map((line) => line[0]).join("")).toBe("0123456789*#ABCD");
  expect(new Set(heard.map((line) => line.slice(2)))).toEqual(new Set(["160 info"]));
});

test.each([
  [RELAY, "Signal=5\r\nDuration=250", "5 250"],
  [RELAY, "Duration = 250\nSignal = 5\n", "5 250"],
  [RELAY, "Signal=5", "5 100"],
  [RELAY, "Signal=5\r\nDuration=0", "5 100"],
  [RELAY, "Signal=5\r\nDuration=-3", "5 100"],
  [RELAY, "Signal=5\r\nDuration=999999", "5 5000"],
  [RELAY, "Signal=5\r\nSignal=6", "5 100"],
  [RELAY, "Signal=16", "! 100"],
  ["Application/DTMF-Relay;charset=utf-8", "Signal=a", "A 100"],
  ["application/dtmf", "5", "5 100"],
  ["application/dtmf", "11\r\n", "# 100"],
  ["application/dtmf", "12", "A 100"],
  ["application/dtmf", "!", "! 100"],
  ["application/hook-flash", "junk", "! 100"],
])("%s %j is %s", async (type, body, digit) => {
  const { room, info, heard } = await call();
  expect(await info(type, body)).toBe("200");
  expect(heard).toEqual([`${digit} info`]);
  const [press, ms] = digit.split(" ");
  expect(room.named("media.digit")).toEqual([
    expect.objectContaining({ digit: press, durationMs: Number(ms), by: "info" }),
  ]);
});

test("what is no digit is refused, and the next one is taken", async () => {
  const { info, heard } = await call();
  for (const body of ["Signal=Z", "Signal=99", "Signal=", "Duration=100", "nonsense"]) {
    expect([body, await info(RELAY, body)]).toEqual([body, "500"]);
  }
  expect(await info("application/dtmf", "99")).toBe("500");
  expect(await info(RELAY, "x".repeat(1025))).toBe("413");
  expect(await info(RELAY, "  ")).toBe("200"); // nothing was pressed
  expect(await info("text/plain", "Signal=1")).toBe("405");
  expect(heard).toEqual([]);
  expect(await info(RELAY, "Signal=1")).toBe("200");
  expect(heard).toEqual(["1 100 info"]);
});

test("of more than fifty in a second the rest is answered and dropped", async () => {
  const { room, info, heard } = await call();
  for (let i = 0; i < 60; i++) expect(await info(RELAY, "Signal=1")).toBe("200");
  expect(heard).toHaveLength(50);
  await room.run(1000);
  await info(RELAY, "Signal=2");
  expect(heard.at(-1)).toBe("2 100 info");
});

/** alice and bob in a call; bob's digits go as `mode` says. */
async function bridged(mode: string, events = true) {
  const server = await CallServer.start({
    dialplan: { bob: "dial(bob)" },
    modules: [dtmfInfo],
    endpoints: { bob: { dtmfMode: mode } },
  });
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob");
  const sdp = bob.sdp();
  await bob.answer("200 OK", events ? sdp : sdp.replace(" 101\r\n", "\r\n").replace(/a=rtpmap:101.*\r\n/, ""));
  const near = server.media.at(audioPort(await alice.ack()));
  const far = server.media.at(audioPort(bob.ringing));
  return { server, alice, bob, near, far };
}

const infos = (phone: Phone) => phone.peer.all("INFO ").map(({ text }) => bodyOf(text));

test.each([["info", true], ["auto_info", false]])(
  "digits that come as RTP events leave as INFO: dtmfMode %s",
  async (mode, events) => {
    const { near, far, bob } = await bridged(mode, events);
    near.happens({ kind: "digit", digit: "7", durationMs: 180 });
    await bob.settle();
    await bob.reply("INFO", "200 OK");
    near.happens({ kind: "digit", digit: "!", durationMs: 50 });
    await bob.settle();
    await bob.reply("INFO", "200 OK");
    expect(infos(bob)).toEqual(["Signal=7\r\nDuration=180\r\n", "Signal=!\r\nDuration=300\r\n"]);
    expect(far.sent).toBe("");
  },
);

test.each(["rfc4733", "auto", "auto_info"])(
  "with events on both sides the media plane passes them: %s",
  async (mode) => {
    const { near, far, bob } = await bridged(mode);
    near.happens({ kind: "digit", digit: "7", durationMs: 180 });
    await bob.settle();
    expect([far.sent, infos(bob)]).toEqual(["", []]);
    expect(far.config?.detectDtmf).toBe(false);
  },
);

test.each([["inband", true], ["auto", false]])(
  "tones on one side, events on the other: dtmfMode %s",
  async (mode, events) => {
    const { near, far, bob } = await bridged(mode, events);
    expect(far.config?.detectDtmf).toBe(true);
    near.happens({ kind: "digit", digit: "7", durationMs: 180 });
    far.happens({ kind: "digit", digit: "8", durationMs: 90 });
    await bob.settle();
    expect([far.sent, near.sent, infos(bob)]).toEqual(["7", "8", []]);
  },
);

test("a side without digits gets none", async () => {
  const { near, far, bob } = await bridged("none");
  near.happens({ kind: "digit", digit: "7", durationMs: 180 });
  await bob.settle();
  expect([far.sent, infos(bob)]).toEqual(["", []]);
});

test("what is no digit counts too: a flood of it fills no log", async () => {
  const { info } = await call();
  const statuses: (string | undefined)[] = [];
  for (let i = 0; i < 60; i++) statuses.push(await info(RELAY, "Signal=Z"));
  expect(statuses.filter((status) => status === "500")).toHaveLength(50);
  expect(statuses.slice(50)).toEqual(Array(10).fill("200"));
});

test("a peer that never answers an INFO does not keep the call from ending", async () => {
  const { server, alice, bob, near } = await bridged("info");
  for (let i = 0; i < 3; i++) near.happens({ kind: "digit", digit: "7", durationMs: 180 });
  await alice.bye();
  expect(bob.peer.all("BYE ")).toHaveLength(1);
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("digits that come faster than the other side takes them do not pile up", async () => {
  const { server, bob, near } = await bridged("info");
  for (let i = 0; i < 50; i++) near.happens({ kind: "digit", digit: "7", durationMs: 180 });
  await bob.settle();
  for (let i = 0; i < 50; i++) {
    await bob.reply("INFO", "200 OK");
    await bob.settle(600);
  }
  const numbers = new Set(bob.peer.all("INFO ").map(({ text }) => header(text, "CSeq")));
  expect(numbers.size).toBe(32);
  expect(server.log.filter(({ text }) => text.includes("come too fast"))).toHaveLength(1);
});

test("senddtmf by INFO: each digit is told of when it has ended, the next one after the gap", async () => {
  const server = await CallServer.start({
    dialplan: { 5: ["answer", "senddtmf(12, 250, 400)", "wait(9)"] },
    modules: [dtmfInfo],
    endpoints: { alice: { dtmfMode: "info" } },
  });
  const alice = await server.phone("alice");
  await alice.invite("5");
  await alice.ack();
  const counts: number[] = [];
  for (const ms of [300, 150, 500, 200, 500]) {
    await alice.settle(ms);
    if (infos(alice).length > (counts.at(-1) ?? 0)) await alice.reply("INFO", "200 OK");
    counts.push(infos(alice).length);
  }
  expect(counts).toEqual([0, 1, 1, 2, 2]);
  expect(infos(alice)).toEqual(["Signal=1\r\nDuration=400\r\n", "Signal=2\r\nDuration=400\r\n"]);
});
