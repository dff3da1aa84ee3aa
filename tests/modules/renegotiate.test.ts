import { expect, test } from "bun:test";
import { audioPort, bodyOf, CallServer, type Phone } from "./call_server.ts";

const lines = (body: string) =>
  body.split("\r\n").filter((line) => line.startsWith("m=")).map((line) => line.replace(/^(m=\w+) [1-9]\d* /, "$1 X "));
const wide = { allow: "ulaw,alaw,g722,h264", maxAudioStreams: 4, maxVideoStreams: 4 };

async function call(
  steps: readonly string[],
  offer?: (phone: Phone) => string,
  endpoint: Record<string, unknown> = wide,
) {
  const server = await CallServer.start({ dialplan: { 1: steps }, endpoint });
  const alice = await server.phone("alice");
  await alice.invite("1", offer?.(alice));
  return { server, alice, answer: bodyOf(alice.peer.last("SIP/2.0 200")) };
}

/** Answers our re-INVITE. */
async function agree(alice: Phone, body: string): Promise<string> {
  return bodyOf(await alice.reply("INVITE", "200 OK", body));
}

test("PJSIP_DTMF_MODE before the answer changes the answer, and how digits leave", async () => {
  for (
    const [mode, events, by] of [["info", false, "INFO"], ["rfc4733", true, "event"], [
      "inband",
      false,
      "tones",
    ]] as const
  ) {
    const { server, alice, answer } = await call(
      [`set(PJSIP_DTMF_MODE()=${mode})`, "answer", "set(SEEN=${PJSIP_DTMF_MODE()})", "senddtmf(4)", "wait(1h)"],
      undefined,
      { dtmfMode: mode === "rfc4733" ? "info" : "rfc4733" },
    );
    expect([mode, answer.includes("telephone-event")]).toEqual([mode, events]);
    await alice.ack();
    await server.universe.advance(1000);
    expect(alice.count("INFO")).toBe(by === "INFO" ? 1 : 0);
    const stream = server.media.at(audioPort(`\r\n\r\n${answer}`));
    expect(stream.sent).toBe(by === "INFO" ? "" : "4");
    if (by === "INFO") await alice.reply("INFO", "200 OK");
    await alice.bye();
    await server.expectIdle();
  }
});

test("PJSIP_DTMF_MODE in a call is told by a re-INVITE; a mode nobody knows ends the step with an error", async () => {
  const { server, alice, answer } = await call(["answer", "set(PJSIP_DTMF_MODE()=info)", "wait(1h)"]);
  expect(answer).toContain("telephone-event");
  await alice.ack();
  await alice.settle();
  expect(bodyOf(alice.peer.last("INVITE "))).not.toContain("telephone-event");
  await agree(alice, alice.sdp());
  await alice.bye();
  await server.expectIdle();
  const wrong = await call(["answer", "set(PJSIP_DTMF_MODE()=morse)", "wait(1h)"]);
  await wrong.alice.ack();
  await wrong.alice.settle();
  expect(wrong.server.log.some(({ text }) => text.includes('"morse" is no mode'))).toBe(true);
});

test("PJSIP_MEDIA_OFFER and PJSIP_SEND_SESSION_REFRESH: a re-INVITE with the wished codecs", async () => {
  const { server, alice } = await call(
    ["answer", "set(PJSIP_MEDIA_OFFER(audio)=!all,g722)", "set(PJSIP_SEND_SESSION_REFRESH()=invite)", "hangup"],
    undefined,
    { allow: "ulaw" },
  );
  await alice.ack();
  await alice.settle();
  expect(lines(bodyOf(alice.peer.last("INVITE ")))).toEqual(["m=audio X RTP/AVP 9 101"]);
  expect(alice.count("BYE")).toBe(0); // the next step waits for the answer
  await agree(alice, alice.sdp(`m=audio ${alice.port} RTP/AVP 9 101`, "a=rtpmap:101 telephone-event/8000"));
  expect(alice.count("BYE")).toBe(1);
  await alice.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("a refused refresh leaves the call as it was", async () => {
  const { server, alice, answer } = await call(
    ["answer", "set(PJSIP_MEDIA_OFFER(audio)=!all,g722)", "set(PJSIP_SEND_SESSION_REFRESH()=invite)", "wait(1h)"],
  );
  await alice.ack();
  await alice.settle();
  await alice.reply("INVITE", "488 Not Acceptable Here");
  expect(server.media.at(audioPort(`\r\n\r\n${answer}`)).config?.codec.name).toBe("PCMU");
  await alice.bye();
  await server.expectIdle();
});

test("streamecho takes lines out of a call and adds what is missing", async () => {
  const three = (phone: Phone) =>
    phone.sdp(`m=audio ${phone.port} RTP/AVP 9 0 8`, "m=audio 6002 RTP/AVP 9", "m=audio 6004 RTP/AVP 9 0 8");
  const { server, alice, answer } = await call(["answer", "streamecho(1, audio)", "hangup"], three);
  expect(lines(answer).every((line) => line.startsWith("m=audio X "))).toBe(true);
  await alice.ack();
  await alice.settle();
  const offer = bodyOf(alice.peer.last("INVITE "));
  expect(lines(offer)).toEqual(["m=audio X RTP/AVP 0 8 9 101", "m=audio 0 RTP/AVP 9", "m=audio 0 RTP/AVP 0 8 9"]);
  await agree(alice, three(alice).replaceAll(/m=audio 600\d/g, "m=audio 0"));
  expect(server.media.streams.size).toBe(1);
  expect(server.media.at(audioPort(`\r\n\r\n${answer}`)).hears).toBe("itself");
  await alice.bye();
  await server.expectIdle();

  const more = await call(["answer", "streamecho(2)", "hangup"]);
  await more.alice.ack();
  await more.alice.settle();
  const added = bodyOf(more.alice.peer.last("INVITE "));
  expect(lines(added).slice(1)).toEqual(["m=video X RTP/AVP 99", "m=video X RTP/AVP 99"]);
  const pictures = [6002, 6004].flatMap((port) => [`m=video ${port} RTP/AVP 99`, "a=rtpmap:99 H264/90000"]);
  await agree(more.alice, more.alice.sdp(`m=audio ${more.alice.port} RTP/AVP 0`, ...pictures));
  expect([...more.server.media.streams].map(({ hears }) => hears)).toEqual(["itself", "itself", "itself"]);
  await more.alice.bye();
  await more.server.expectIdle();
});

test("wished codecs that nobody knows are passed over; of none that is known what was agreed on is offered", async () => {
  for (
    const [wish, offered] of [["!all,g722,nonsense", "9 101"], ["!all,nonsense", "0 8 101"], ["!all", "0 8 101"]]
  ) {
    const { server, alice } = await call([
      "answer",
      `set(PJSIP_MEDIA_OFFER(audio)=${wish})`,
      "set(PJSIP_SEND_SESSION_REFRESH()=invite)",
      "wait(1h)",
    ]);
    await alice.ack();
    await alice.settle();
    expect([wish, lines(bodyOf(alice.peer.last("INVITE ")))[0]]).toEqual([wish, `m=audio X RTP/AVP ${offered}`]);
    await agree(alice, alice.sdp());
    await alice.bye();
    await server.expectIdle();
  }
});

test("more lines than there may be are not added; a peer that never answers the re-INVITE ends the step, not the server", async () => {
  const { server, alice } = await call(["answer", "streamecho(99)", "hangup"]);
  await alice.ack();
  await alice.settle();
  const offer = lines(bodyOf(alice.peer.last("INVITE ")));
  expect(offer.length).toBeLessThanOrEqual(16);
  expect(offer.filter((line) => line.startsWith("m=video X"))).toHaveLength(4); // maxVideoStreams
  await server.universe.advance(40_000);
  await alice.bye();
  await server.expectIdle();
});
