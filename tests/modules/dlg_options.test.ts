import { expect, test } from "bun:test";
import { header } from "../sip/dialog/agent.ts";
import { audio, callUp, request, Room } from "./session_room.ts";

const FIVE = ["Accept", "Allow", "Supported", "Accept-Encoding", "Accept-Language"];

test("OPTIONS in a call gets 200 with what we can, and no body", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("OPTIONS", 2, { to }));
  const ok = room.peer.last("200 OK");
  expect(header(ok, "CSeq")).toBe("2 OPTIONS");
  for (const name of FIVE) expect(header(ok, name)).not.toBe("");
  expect(header(ok, "Content-Length")).toBe("0");
  expect(ok.match(/^Allow:/gm)).toHaveLength(1);
});

test("the lists are those of an OPTIONS outside of calls", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("OPTIONS", 2, { to }));
  const inside = room.peer.last("200 OK");
  await room.send(request("OPTIONS", 9).replace("Call-ID: c1", "Call-ID: other"));
  const outside = room.peer.last("200 OK");
  expect(header(outside, "Call-ID")).toBe("other");
  const list = (message: string, name: string) => header(message, name).split(/,\s*/).sort();
  for (const name of FIVE) expect(list(inside, name)).toEqual(list(outside, name));
});

test("OPTIONS while it rings: 200, then the call is answered as ever", async () => {
  const room = await Room.open();
  await room.send(request("INVITE", 1, { body: audio(4000) }));
  await room.channel.indicate("ringing");
  await room.run();
  const to = header(room.peer.last("180"), "To");
  await room.send(request("OPTIONS", 2, { to }));
  expect(header(room.peer.last("200 OK"), "CSeq")).toBe("2 OPTIONS");
  room.channel.answer();
  await room.run();
  expect(header(room.peer.last("200 OK"), "CSeq")).toBe("1 INVITE");
});

test("a strange tag gets 481, an old CSeq 500, an unknown extension 420; the call goes on", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.send(request("OPTIONS", 2, { to: `${to}x` }));
  expect(room.peer.all("481")).toHaveLength(1);
  await room.send(request("OPTIONS", 1, { to, branch: "old" }));
  expect(room.peer.all("500")).toHaveLength(1);
  await room.send(request("OPTIONS", 3, { to, lines: ["Require: strange"] }));
  expect(header(room.peer.last("420"), "Unsupported")).toBe("strange");
  expect(room.channel.state).toBe("up");
});

test("without the module the answer is 405, and the call goes on", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  await room.kernel.unloadModule("dlg_options");
  await room.send(request("OPTIONS", 2, { to }));
  expect(room.peer.all("405")).toHaveLength(1);
  expect(room.channel.state).toBe("up");
});

test("a session that has ended answers 481 while its BYE is on the way", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  room.channel.hangup(16);
  await room.run();
  await room.send(request("OPTIONS", 2, { to }));
  expect(room.peer.all("481")).toHaveLength(1);
});

test("two hundred OPTIONS in a second get two hundred answers", async () => {
  const room = await Room.open();
  const to = await callUp(room);
  for (let at = 0; at < 200; at++) await room.send(request("OPTIONS", 10 + at, { to }));
  expect(room.peer.all("200 OK").filter(({ text }) => header(text, "CSeq").endsWith("OPTIONS"))).toHaveLength(200);
});
