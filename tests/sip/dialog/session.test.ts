import { expect, test } from "bun:test";
import type { SessionPolicy } from "../../../src/sip/dialog/session.ts";
import { VirtualUniverse } from "../../virtual_world.ts";
import { Agent, answerTo, header, Leg, policy, RawPeer, sdp } from "./agent.ts";

const US = "192.0.2.1";
const PEER = "192.0.2.9";
const CONTACT = `Contact: <sip:peer@${PEER}:5060>`;
const sdpText = (name: string) => `v=0\r\ns=${name}\r\n`;

async function room(settings: Partial<SessionPolicy> = {}) {
  const universe = new VirtualUniverse();
  universe.setFaults({ delayMs: 0 });
  const agent = await Agent.at(universe, US);
  agent.policy = { ...policy, ...settings };
  const peer = await RawPeer.at(universe, PEER);
  const legs: Leg[] = [];
  agent.onCall = (leg) => legs.push(leg);
  const run = async (ms = 0) => await universe.advance(ms);
  return { universe, agent, peer, legs, run };
}

function request(
  method: string,
  cseq: number,
  more: { readonly to?: string; readonly lines?: readonly string[]; readonly body?: string; readonly branch?: string } =
    {},
) {
  const body = more.body ?? "";
  return [
    `${method} sip:agent@${US}:5060 SIP/2.0`,
    `Via: SIP/2.0/UDP ${PEER}:5060;branch=z9hG4bK${more.branch ?? `${method}${cseq}`}`,
    "Max-Forwards: 70",
    `From: <sip:peer@${PEER}>;tag=p`,
    more.to ?? `To: <sip:agent@${US}>`,
    "Call-ID: c1",
    `CSeq: ${cseq} ${method}`,
    CONTACT,
    ...more.lines ?? [],
    ...body ? ["Content-Type: application/sdp"] : [],
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** A call to us, answered and acknowledged; `to` is the To line of requests inside it. */
async function inbound(settings: Partial<SessionPolicy> = {}, lines: readonly string[] = []) {
  const it = await room(settings);
  it.peer.send(request("INVITE", 1, { body: sdpText("offer"), lines }), US);
  await it.run();
  const leg = it.legs[0];
  if (!leg?.session) throw new Error("no call");
  leg.session.accept(sdp("answer"));
  await it.run();
  const to = `To: ${header(it.peer.last("200 OK"), "To")}`;
  it.peer.send(request("ACK", 1, { to, branch: "ack" }), US);
  await it.run();
  return { ...it, leg, session: leg.session, to };
}

/** A call of ours, answered by the peer. */
async function outbound(settings: Partial<SessionPolicy> = {}, lines: readonly string[] = []) {
  const it = await room(settings);
  const leg = it.agent.call(`peer@${PEER}`, sdp("offer"));
  await it.run();
  const invite = it.peer.last("INVITE");
  it.peer.send(answerTo(invite, "200 OK", { tag: "p", lines: [CONTACT, ...lines], body: sdpText("answer") }), US);
  await it.run();
  if (!leg.session) throw new Error("no call");
  return { ...it, leg, session: leg.session, invite };
}

/** A request of the peer inside a call of ours. */
function within(invite: string, method: string, cseq: number, body = "") {
  return request(method, cseq, { body })
    .replace(/Call-ID: .*/, `Call-ID: ${header(invite, "Call-ID")}`)
    .replace(/To: .*/, `To: ${header(invite, "From")}`)
    .replace(/From: .*/, `From: ${header(invite, "To")};tag=p`);
}

test("a 2xx is repeated with growing gaps until ACK, then BYE ends the call (RFC 3261 §13.3.1.4)", async () => {
  const it = await room();
  it.peer.send(request("INVITE", 1, { body: sdpText("offer") }), US);
  await it.run();
  it.legs[0]?.session?.accept(sdp("answer"));
  await it.run(31_999);
  expect(it.peer.all("200 OK").map(({ at }) => at)).toEqual([
    0,
    500,
    1500,
    3500,
    7500,
    11500,
    15500,
    19500,
    23500,
    27500,
    31500,
  ]);
  await it.run(1);
  expect(it.peer.all("BYE")).toHaveLength(1);
  expect(it.legs[0]?.ended?.why).toBe("no ACK");
  it.peer.send(answerTo(it.peer.last("BYE"), "200 OK"), US);
  await it.run(64_000);
  expect(it.agent.dialogs.size).toBe(0);
  expect(it.agent.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
});

test("an ACK stops the repetition", async () => {
  const it = await inbound();
  await it.run(10_000);
  expect(it.peer.all("200 OK")).toHaveLength(1);
  expect(it.leg.log).toEqual(["confirmed"]);
});

test("each repeated 2xx gets its ACK, sent to the Contact", async () => {
  const it = await outbound();
  const ok = answerTo(it.invite, "200 OK", { tag: "p", lines: [CONTACT], body: sdpText("answer") });
  it.peer.send(ok, US);
  await it.run();
  expect(it.peer.all("ACK")).toHaveLength(2);
  expect(it.peer.last("ACK")).toStartWith(`ACK sip:peer@${PEER}:5060 SIP/2.0\r\n`);
  expect(header(it.peer.last("ACK"), "CSeq")).toBe("1 ACK");
  expect(it.leg.log).toEqual(["answer answer", "accepted"]);
});

test("a CANCEL waits for the first 1xx; a 200 that crosses it gets ACK and BYE", async () => {
  const it = await room();
  const leg = it.agent.call(`peer@${PEER}`, sdp("offer"));
  await it.run(100);
  leg.session?.end();
  await it.run(100);
  expect(it.peer.all("CANCEL")).toHaveLength(0);
  const invite = it.peer.last("INVITE");
  it.peer.send(answerTo(invite, "100 Trying"), US);
  await it.run();
  expect(it.peer.all("CANCEL")).toHaveLength(1);
  it.peer.send(answerTo(invite, "200 OK", { tag: "p", lines: [CONTACT], body: sdpText("answer") }), US);
  await it.run();
  expect(it.peer.all("ACK")).toHaveLength(1);
  expect(it.peer.all("BYE")).toHaveLength(1);
  expect(leg.log).toEqual(["ended local"]);
});

test("a cancelled INVITE gets 487 and ends the leg", async () => {
  const it = await room();
  it.peer.send(request("INVITE", 1, { body: sdpText("offer") }), US);
  await it.run();
  it.legs[0]?.session?.provisional(180, "Ringing");
  it.peer.send(request("CANCEL", 1, { branch: "INVITE1" }), US);
  await it.run();
  expect(header(it.peer.last("487"), "CSeq")).toBe("1 INVITE");
  expect(it.legs[0]?.ended).toMatchObject({ by: "remote", why: "canceled" });
});

test("of two branches that answer the first is the call, the other gets ACK and BYE", async () => {
  const it = await outbound();
  const second = [`Contact: <sip:other@${PEER}:5060>`];
  it.peer.send(answerTo(it.invite, "200 OK", { tag: "q", lines: second, body: sdpText("other") }), US);
  await it.run();
  expect(it.peer.last("BYE")).toStartWith(`BYE sip:other@${PEER}:5060 SIP/2.0\r\n`);
  expect(header(it.peer.last("BYE"), "To")).toEndWith(";tag=q");
  expect(it.leg.ended).toBeUndefined();
});

test("more branches than ten are not kept, and a response cannot move our CSeq", async () => {
  const it = await room();
  const leg = it.agent.call(`peer@${PEER}`, sdp("offer"));
  await it.run();
  const invite = it.peer.last("INVITE");
  for (let at = 0; at < 50; at++) {
    it.peer.send(answerTo(invite, "180 Ringing", { tag: `f${at}`, lines: [CONTACT] }), US);
  }
  await it.run();
  expect(leg.log.filter((what) => what === "180")).toHaveLength(10);
  const ok = answerTo(invite, "200 OK", { tag: "f0", lines: [CONTACT], body: sdpText("answer") });
  it.peer.send(ok.replace("CSeq: 1 INVITE", "CSeq: 2147483647 INVITE"), US);
  await it.run();
  expect(header(it.peer.last("ACK"), "CSeq")).toBe("1 ACK");
  leg.session?.end();
  await it.run();
  expect(header(it.peer.last("BYE"), "CSeq")).toBe("2 BYE");
});

test("early media follows the latest branch only when told so, the answered branch always", async () => {
  for (const followForks of [true, false]) {
    const it = await room({ followForks });
    const leg = it.agent.call(`peer@${PEER}`, sdp("offer"));
    await it.run();
    const invite = it.peer.last("INVITE");
    const early = (tag: string) =>
      answerTo(invite, "183 Session Progress", { tag, lines: [CONTACT], body: sdpText(tag) });
    it.peer.send(early("p"), US);
    it.peer.send(early("q"), US);
    it.peer.send(answerTo(invite, "200 OK", { tag: "q", lines: [CONTACT], body: sdpText("q") }), US);
    await it.run();
    const answers = leg.log.filter((what) => what.includes("answer"));
    expect(answers).toEqual(
      followForks ? ["early answer p", "early answer q", "answer q"] : ["early answer p", "answer q"],
    );
  }
});

test("a reliable 183 nobody acknowledges is repeated at 0.5, 1, 2, 4, 8, 16 s, then 504 (RFC 3262 §3)", async () => {
  const it = await room({ reliable: "peer_supported" });
  it.peer.send(request("INVITE", 1, { body: sdpText("offer"), lines: ["Supported: 100rel"] }), US);
  await it.run();
  it.legs[0]?.session?.provisional(183, "Session Progress", sdp("answer"));
  await it.run(31_999);
  expect(it.peer.all("183").map(({ at }) => at)).toEqual([0, 500, 1500, 3500, 7500, 15500, 31500]);
  expect(header(it.peer.last("183"), "Require")).toBe("100rel");
  await it.run(1);
  expect(it.peer.all("504")).toHaveLength(1);
  expect(it.legs[0]?.ended?.why).toBe("no PRACK");
});

test("a 200 waits for the PRACK of a 183 that held the answer, and does not repeat it", async () => {
  const it = await room();
  it.peer.send(request("INVITE", 1, { body: sdpText("offer"), lines: ["Require: 100rel"] }), US);
  await it.run();
  const session = it.legs[0]?.session;
  session?.provisional(183, "Session Progress", sdp("answer"));
  session?.accept(sdp("answer"));
  await it.run();
  expect(it.peer.all("200 OK")).toHaveLength(0);
  const early = it.peer.last("183");
  const to = `To: ${header(early, "To")}`;
  it.peer.send(request("PRACK", 2, { to, lines: [`RAck: ${Number(header(early, "RSeq")) + 1} 1 INVITE`] }), US);
  await it.run();
  expect(it.peer.all("400")).toHaveLength(1);
  it.peer.send(request("PRACK", 3, { to, lines: [`RAck: ${header(early, "RSeq")} 1 INVITE`] }), US);
  await it.run();
  const invited = it.peer.all("200 OK").filter(({ text }) => header(text, "CSeq") === "1 INVITE");
  expect(invited).toHaveLength(1);
  expect(invited[0]?.text).toContain("Content-Length: 0");
});

test("a reliable 183 to us is PRACKed once, and its answer holds against the 200", async () => {
  const it = await room();
  const leg = it.agent.call(`peer@${PEER}`, sdp("offer"));
  await it.run();
  const invite = it.peer.last("INVITE");
  const lines = [CONTACT, "Require: 100rel", "RSeq: 7"];
  const early = answerTo(invite, "183 Session Progress", { tag: "p", lines, body: sdpText("early") });
  it.peer.send(early, US);
  it.peer.send(early, US);
  await it.run();
  expect(it.peer.all("PRACK")).toHaveLength(1);
  expect(header(it.peer.last("PRACK"), "RAck")).toBe("7 1 INVITE");
  it.peer.send(answerTo(it.peer.last("PRACK"), "200 OK"), US);
  it.peer.send(answerTo(invite, "200 OK", { tag: "p", lines: [CONTACT], body: sdpText("late") }), US);
  await it.run();
  expect(leg.log).toEqual(["early answer early", "183", "answer early", "accepted"]);
});

test("our late offer goes into the 200 and the ACK brings the answer", async () => {
  const it = await room();
  it.peer.send(request("INVITE", 1), US);
  await it.run();
  it.legs[0]?.session?.accept(sdp("offer"));
  await it.run();
  const ok = it.peer.last("200 OK");
  expect(ok).toEndWith(sdpText("offer"));
  it.peer.send(request("ACK", 1, { to: `To: ${header(ok, "To")}`, branch: "a", body: sdpText("answer") }), US);
  await it.run();
  expect(it.legs[0]?.log).toEqual(["answer answer", "confirmed"]);
});

test("glare: our re-INVITE meets 491 and comes again after 2.1 to 4.1 s, as we own the Call-ID", async () => {
  const it = await outbound();
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("change")) });
  await it.run();
  it.peer.send(within(it.invite, "INVITE", 50, sdpText("theirs")), US);
  await it.run();
  expect(header(it.peer.last("491"), "CSeq")).toBe("50 INVITE");
  it.peer.send(answerTo(it.peer.last("INVITE"), "491 Request Pending"), US);
  await it.run();
  const before = it.universe.now();
  await it.run(5_000);
  const again = it.peer.all("INVITE").filter(({ text }) => header(text, "CSeq") === "3 INVITE");
  expect(again[0]?.at).toBeGreaterThanOrEqual(before + 2100);
  expect(again[0]?.at).toBeLessThanOrEqual(before + 4100);
});

test("glare: who was called comes again within 2 s", async () => {
  const it = await inbound();
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("change")) });
  await it.run();
  it.peer.send(answerTo(it.peer.last("INVITE"), "491 Request Pending"), US);
  await it.run(2_001);
  expect(it.peer.all("INVITE").some(({ text }) => header(text, "CSeq") === "2 INVITE")).toBe(true);
});

test("a re-INVITE while our 2xx waits for its ACK gets 491; while we still answer one, 500 with Retry-After", async () => {
  const it = await inbound();
  it.leg.onOffer = () => {};
  it.peer.send(request("INVITE", 2, { to: it.to, body: sdpText("a") }), US);
  it.peer.send(request("INVITE", 3, { to: it.to, body: sdpText("b") }), US);
  await it.run();
  expect(Number(header(it.peer.last("500"), "Retry-After"))).toBeLessThan(10);
  const other = await room();
  other.peer.send(request("INVITE", 1, { body: sdpText("offer") }), US);
  await other.run();
  other.legs[0]?.session?.accept(sdp("answer"));
  await other.run();
  const to = `To: ${header(other.peer.last("200 OK"), "To")}`;
  other.peer.send(request("INVITE", 2, { to, body: sdpText("b") }), US);
  await other.run();
  expect(other.peer.all("491")).toHaveLength(1);
});

test("a BYE of ours waits for the ACK of the call it ends", async () => {
  const it = await room();
  it.peer.send(request("INVITE", 1, { body: sdpText("offer") }), US);
  await it.run();
  const session = it.legs[0]?.session;
  session?.accept(sdp("answer"));
  session?.end();
  await it.run(100);
  expect(it.peer.all("BYE")).toHaveLength(0);
  it.peer.send(request("ACK", 1, { to: `To: ${header(it.peer.last("200 OK"), "To")}`, branch: "a" }), US);
  await it.run();
  expect(it.peer.all("BYE")).toHaveLength(1);
});

test("BYE while a re-INVITE of ours is open: its answer is taken, then BYE leaves, once", async () => {
  const it = await inbound();
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("change")) });
  await it.run();
  it.session.end();
  await it.run(100);
  expect(it.peer.all("BYE")).toHaveLength(0);
  it.peer.send(answerTo(it.peer.last("INVITE"), "200 OK", { lines: [CONTACT], body: sdpText("x") }), US);
  await it.run();
  expect(it.peer.all("ACK")).toHaveLength(1);
  expect(it.peer.all("BYE")).toHaveLength(1);
});

test("BYE leaves after 32 s although a re-INVITE of ours is never answered", async () => {
  const it = await inbound();
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("change")) });
  await it.run();
  it.peer.send(answerTo(it.peer.last("INVITE"), "100 Trying"), US);
  await it.run();
  it.session.end();
  await it.run(31_000);
  expect(it.peer.all("BYE")).toHaveLength(0);
  await it.run(1_100);
  expect(it.peer.all("BYE").length).toBeGreaterThan(0);
});

test("both say BYE at once: each is answered 200, and nothing stays", async () => {
  const it = await inbound();
  it.session.end();
  it.peer.send(request("BYE", 2, { to: it.to }), US);
  await it.run();
  it.peer.send(answerTo(it.peer.last("BYE"), "481 Gone"), US);
  await it.run(40_000);
  expect(it.peer.all("200 OK").some(({ text }) => header(text, "CSeq") === "2 BYE")).toBe(true);
  expect(it.agent.dialogs.size).toBe(0);
  expect(it.agent.transactions.counts.server).toBe(0);
});

test("requests out of order get 500, those of a strange dialog 481", async () => {
  const it = await inbound();
  it.peer.send(request("INFO", 5, { to: it.to }), US);
  await it.run();
  it.peer.send(request("INFO", 4, { to: it.to }), US);
  await it.run();
  expect(header(it.peer.last("500"), "CSeq")).toBe("4 INFO");
  it.peer.send(request("INFO", 6, { to: `${it.to}x` }), US);
  await it.run();
  expect(header(it.peer.last("481"), "CSeq")).toBe("6 INFO");
  expect(it.leg.ended).toBeUndefined();
});

test("requests of ours go one after the other", async () => {
  const it = await inbound();
  const done: (number | undefined)[] = [];
  it.session.request("INFO", [], undefined, (response) => done.push(response?.status));
  it.session.request("MESSAGE", [], undefined, (response) => done.push(response?.status));
  await it.run();
  expect(it.peer.all("MESSAGE sip:")).toHaveLength(0);
  it.peer.send(answerTo(it.peer.last("INFO sip:"), "200 OK"), US);
  await it.run();
  it.peer.send(answerTo(it.peer.last("MESSAGE sip:"), "202 Accepted"), US);
  await it.run();
  expect(done).toEqual([200, 202]);
});

test("408 or 481 to a request of ours ends the call once", async () => {
  const it = await inbound();
  it.session.request("INFO", [], undefined, () => {});
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("x")) });
  await it.run();
  it.peer.send(answerTo(it.peer.last("INFO sip:"), "481 No Such Call"), US);
  await it.run();
  expect(it.leg.log.filter((what) => what.startsWith("ended"))).toHaveLength(1);
  expect(it.peer.all("INVITE sip:")).toHaveLength(0);
});

const timer = { mode: "yes", expires: 1800, min: 90 } as const;

test("session timer of 120 s: silent refresher, BYE after 88 s (RFC 4028 §10)", async () => {
  const it = await inbound({ timer }, ["Supported: timer", "Session-Expires: 120;refresher=uac"]);
  expect(header(it.peer.last("200 OK"), "Session-Expires")).toBe("120;refresher=uac");
  expect(header(it.peer.last("200 OK"), "Require")).toBe("timer");
  await it.run(87_000);
  expect(it.peer.all("BYE")).toHaveLength(0);
  await it.run(1_001);
  expect(header(it.peer.last("BYE"), "Reason")).toContain("no session refresh");
});

test("session timer: we refresh at half time, by UPDATE when the peer allows it, else by re-INVITE", async () => {
  for (const [allow, method] of [["INVITE, UPDATE, BYE", "UPDATE"], ["INVITE, BYE", "INVITE"]] as const) {
    const lines = ["Supported: timer", "Session-Expires: 120;refresher=uas", `Allow: ${allow}`];
    const it = await inbound({ timer }, lines);
    await it.run(59_900);
    expect(it.peer.all(`${method} sip:`)).toHaveLength(0);
    await it.run(200);
    const refresh = it.peer.last(`${method} sip:`);
    expect(header(refresh, "Session-Expires")).toBe("120;refresher=uac");
    expect(header(refresh, "Content-Length")).toBe(method === "UPDATE" ? "0" : String(sdp("answer").length));
  }
});

test("422 raises the session interval of our INVITE once per value", async () => {
  const it = await room({ timer });
  it.agent.call(`peer@${PEER}`, sdp("offer"));
  await it.run();
  it.peer.send(answerTo(it.peer.last("INVITE"), "422 Too Small", { tag: "p", lines: ["Min-SE: 3600"] }), US);
  await it.run();
  const again = it.peer.last("INVITE");
  expect(header(again, "Session-Expires")).toBe("3600");
  expect(header(again, "CSeq")).toBe("2 INVITE");
  it.peer.send(answerTo(again, "422 Too Small", { tag: "q", lines: ["Min-SE: 3600"] }), US);
  await it.run();
  expect(it.peer.all("INVITE")).toHaveLength(2);
});

test("routes of the 2xx are used in reverse, a strict first hop becomes the Request-URI (RFC 3261 §12.2.1.1)", async () => {
  const loose = await outbound({}, [`Record-Route: <sip:far.example.org;lr>`, `Record-Route: <sip:${PEER};lr>`]);
  loose.session.end();
  await loose.run();
  expect(loose.peer.last("BYE")).toStartWith(`BYE sip:peer@${PEER}:5060 SIP/2.0\r\n`);
  expect(loose.peer.last("BYE")).toMatch(new RegExp(`Route: <sip:${PEER};lr>\r\nRoute: <sip:far.example.org;lr>`));
  const strict = await outbound({}, [`Record-Route: <sip:${PEER}>`]);
  strict.session.end();
  await strict.run();
  expect(strict.peer.last("BYE")).toStartWith(`BYE sip:${PEER} SIP/2.0\r\n`);
  expect(header(strict.peer.last("BYE"), "Route")).toBe(`<sip:peer@${PEER}:5060>`);
});

test("an UPDATE without SDP is answered, one with an offer while ours is open gets 491", async () => {
  const it = await inbound();
  it.peer.send(request("UPDATE", 2, { to: it.to }), US);
  await it.run();
  expect(it.peer.all("200 OK").some(({ text }) => header(text, "CSeq") === "2 UPDATE")).toBe(true);
  it.session.change({ method: "INVITE", offer: (ready) => ready(sdp("ours")) });
  await it.run();
  it.peer.send(request("UPDATE", 3, { to: it.to, body: sdpText("theirs") }), US);
  await it.run();
  expect(header(it.peer.last("491"), "CSeq")).toBe("3 UPDATE");
});

test("a re-INVITE that is answered at once gets no 100, one that takes long gets it after 200 ms", async () => {
  const it = await inbound();
  const before = it.peer.all("SIP/2.0 100").length;
  it.peer.send(request("INVITE", 2, { to: it.to, body: sdpText("a") }), US);
  await it.run(150);
  expect(it.peer.all("SIP/2.0 100")).toHaveLength(before);
  const slow = await inbound();
  slow.leg.onOffer = () => {};
  slow.peer.send(request("INVITE", 2, { to: slow.to, body: sdpText("a") }), US);
  await slow.run(100);
  expect(slow.peer.all("SIP/2.0 100")).toHaveLength(before);
  await slow.run(150);
  expect(slow.peer.all("SIP/2.0 100")).toHaveLength(before + 1);
});
