import { expect, test } from "bun:test";
import { header } from "../sip/dialog/agent.ts";
import { bodyOf, CallServer, type Phone } from "./call_server.ts";

const pictures = { allow: "ulaw,vp8,h264,h263", maxVideoStreams: 2 };
const start = (endpoints: Record<string, Record<string, unknown>> = { alice: pictures, bob: pictures }) =>
  CallServer.start({ dialplan: { 1: ["answer", "wait(1h)"], echo: ["answer", "echo"], bob: "dial(bob)" }, endpoints });

const H264 = "profile-level-id=42801F;packetization-mode=1";
/** Sound and pictures in the formats, "99 100" by default. */
const seen = (phone: Phone, formats = "99 100", ...more: string[]) =>
  phone.sdp(
    `m=audio ${phone.port} RTP/AVP 0`,
    `m=video ${phone.port + 2} RTP/AVP ${formats}`,
    "a=rtpmap:99 H264/90000",
    `a=fmtp:99 ${H264}`,
    "a=rtpmap:100 VP8/90000",
    ...more,
  );
/** Ports of the video lines. */
const videoPorts = (body: string) => [...body.matchAll(/^m=video (\d+) /gm)].map((found) => Number(found[1]));

test("video lines are answered in our order with the peer's numbers, as many as maxVideoStreams says", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  const more = ["m=video 6006 RTP/AVP 34", "m=video 6008 RTP/AVP 34"];
  await alice.invite("1", seen(alice, "34 99 100", "a=rtcp-fb:* nack pli", ...more));
  const body = bodyOf(await alice.ack());
  const lines = body.split("\r\n").filter((line) => line.startsWith("m="));
  expect(lines.map((line) => line.replace(/ [1-9]\d* /, " X "))).toEqual([
    "m=audio X RTP/AVP 0",
    "m=video X RTP/AVP 100 99 34",
    "m=video X RTP/AVP 34",
    "m=video 0 RTP/AVP 34",
  ]);
  expect(body).toContain(`a=fmtp:99 ${H264}\r\n`);
  expect(body).toContain("a=rtcp-fb:* nack pli\r\n");
  expect(body.split("a=ptime").length).toBe(2); // of the sound alone
  const { config } = server.media.at(videoPorts(body)[0] ?? 0);
  expect(config).toMatchObject({ codec: { name: "VP8", clockRate: 90_000 }, detectDtmf: false, timeoutSeconds: 0 });
  await alice.bye();
  await server.expectIdle();
});

test("a call with pictures: offered as the caller has them, joined line for line, whole pictures asked for by INFO", async () => {
  const server = await start();
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", seen(alice));
  const offer = bodyOf(bob.ringing);
  expect(offer).toMatch(/^m=video \d+ RTP\/AVP 99 100\r$/m);
  expect(offer).toContain(`a=fmtp:99 ${H264}\r\n`);
  await bob.answer("200 OK", seen(bob, "99"));
  const answer = bodyOf(await alice.ack());
  const [near = 0, far = 0] = [videoPorts(answer)[0], videoPorts(offer)[0]];
  expect(server.media.at(near).hears).toEqual({ peer: far });
  expect(server.media.at(far).hears).toEqual({ peer: near });
  const control = '<?xml version="1.0"?><media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder>' +
    "</vc_primitive></media_control>";
  bob.info("application/media_control+xml", control);
  await bob.settle();
  expect(bob.peer.last("SIP/2.0 200")).toContain("INFO");
  const asked = alice.peer.last("INFO ");
  expect(header(asked, "Content-Type")).toBe("application/media_control+xml");
  expect(asked).toContain("<picture_fast_update/>");
  await alice.reply("INFO", "200 OK");
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("pictures the other side cannot have are not offered to it", async () => {
  const rows: [Record<string, unknown>, string][] = [
    [{ allow: "ulaw,h263" }, "99"], // nothing in common
    [{ allow: "ulaw" }, "99"],
  ];
  for (const [bob, formats] of rows) {
    const server = await start({ alice: pictures, bob });
    const [alice, phone] = [await server.phone("alice"), await server.phone("bob")];
    await alice.invite("bob", seen(alice, formats));
    expect(bodyOf(phone.ringing)).not.toContain("m=video");
  }
  const server = await start();
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", alice.sdp()); // a caller without a camera
  expect(bodyOf(bob.ringing)).not.toContain("m=video");
});

test("an echo sends pictures back, too; a re-INVITE takes them out and brings them again", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  await alice.invite("echo", seen(alice));
  const [port = 0] = videoPorts(bodyOf(await alice.ack()));
  expect(server.media.at(port).hears).toBe("itself");
  const without = seen(alice).replace(/m=video \d+/, "m=video 0");
  expect(videoPorts(bodyOf(await alice.reinvite(without)))).toEqual([0]);
  expect(server.media.streams.size).toBe(1);
  expect(videoPorts(bodyOf(await alice.reinvite(seen(alice))))[0]).toBeGreaterThan(0);
  await alice.bye();
  await server.expectIdle();
});

test("control that is no XML is answered, too; what is too large is refused", async () => {
  const server = await start();
  const alice = await server.phone("alice");
  await alice.invite("1", seen(alice));
  await alice.ack();
  const rows = [["test", "200"], ["x".repeat(5000), "413"]] as const;
  for (const [body, status] of rows) {
    alice.info("application/media_control+xml", body);
    await alice.settle();
    expect(alice.status).toBe(status);
  }
  await alice.bye();
  await server.expectIdle();
});

test("who asks for pictures without end, of one who never answers, asks once", async () => {
  const server = await start();
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  await alice.invite("bob", seen(alice));
  await bob.answer("200 OK", seen(bob));
  await alice.ack();
  for (let n = 0; n < 50; n++) {
    bob.info("application/media_control+xml", "<media_control/>");
    await bob.settle(1);
  }
  expect(alice.count("INFO")).toBe(1);
  await alice.reply("INFO", "200 OK");
  bob.info("application/media_control+xml", "<media_control/>");
  await bob.settle();
  expect(alice.count("INFO")).toBe(2);
  await alice.reply("INFO", "200 OK");
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});

test("a call of pictures alone is joined, too", async () => {
  const server = await start();
  const [alice, bob] = [await server.phone("alice"), await server.phone("bob")];
  const mute = (phone: Phone) =>
    phone.sdp(`m=audio 0 RTP/AVP 0`, `m=video ${phone.port + 2} RTP/AVP 100`, "a=rtpmap:100 VP8/90000");
  await alice.invite("bob", mute(alice));
  const [far = 0] = videoPorts(bodyOf(bob.ringing));
  await bob.answer("200 OK", mute(bob));
  const [near = 0] = videoPorts(bodyOf(await alice.ack()));
  expect(server.media.at(near).hears).toEqual({ peer: far });
  await alice.bye();
  await bob.reply("BYE", "200 OK");
  await server.expectIdle();
});
