import { expect, test } from "bun:test";
import emptyInfo from "../../src/modules/empty_info.ts";
import { header } from "../sip/dialog/agent.ts";
import { callUp, request, Room } from "./session_room.ts";

async function call() {
  const room = await Room.open({ modules: [emptyInfo] });
  return { room, to: await callUp(room) };
}

test("an INFO without Content-Type keeps the call alive with a 200; a retransmission is not asked twice", async () => {
  const { room, to } = await call();
  const info = request("INFO", 2, { to });
  await room.send(info);
  await room.send(info);
  const answers = room.peer.all("200 OK").filter(({ text }) => header(text, "CSeq") === "2 INFO");
  expect(answers).toHaveLength(2);
  expect(answers[1]?.text).toBe(answers[0]?.text ?? "");
  expect(header(room.peer.last("200 OK"), "Content-Length")).toBe("0");
  expect(room.channel.state).toBe("up");
});

test("a body without type is 415, a type is for others, a package nobody has is 469 (RFC 6086)", async () => {
  const { room, to } = await call();
  const bare = request("INFO", 2, { to, body: "x", type: "a/b" }).replace(/Content-Type: .*\r\n/, "");
  await room.send(bare);
  expect(header(room.peer.last("415"), "CSeq")).toBe("2 INFO");
  await room.send(request("INFO", 3, { to, body: "x", type: "application/x-foo" }));
  expect(header(room.peer.last("405"), "CSeq")).toBe("3 INFO");
  await room.send(request("INFO", 4, { to, lines: ["Info-Package: foo"] }));
  expect(room.peer.last("469")).toContain("\r\nRecv-Info:");
  await room.send(request("INFO", 5, { to, lines: ["Content-Type: ;;"] }));
  expect(header(room.peer.last("400"), "CSeq")).toBe("5 INFO"); // unreadable, long before the module
  expect(room.channel.state).toBe("up");
});

test("a thousand in a second are all answered, in order", async () => {
  const { room, to } = await call();
  for (let at = 0; at < 1000; at++) await room.send(request("INFO", 10 + at, { to }));
  const numbers = room.peer.all("200 OK").map(({ text }) => header(text, "CSeq")).filter((cseq) =>
    cseq.endsWith("INFO")
  )
    .map((cseq) => Number.parseInt(cseq));
  expect(numbers).toEqual(Array.from({ length: 1000 }, (_, at) => 10 + at));
});

test("without the module the answer is 405, and the call goes on", async () => {
  const { room, to } = await call();
  await room.kernel.unloadModule("empty_info");
  await room.send(request("INFO", 2, { to }));
  expect(room.peer.all("405")).toHaveLength(1);
  expect(room.channel.state).toBe("up");
});
