import { expect, test } from "bun:test";
import { type Frame, Framing } from "../../../src/sip/message/framing.ts";

const head = (more: string) =>
  "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n" +
  `To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n${more}\r\n`;
const push = (framing: Framing, text: string) => framing.push(Buffer.from(text, "latin1"));
const kinds = (frames: readonly Frame[]) => frames.map((frame) => frame.kind);
const status = (frame: Frame | undefined) => frame?.kind === "malformed" ? frame.fault.reply?.status : "no fault";

test("pings and pongs between messages are told apart (RFC 5626 §4.4.1)", () => {
  const framing = new Framing();
  expect(kinds(push(framing, "\r\n\r\n"))).toEqual(["ping"]);
  expect(kinds(push(framing, "\r\n"))).toEqual(["pong"]);
  expect(kinds(push(framing, "\r\n\r"))).toEqual([]);
  expect(kinds(push(framing, `\n${head("l: 2\r\n")}xy\r\n${head("l: 0\r\n")}`))).toEqual([
    "ping",
    "message",
    "message",
  ]);
  expect(framing.partial).toBe(false);
});

test("a message waits for its body and holds no more than itself", () => {
  const framing = new Framing();
  expect(push(framing, `${head("l: 5\r\n")}12`)).toEqual([]);
  expect(framing.partial).toBe(true);
  const [frame] = push(framing, "345");
  expect(frame?.kind === "message" && Buffer.from(frame.message.body).toString()).toBe("12345");
  expect(framing.heldOctets).toBe(0);
});

test("without Content-Length 400, too large 513 before the body came, and the stream is over", () => {
  expect(status(push(new Framing(), head(""))[0])).toBe(400);
  expect(status(push(new Framing(), head("l: -1\r\n"))[0])).toBe(400);
  expect(status(push(new Framing(), head("l: 2147483647\r\n"))[0])).toBe(513);
  expect(status(push(new Framing(), head("l: 99999999999999999\r\n"))[0])).toBe(400);
  const framing = new Framing();
  expect(status(push(framing, head("l: 70000\r\n"))[0])).toBe(513);
  expect(push(framing, head("l: 0\r\n"))).toEqual([]);
});

test("what cannot become SIP is refused at once, and a header section without end when it is full", () => {
  expect(kinds(push(new Framing(), "\x16\x03\x01\x02\x00"))).toEqual(["malformed"]);
  expect(kinds(push(new Framing(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))).toEqual(["malformed"]);
  expect(kinds(push(new Framing(), "a".repeat(64)))).toEqual(["malformed"]);
  const framing = new Framing();
  let frames: readonly Frame[] = push(framing, head("").slice(0, -2));
  for (let line = 0; frames.length === 0 && line < 100; line++) frames = push(framing, `X: ${"y".repeat(1000)}\r\n`);
  expect(status(frames[0])).toBe(400);
  expect(framing.heldOctets).toBe(0);
});
