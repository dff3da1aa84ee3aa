import { expect, test } from "bun:test";
import { descriptionOf, partsOf } from "../../../src/sip/dialog/description.ts";
import { headerList } from "../../../src/sip/message/header_list.ts";
import type { SipMessage } from "../../../src/sip/message/message.ts";
import { seededRandom } from "../../virtual_world.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (octets: Uint8Array | undefined) => octets && new TextDecoder().decode(octets);

function message(type: string | undefined, body: string): SipMessage {
  const headers = headerList(type === undefined ? [] : [["Content-Type", type]]);
  return { kind: "response", status: 200, reason: "OK", headers, body: bytes(body) };
}

const mixed = [
  "preamble, to be ignored",
  "--b",
  "Content-Type: text/plain",
  "",
  "hello",
  "--b",
  "content-type: application/sdp;charset=utf-8",
  "Content-Disposition: session;handling=required",
  "",
  "v=0",
  "--b",
  "Content-Type: application/sdp",
  "",
  "v=1",
  "--b--",
  "epilogue",
].join("\r\n");

test("the description is the body, or the first part of a multipart that is one", () => {
  expect(text(descriptionOf(message("application/sdp", "v=0")))).toBe("v=0");
  expect(text(descriptionOf(message("APPLICATION/SDP;x=y", "v=0")))).toBe("v=0");
  expect(text(descriptionOf(message('multipart/mixed;boundary="b"', mixed)))).toBe("v=0");
  expect(descriptionOf(message("text/plain", "v=0"))).toBeUndefined();
  expect(descriptionOf(message(undefined, "v=0"))).toBeUndefined();
  expect(descriptionOf(message("application/sdp", ""))).toBeUndefined();
  expect(descriptionOf(message("multipart/mixed", mixed))).toBeUndefined();
});

test("parts have type, disposition and body; without a type a part is text (RFC 2046 §5.1)", () => {
  const parts = partsOf(bytes(mixed), "b") ?? [];
  expect(parts.map(({ type, disposition, body }) => [type, disposition, text(body)])).toEqual([
    ["text/plain", "", "hello"],
    ["application/sdp", "session;handling=required", "v=0"],
    ["application/sdp", "", "v=1"],
  ]);
  expect(partsOf(bytes("--b\r\n\r\nx\r\n--b--"), "b")?.[0]?.type).toBe("text/plain");
});

test("more than sixteen parts, no end, no boundary: not taken", () => {
  const many = (count: number) => `${"--b\r\n\r\nx\r\n".repeat(count)}--b--`;
  expect(partsOf(bytes(many(16)), "b")).toHaveLength(16);
  expect(partsOf(bytes(many(17)), "b")).toBeUndefined();
  expect(partsOf(bytes("--b\r\n\r\nx"), "b")).toBeUndefined();
  expect(partsOf(bytes("x"), "b")).toBeUndefined();
  expect(partsOf(bytes(mixed), "")).toBeUndefined();
});

test("any octets are parts or none, quickly", () => {
  const random = seededRandom(3);
  const pieces = ["--b", "--", "\r\n", "\r", "\n", "Content-Type:", "application/sdp", "\r\n\r\n", ";", "b", "\0", "é"];
  for (let round = 0; round < 2000; round++) {
    let body = "";
    for (let left = random.below(40); left > 0; left--) body += pieces[random.below(pieces.length)] ?? "";
    for (const part of partsOf(bytes(body), "b") ?? []) {
      expect(part.body.length).toBeLessThanOrEqual(bytes(body).length);
    }
  }
  const before = performance.now();
  partsOf(bytes("--b\r\n".repeat(13_000)), "b");
  partsOf(bytes(`--b\r\n${"Content-Type: x\r\n".repeat(3800)}\r\n--b--`), "b");
  expect(performance.now() - before).toBeLessThan(200);
});
