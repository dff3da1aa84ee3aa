import { expect, test } from "bun:test";
import * as v from "valibot";
import { defineModule } from "../../src/kernel/module.ts";
import outboundAuthenticator from "../../src/modules/outbound_authenticator_digest.ts";
import { statusOfCause } from "../../src/modules/session/causes.ts";
import { parseUri } from "../../src/sip/message/uri.ts";
import { answerTo, header } from "../sip/dialog/agent.ts";
import { audio, callUp, PEER, request, type RequestParts, Room, type RoomOptions, US } from "./session_room.ts";

const statuses = (room: Room) => room.peer.received.map(({ text }) => text.split("\r\n")[0]?.split(" ")[1] ?? "");
const invite = (parts: RequestParts = {}) => request("INVITE", 1, { body: audio(4000), ...parts });

/** The final status of one INVITE. */
async function refused(parts: RequestParts, options: RoomOptions = {}): Promise<string> {
  const room = await Room.open(options);
  await room.send(request("INVITE", 1, parts));
  await room.run(100);
  return room.peer.received.at(-1)?.text ?? "";
}

const multipart = (disposition: string) =>
  [
    "--b",
    "Content-Type: application/sdp",
    "",
    audio(4000),
    "--b",
    "Content-Type: application/x-strange",
    `Content-Disposition: ${disposition}`,
    "",
    "what is it",
    "--b--",
    "",
  ].join("\r\n");

test("an INVITE meets 100, 180 and 200, and its channel events", async () => {
  const room = await Room.open();
  await room.send(invite());
  await room.channel.indicate("ringing");
  const answered = room.channel.answer();
  await room.run();
  expect(statuses(room)).toEqual(["100", "180", "200"]);
  const ok = room.peer.last("200 OK");
  expect(ok).toContain("m=audio 10002 RTP/AVP 0");
  expect(header(ok, "Contact")).toBe(`<sip:100@${US}:5060>`);
  await room.send(request("ACK", 1, { to: header(ok, "To"), branch: "a" }));
  await answered;
  expect(room.channel.state).toBe("up");
  await room.send(request("BYE", 2, { to: header(ok, "To") }));
  expect(statuses(room).at(-1)).toBe("200");
  expect(room.named("call.ended")).toMatchObject([{ cause: 16, endpoint: "phone" }]);
  expect(room.handler.open.size).toBe(0);
  expect(room.sessions?.channels).toEqual([]);
});

test("who calls and what it called is on the channel", async () => {
  const room = await Room.open();
  await room.send(invite());
  expect(room.channel).toMatchObject({ called: "100", direction: "incoming", state: "ring" });
  expect(room.channel.caller).toEqual({ name: "Bob", number: "bob", allowed: true });
  expect(room.channel.name).toBe("PJSIP/phone-00000001");
  expect(room.channel.sip).toMatchObject({ callId: "c1", remoteTag: "p", remoteUri: `sip:bob@${PEER}` });
  expect(room.channel.variables.get("SIPDOMAIN")).toBe(US);
});

test("what an INVITE must have: Contact, SDP we read, extensions we know", async () => {
  expect(await refused({ contact: "" })).toStartWith("SIP/2.0 400 ");
  expect(await refused({ body: "hello", type: "text/plain" })).toMatch(/^SIP\/2.0 415 [^]*Accept: application\/sdp/);
  expect(await refused({ body: "hello" })).toMatch(/^SIP\/2.0 400 [^]*Warning: 399/);
  expect(await refused({ body: audio(4000), lines: ["Require: strange"] })).toMatch(
    /^SIP\/2.0 420 [^]*Unsupported: strange/,
  );
  const no = { endpoint: { "100rel": "no" } };
  expect(await refused({ body: audio(4000), lines: ["Require: 100rel"] }, no)).toMatch(/^SIP\/2.0 420 /);
  const required = { endpoint: { "100rel": "required" } };
  expect(await refused({ body: audio(4000) }, required)).toMatch(/^SIP\/2.0 421 [^]*Require: 100rel/);
  const timers = { endpoint: { timers: "required" } };
  expect(await refused({ body: audio(4000) }, timers)).toMatch(/^SIP\/2.0 421 [^]*Require: timer/);
});

test("a part that must be understood and is not: 415; an optional one is passed over", async () => {
  const type = "multipart/mixed;boundary=b";
  expect(await refused({ body: multipart("x;handling=required"), type })).toStartWith("SIP/2.0 415 ");
  const room = await Room.open();
  await room.send(invite({ body: multipart("x;handling=optional"), type }));
  expect(room.channels).toHaveLength(1);
});

test("an unknown extension: 404; a number that could go on: 484 with allowOverlap, else 404", async () => {
  expect(await refused({ body: audio(4000), user: "999" })).toStartWith("SIP/2.0 404 ");
  expect(await refused({ body: audio(4000), user: "10" })).toStartWith("SIP/2.0 484 ");
  const strict = { endpoint: { allowOverlap: "no" } };
  expect(await refused({ body: audio(4000), user: "10" }, strict)).toStartWith("SIP/2.0 404 ");
});

test("a session interval below ours is refused with it, and the next try goes through", async () => {
  const room = await Room.open({ endpoint: { timersMinSe: 90 } });
  await room.send(invite({ lines: ["Supported: timer", "Session-Expires: 50"] }));
  expect(header(room.peer.last("422"), "Min-SE")).toBe("90");
  await room.send(request("ACK", 1, { to: header(room.peer.last("422"), "To"), branch: "INVITE1" }));
  const again = request("INVITE", 2, { body: audio(4000), lines: ["Supported: timer", "Session-Expires: 90"] });
  await room.send(again);
  room.channel.answer();
  await room.run();
  expect(header(room.peer.last("200 OK"), "Session-Expires")).toBe("90;refresher=uac");
});

test("nothing to talk about: 488, with no SDP handler and with no codec in common", async () => {
  expect(await refused({ body: audio(4000) }, { deaf: true })).toStartWith("SIP/2.0 488 ");
  expect(await refused({ body: audio(4000).replace("AVP 0", "AVP 8") })).toStartWith("SIP/2.0 488 ");
});

test("a line nobody handles is declined with port 0 and the others go on", async () => {
  const room = await Room.open();
  await room.send(invite({ body: `${audio(4000)}m=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n` }));
  room.channel.answer();
  await room.run();
  expect(room.peer.last("200 OK")).toMatch(/m=audio 10002 RTP\/AVP 0[^]*m=video 0 RTP\/AVP 99/);
});

test("100rel peer_supported: a reliable 183 for who can, a plain one for who cannot", async () => {
  for (const [lines, rel] of [[["Supported: 100rel"], "100rel"], [[], ""]] as const) {
    const room = await Room.open({ endpoint: { "100rel": "peer_supported" } });
    await room.send(invite({ lines }));
    await room.channel.indicate("progress");
    await room.run();
    expect(header(room.peer.last("183"), "Require")).toBe(rel);
    expect(room.peer.last("183")).toContain("m=audio");
  }
});

test("inbandProgress rings with 183; after a 183 a 180 needs allowSending180After183", async () => {
  const inband = await Room.open({ endpoint: { inbandProgress: "yes" } });
  await inband.send(invite());
  await inband.channel.indicate("ringing");
  await inband.run();
  expect(statuses(inband)).toEqual(["100", "183"]);
  for (const allowed of [true, false]) {
    const room = await Room.open({ global: { allowSending180After183: allowed } });
    await room.send(invite());
    await room.channel.indicate("progress");
    await room.channel.indicate("ringing");
    await room.run();
    expect(statuses(room)).toEqual(["100", "183", allowed ? "180" : "183"]);
  }
});

test("each cause has its status before answer, and is a Reason in BYE after", async () => {
  const table = {
    1: 404,
    2: 404,
    3: 404,
    17: 486,
    18: 408,
    19: 480,
    20: 480,
    31: 480,
    21: 403,
    22: 410,
    23: 302,
    27: 502,
  };
  const more = { 28: 484, 29: 501, 34: 503, 42: 503, 66: 503, 38: 500, 58: 488, 127: 500, 16: 603, 99: 603 };
  for (const [cause, status] of Object.entries({ ...table, ...more })) {
    expect(statusOfCause(Number(cause))).toBe(status);
  }
  const room = await Room.open();
  await room.send(invite());
  room.channel.hangup(17);
  room.channel.hangup(21);
  await room.run();
  expect(statuses(room)).toEqual(["100", "486"]);
  const up = await Room.open();
  await callUp(up);
  up.channel.hangup(16);
  await up.run();
  expect(header(up.peer.last("BYE"), "Reason")).toBe("Q.850;cause=16");
});

test("busy after a 183 is still a final 486", async () => {
  const room = await Room.open();
  await room.send(invite());
  await room.channel.indicate("progress");
  await room.channel.indicate("busy");
  await room.run();
  expect(statuses(room)).toEqual(["100", "183", "486"]);
});

test("a CANCEL gets 487 and its Reason is the cause", async () => {
  const room = await Room.open();
  await room.send(invite());
  await room.send(request("CANCEL", 1, { branch: "INVITE1", lines: ["Reason: SIP;cause=200"] }));
  expect(statuses(room)).toContain("487");
  expect(room.named("call.ended")).toMatchObject([{ cause: 26 }]);
  expect(room.handler.open.size).toBe(0);
});

test("hold and resume of the peer are told once each, and answered recvonly", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  const told: string[] = [];
  room.channel.on((event) => void told.push(event.kind));
  await room.send(request("INVITE", 2, { to, body: audio(4000, "sendonly") }));
  expect(room.peer.last("200 OK")).toContain("a=recvonly");
  await room.send(request("ACK", 2, { to, branch: "a2" }));
  await room.send(request("INVITE", 3, { to, body: audio(4000, "sendonly") }));
  await room.send(request("ACK", 3, { to, branch: "a3" }));
  await room.send(request("INVITE", 4, { to, body: audio(4000) }));
  expect(told.filter((kind) => kind === "held" || kind === "resumed")).toEqual(["held", "resumed"]);
  expect(room.named("call.held")).toHaveLength(1);
  expect(room.named("call.resumed")).toHaveLength(1);
});

test("the version in o= grows with a change only", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  const version = () => / (\d+) IN IP4/.exec(room.peer.last("200 OK"))?.[1];
  const first = Number(version());
  await room.send(request("INVITE", 2, { to, body: audio(4000) }));
  expect(Number(version())).toBe(first);
  await room.send(request("ACK", 2, { to, branch: "a2" }));
  await room.send(request("INVITE", 3, { to, body: audio(4000, "sendonly") }));
  expect(Number(version())).toBe(first + 1);
});

test("a re-INVITE without SDP is answered with our whole offer, sendrecv", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("INVITE", 2, { to }));
  const ok = room.peer.last("200 OK");
  expect(header(ok, "CSeq")).toBe("2 INVITE");
  expect(ok).toMatch(/m=audio 10002 RTP\/AVP 0[^]*a=sendrecv/);
});

test("that offer holds the codecs in use, or all of them with allCodecsOnEmptyReinvite", async () => {
  for (const all of [false, true]) {
    const room = await Room.open({ global: { allCodecsOnEmptyReinvite: all } });
    const to = await callUp(room);
    await room.send(request("INVITE", 2, { to }));
    expect(room.handler.offers).toEqual([all ? "afresh" : "again"]);
  }
});

test("an INVITE without SDP gets our offer in the 200; an ACK without answer ends the call", async () => {
  for (const answer of [audio(4000), ""]) {
    const room = await Room.open();
    await room.send(request("INVITE", 1));
    room.channel.answer();
    await room.run();
    const ok = room.peer.last("200 OK");
    expect(ok).toContain("m=audio 10002");
    await room.send(request("ACK", 1, { to: header(ok, "To"), branch: "a", body: answer }));
    await room.run();
    expect(room.peer.all("BYE")).toHaveLength(answer ? 0 : 1);
    expect(room.channel.state).toBe(answer ? "up" : "ended");
  }
});

test("a re-INVITE before our 200 was acknowledged gets 491; the BYE after it 200", async () => {
  const room = await Room.open();
  await room.send(invite());
  room.channel.answer();
  await room.run();
  const to = header(room.peer.last("200 OK"), "To");
  await room.send(request("INVITE", 2, { to, body: audio(4000) }));
  expect(statuses(room).at(-1)).toBe("491");
  await room.send(request("BYE", 3, { to }));
  await room.run(40_000);
  expect(header(room.peer.last("200 OK"), "CSeq")).toBe("3 BYE");
  expect(room.peer.all("BYE")).toHaveLength(0);
});

test("an INVITE with a To tag of no call: 481; more m-lines than sixteen: 488", async () => {
  expect(await refused({ body: audio(4000), to: `<sip:100@${US}>;tag=gone` })).toStartWith("SIP/2.0 481 ");
  const lines = "m=video 5000 RTP/AVP 99\r\n".repeat(16);
  expect(await refused({ body: audio(4000) + lines })).toStartWith("SIP/2.0 488 ");
});

test("an offer in a re-INVITE that we cannot take gets 488 and the call goes on", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("INVITE", 2, { to, body: audio(4000).replace("AVP 0", "AVP 8") }));
  expect(statuses(room).at(-1)).toBe("488");
  expect(room.channel.state).toBe("up");
});

test("mohPassthrough: hold is a re-INVITE sendonly, unhold one sendrecv", async () => {
  const room = await Room.open({ endpoint: { mohPassthrough: "yes" } });
  await callUp(room);
  await room.channel.indicate("hold");
  await room.run();
  const hold = room.peer.last("INVITE");
  expect(hold).toContain("a=sendonly");
  await room.send(answerTo(hold, "200 OK", {
    lines: [`Contact: <sip:bob@${PEER}:5060>`],
    body: audio(4000, "recvonly"),
  }));
  await room.channel.indicate("unhold");
  await room.run();
  expect(room.peer.last("INVITE")).toContain("a=sendrecv");
});

test("a method nobody answers inside a call: 405 with Allow when known, 501 when not", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("INFO", 2, { to }));
  expect(header(room.peer.last("405"), "Allow")).toContain("INVITE");
  await room.send(request("DANCE", 3, { to }));
  expect(statuses(room).at(-1)).toBe("501");
});

test("a module that throws in a request of a call fails that request only", async () => {
  const clumsy = defineModule({
    name: "clumsy",
    summary: "throws",
    requires: ["session"],
    options: v.object({}),
    setup(ctx) {
      ctx.sessions.supplement({
        method: "INFO",
        incoming() {
          throw new Error("oops");
        },
      });
    },
  });
  const room = await Room.open({ modules: [clumsy] });
  const to = await callUp(room);
  await room.send(request("INFO", 2, { to }));
  expect(statuses(room).at(-1)).toBe("500");
  expect(room.channel.state).toBe("up");
  expect(room.named("module.fault")).toMatchObject([{ module: "clumsy" }]);
});

test("an answered call without an ACK ends with BYE after 32 s", async () => {
  const room = await Room.open();
  await room.send(invite());
  room.channel.answer();
  await room.run(33_000);
  expect(room.peer.all("BYE").length).toBeGreaterThan(0);
  expect(room.named("call.ended")).toMatchObject([{ cause: 102 }]);
});

test("nobody answers: the call ends after 180 s", async () => {
  const room = await Room.open();
  await room.send(invite());
  await room.run(179_000);
  expect(room.channel.state).toBe("ring");
  await room.run(2_000);
  expect(statuses(room)).toContain("480");
});

test("an endpoint's calls are limited: 486", async () => {
  const room = await Room.open({ endpoint: { callLimit: 1 } });
  await room.send(invite());
  await room.send(invite({ branch: "other" }).replace("Call-ID: c1", "Call-ID: c2"));
  expect(statuses(room)).toEqual(["100", "486"]);
  expect(room.named("security")).toMatchObject([{ event: "LimitReached" }]);
});

test("the same INVITE on a second way is 482", async () => {
  const room = await Room.open();
  await room.send(invite());
  await room.send(invite({ branch: "fork" }));
  expect(statuses(room)).toEqual(["100", "482"]);
});

// ---- calls of ours ----------------------------------------------------------------------------------------------

async function dial(options: RoomOptions = {}, caller = { name: "Alice", number: "101", allowed: true }) {
  const room = await Room.open(options);
  const endpoint = room.kernel.host.objects.endpoint("phone");
  const uri = parseUri(`sip:bob@${PEER}:5060`);
  if (!room.sessions || !endpoint || !uri) throw new Error("nothing to dial with");
  const channel = await room.sessions.originate({
    endpoint,
    uri,
    caller,
    headers: [["X-Test", "1"]],
  });
  const told: string[] = [];
  channel.on((event) => void told.push(event.kind === "ended" ? `ended ${event.cause}` : event.kind));
  await room.run();
  return { room, channel, told, invite: room.peer.last("INVITE") };
}
const contact = [`Contact: <sip:bob@${PEER}:5060>`];

test("we call: ringing, answered, BYE of the peer", async () => {
  const { room, channel, told, invite } = await dial();
  expect(invite).toStartWith(`INVITE sip:bob@${PEER}:5060 SIP/2.0\r\n`);
  expect(header(invite, "From")).toMatch(/^"?Alice"? <sip:101@192\.0\.2\.1>;tag=/);
  expect(header(invite, "X-Test")).toBe("1");
  expect(header(invite, "Supported")).toContain("timer");
  expect(invite).toContain("m=audio 10002 RTP/AVP 0");
  await room.send(answerTo(invite, "180 Ringing", { tag: "p", lines: contact }));
  await room.send(answerTo(invite, "200 OK", { tag: "p", lines: contact, body: audio(4000) }));
  expect(room.peer.all("ACK")).toHaveLength(1);
  expect(channel.state).toBe("up");
  const bye = request("BYE", 9, { to: header(invite, "From"), lines: ["Reason: Q.850;cause=17"] })
    .replace("Call-ID: c1", `Call-ID: ${header(invite, "Call-ID")}`)
    .replace(/From: .*/, `From: ${header(invite, "To")};tag=p`);
  await room.send(bye);
  expect(told).toEqual(["ringing", "answered", "ended 17"]);
  expect(room.handler.open.size).toBe(0);
});

test("From shows the caller, the endpoint's name for us, a default, or nobody", async () => {
  const from = async (options: RoomOptions, caller?: { name: string; number: string; allowed: boolean }) =>
    header((await dial(options, caller)).invite, "From").replace(/;tag=.*/, "").replaceAll('"', "");
  const fromUser = { endpoint: { fromUser: "account", fromDomain: "provider.example.org" } };
  expect(await from({})).toBe(`Alice <sip:101@${US}>`);
  expect(await from(fromUser)).toBe("<sip:account@provider.example.org>");
  expect(await from({}, { name: "", number: "", allowed: true })).toBe(`<sip:patchbay@${US}>`);
  const hidden = { name: "Alice", number: "101", allowed: false };
  expect(await from({}, hidden)).toBe("Anonymous <sip:anonymous@anonymous.invalid>");
  const contactOf = async (options: RoomOptions) => header((await dial(options, hidden)).invite, "Contact");
  expect(await contactOf({})).toStartWith("<sip:patchbay@");
  expect(await contactOf({ global: { useCallerIdContact: true } })).toStartWith("<sip:anonymous@");
});

test("userEqPhone marks numbers in our requests, and only numbers (RFC 3261 §19.1.1)", async () => {
  const options = { endpoint: { userEqPhone: true, contactUser: "+100" } };
  const { invite } = await dial(options, { name: "", number: "#31", allowed: true });
  expect(header(invite, "From")).toContain(`<sip:%2331@${US};user=phone>`);
  expect(header(invite, "Contact")).toBe(`<sip:+100@${US}:5060;user=phone>`);
  expect(header(invite, "To")).toBe(`<sip:bob@${PEER}:5060>`);
});

test("refusals have their causes", async () => {
  for (const [status, cause] of [["486 Busy", 17], ["404 No", 1], ["603 Decline", 21], ["503 Away", 34]] as const) {
    const { room, told, invite } = await dial();
    await room.send(answerTo(invite, status, { tag: "p" }));
    expect(told).toEqual([`ended ${cause}`]);
  }
});

test("a 200 whose answer is useless gets ACK, BYE and cause 58", async () => {
  const { room, told, invite } = await dial();
  await room.send(answerTo(invite, "200 OK", { tag: "p", lines: contact, body: audio(0) }));
  await room.run();
  expect(room.peer.all("ACK")).toHaveLength(1);
  expect(room.peer.all("BYE")).toHaveLength(1);
  expect(told).toEqual(["ended 58"]);
});

test("hung up while it rings: CANCEL with the reason, answered elsewhere says so", async () => {
  const { room, channel, invite } = await dial();
  await room.send(answerTo(invite, "180 Ringing", { tag: "p", lines: contact }));
  channel.hangup(26);
  await room.run();
  expect(header(room.peer.last("CANCEL"), "Reason")).toBe('SIP;cause=200;text="Call completed elsewhere"');
});

test("183 without SDP is passed over when told so", async () => {
  for (const ignore of [true, false]) {
    const { room, told, invite } = await dial({ endpoint: { ignore183WithoutSdp: ignore } });
    await room.send(answerTo(invite, "183 Session Progress", { tag: "p", lines: contact }));
    expect(told).toEqual(ignore ? [] : ["progress"]);
  }
});

test("challenges are answered, outside and inside the call; the ACK repeats the credentials of its INVITE", async () => {
  const { room, channel, invite } = await dial({
    modules: [outboundAuthenticator],
    endpoint: { outboundAuth: "provider" },
    core: { auths: { provider: { username: "us", password: "secret" } } },
  });
  const challenge = (name: string) => `${name}: Digest realm="there", nonce="n1", qop="auth", algorithm=MD5`;
  await room.send(answerTo(invite, "401 Unauthorized", { tag: "x", lines: [challenge("WWW-Authenticate")] }));
  const again = room.peer.last("INVITE");
  expect(header(again, "Authorization")).toStartWith("Digest ");
  expect(Number.parseInt(header(again, "CSeq"))).toBe(Number.parseInt(header(invite, "CSeq")) + 1);
  await room.send(answerTo(again, "200 OK", { tag: "p", lines: contact, body: audio(4000) }));
  expect(header(room.peer.last("ACK sip:bob@192.0.2.9:5060"), "Authorization")).toBe(header(again, "Authorization"));
  channel.hangup(16);
  await room.run();
  const bye = room.peer.last("BYE");
  await room.send(answerTo(bye, "407 Who Are You", { lines: [challenge("Proxy-Authenticate")] }));
  expect(header(room.peer.last("BYE"), "Proxy-Authorization")).toStartWith("Digest ");
  expect(Number.parseInt(header(room.peer.last("BYE"), "CSeq"))).toBe(Number.parseInt(header(bye, "CSeq")) + 1);
  await room.send(answerTo(room.peer.last("BYE"), "407 Still", { lines: [challenge("Proxy-Authenticate")] }));
  await room.run(40_000);
  expect(room.kernel.metrics()).toContain("patchbay_session_dialogs 0");
});

test("the next address is tried when the first one is away", async () => {
  const room = await Room.open();
  const endpoint = room.kernel.host.objects.endpoint("phone");
  const uri = parseUri("sip:bob@example.org");
  if (!room.sessions || !endpoint || !uri) throw new Error("nothing to dial with");
  room.universe.names.address("example.org", "192.0.2.77", PEER);
  room.universe.host("192.0.2.77");
  const channel = room.sessions.originate({ endpoint, uri });
  await room.run(10_000);
  const invite = room.peer.last("INVITE");
  await room.send(answerTo(invite, "200 OK", { tag: "p", lines: contact, body: audio(4000) }));
  expect((await channel).state).toBe("up");
});

test("a reload of the module keeps the calls", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.kernel.reloadModule("session");
  expect(room.channel.state).toBe("up");
  await room.send(request("BYE", 2, { to }));
  expect(statuses(room).at(-1)).toBe("200");
  expect(room.sessions?.channels ?? []).toHaveLength(0);
});

test("an unload of the module says BYE", async () => {
  const room = await Room.open();
  await callUp(room);
  await room.kernel.unloadModule("stage");
  await room.kernel.unloadModule("dlg_options");
  await room.kernel.unloadModule("session");
  await room.run();
  expect(room.peer.all("BYE").length).toBeGreaterThan(0);
});

test("an ACK without answer to a re-INVITE leaves what was agreed in force", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("INVITE", 2, { to }));
  await room.run();
  expect(statuses(room).at(-1)).toBe("200");
  await room.send(request("ACK", 2, { to, branch: "again" }));
  await room.run();
  expect(room.peer.all("BYE")).toHaveLength(0);
  expect(room.channel.state).toBe("up");
});
