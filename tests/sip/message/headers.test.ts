import { expect, test } from "bun:test";
import { writeAuthValue } from "../../../src/sip/message/auth_value.ts";
import { writeCSeq } from "../../../src/sip/message/cseq.ts";
import { headerList } from "../../../src/sip/message/header_list.ts";
import type { SipHeaders } from "../../../src/sip/message/headers.ts";
import type { SipMessage } from "../../../src/sip/message/message.ts";
import { writeContact, writeNameAddr } from "../../../src/sip/message/name_addr.ts";
import { parseMessage } from "../../../src/sip/message/parser.ts";
import { writeRAck } from "../../../src/sip/message/rack.ts";
import { reply } from "../../../src/sip/message/reply.ts";
import { writeTokenParams } from "../../../src/sip/message/token_params.ts";
import { writeVia } from "../../../src/sip/message/via.ts";
import { writeMessage } from "../../../src/sip/message/writer.ts";

const BASIC = [
  "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK776",
  "From: <sip:bob@example.org>;tag=b",
  "To: <sip:alice@example.org>",
  "Call-ID: 1@192.0.2.9",
  "CSeq: 7 OPTIONS",
];

function bytes(lines: readonly string[], body = "", method = "OPTIONS"): Uint8Array {
  return Buffer.from(`${method} sip:alice@192.0.2.4 SIP/2.0\r\n${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

function message(...more: readonly string[]): SipMessage {
  const parsed = parseMessage(bytes([...BASIC, ...more]));
  if (parsed.kind === "malformed") throw new Error(parsed.why);
  return parsed;
}

function status(lines: readonly string[], body = "", method = "OPTIONS"): number | string {
  const parsed = parseMessage(bytes(lines, body, method));
  return parsed.kind === "malformed" ? parsed.reply?.status ?? "dropped" : "parsed";
}

const header = (text: string): SipHeaders => message(text).headers;

test("header values that are read are written the same", () => {
  const via = "SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bK1;received=192.0.2.1;rport";
  expect(header(`v: ${via}`).all("Via").slice(1).map(writeVia)).toEqual([via]);
  const contact = header('Contact: "A \\"B\\" C" <sip:a@192.0.2.1;ob>;expires=60;q=0.5, sip:b@192.0.2.2;x=y').all(
    "Contact",
  );
  expect(contact.map(writeContact)).toEqual([
    '"A \\"B\\" C" <sip:a@192.0.2.1;ob>;expires=60;q=0.5',
    "<sip:b@192.0.2.2>;x=y",
  ]);
  expect(header("m: *").all("Contact").map(writeContact)).toEqual(["*"]);
  expect(header("Route: <sip:a;lr>,<sip:b;lr>").all("Route").map(writeNameAddr)).toEqual(["<sip:a;lr>", "<sip:b;lr>"]);
  const reason = header('Reason: Q.850;cause=16;text="a, b; c", SIP;cause=200').all("Reason");
  expect(reason.map(writeTokenParams)).toEqual(['Q.850;cause=16;text="a, b; c"', "SIP;cause=200"]);
  const rack = header("RAck: 776656 1 INVITE").get("RAck");
  expect(rack && writeRAck(rack)).toBe("776656 1 INVITE");
  const cseq = header("X: y").get("CSeq");
  expect(cseq && writeCSeq(cseq)).toBe("7 OPTIONS");
  const credentials =
    'Digest username="a", realm="r,s", nonce="n", uri="sip:b", response="00", algorithm=MD5, qop=auth, nc=00000001';
  const auth = header(`Authorization: ${credentials}`).get("Authorization");
  expect(auth && writeAuthValue(auth)).toBe(credentials);
});

test("a second tag is passed over, any other parameter that comes twice makes the value unreadable", () => {
  expect(header("Route: <sip:a@192.0.2.7>;tag=1;tag=2").get("Route")?.params.get("tag")).toBe("1");
  expect(status([...BASIC, "Route: <sip:a@192.0.2.7>;x=1;x=1"])).toBe(400);
});

test("credentials with a parameter twice are unreadable", () => {
  const headers = header('Authorization: Digest username="a", username="b"');
  expect(headers.get("Authorization")).toBeUndefined();
  expect(headers.unreadable("Authorization")).toBe(true);
});

test("names match in any case and in compact form; folds become a space; unknown lines stay as they came", () => {
  const headers = header("SUBJECT  :  one\r\n\t two");
  expect(headers.text("s")).toBe("one two");
  const text = Buffer.from(writeMessage(message("X-Odd :  a\r\n  b \xff\xfe", "l: 0"))).toString("latin1");
  expect(text).toContain("\r\nX-Odd :  a\r\n  b \xff\xfe\r\nl: 0\r\n\r\n");
});

test("lines are set, put before others, appended and removed in place", () => {
  const headers = headerList([["Via", "a"], ["To", "t"], ["X", "1"], ["x", "2"]]);
  headers.set("X", "3");
  headers.prepend("Via", "b");
  headers.prepend("Route", "r");
  headers.remove("t");
  headers.append("Y", "evil\r\nX: 4");
  expect([...headers.lines()].map(({ text }) => text)).toEqual([
    "Route: r",
    "Via: b",
    "Via: a",
    "X: 3",
    "Y: evil X: 4",
  ]);
  const copy = headers.clone();
  copy.removeFirst("Via");
  expect(copy.texts("Via")).toEqual(["a"]);
  expect(headers.texts("Via")).toEqual(["b", "a"]);
  const routes = headerList([["Route", "<sip:a>, <sip:b,c@d>, <sip:e>"]]);
  routes.removeFirst("Route");
  expect(routes.text("Route")).toBe("<sip:b,c@d>, <sip:e>");
});

test("Content-Length is always that of the body", () => {
  const options = message("Content-Length: 0");
  const text = Buffer.from(writeMessage({ ...options, body: Buffer.from("12345") })).toString();
  expect(text).toEndWith("Content-Length: 5\r\n\r\n12345");
});

test("a reply repeats what RFC 3261 §8.2.6.2 says, and gives To the tag it is handed", () => {
  const request = message("Record-Route: <sip:p;lr>", "User-Agent: x");
  if (request.kind !== "request") throw new Error("no request");
  const response = reply(request, 200, "OK", { Allow: ["INVITE", "ACK"] }, "hi", "t1");
  expect(Buffer.from(writeMessage(response)).toString()).toBe(
    [
      "SIP/2.0 200 OK",
      BASIC[0],
      BASIC[1],
      `${BASIC[2]};tag=t1`,
      BASIC[3],
      BASIC[4],
      "Allow: INVITE",
      "Allow: ACK",
      "Content-Length: 2",
      "",
      "hi",
    ].join("\r\n"),
  );
  expect(reply({ ...request, method: "INVITE" }, 180, "Ringing").headers.text("Record-Route")).toBe("<sip:p;lr>");
});

test("limits of the message: what is over them gets 400, 414 or 513", () => {
  const without = (name: string) => BASIC.filter((line) => !line.startsWith(name));
  expect(status(BASIC)).toBe("parsed");
  expect(status([...BASIC, ...Array<string>(252).fill("X: y")])).toBe(400);
  expect(status([...BASIC, ...Array<string>(70).fill("Via: SIP/2.0/UDP a")])).toBe(400);
  expect(status([...BASIC, ...Array<string>(33).fill("Route: <sip:a;lr>")])).toBe(400);
  expect(status([...BASIC, `Contact: ${Array<string>(21).fill("<sip:a@b>").join(",")}`])).toBe(400);
  expect(status([...BASIC, `X: ${"y".repeat(8200)}`])).toBe(400);
  expect(status([...BASIC, ...Array<string>(5).fill(`X: ${"y".repeat(8000)}`)])).toBe(400);
  expect(status([...without("Call-ID"), `Call-ID: ${"c".repeat(513)}`])).toBe(400);
  expect(status([...without("From"), `From: <sip:a@b>;tag=${"t".repeat(257)}`])).toBe(400);
  expect(status([...without("From"), `From: <sip:${"u".repeat(257)}@b>;tag=t`])).toBe(400);
  expect(status([...without("Via"), `Via: SIP/2.0/UDP a;branch=${"b".repeat(513)}`])).toBe(400);
  expect(status(BASIC, "x".repeat(65_536))).toBe(513);
  const long = parseMessage(Buffer.from(`OPTIONS sip:${"a".repeat(2100)} SIP/2.0\r\n${BASIC.join("\r\n")}\r\n\r\n`));
  expect(long.kind === "malformed" && long.reply?.status).toBe(414);
});

test("missing, double, differing and out-of-range headers get 400; without a way back nothing is said", () => {
  for (const name of ["From", "To", "Call-ID", "CSeq"]) {
    expect(status(BASIC.filter((line) => !line.startsWith(name)))).toBe(400);
    expect(status([...BASIC, BASIC.find((line) => line.startsWith(name)) ?? ""])).toBe(400);
  }
  expect(status(BASIC.slice(1))).toBe("dropped");
  expect(status(BASIC, "", "INFO")).toBe(400);
  expect(status([...BASIC.slice(0, 4), "CSeq: 2147483648 OPTIONS"])).toBe(400);
  expect(status([...BASIC, "Max-Forwards: 256"])).toBe(400);
  expect(status([...BASIC, "Contact: *, <sip:a@b>"])).toBe(400);
  expect(status([...BASIC, "X: a\nb"])).toBe(400);
  expect(status([...BASIC, "X: a\rb"])).toBe(400);
  expect(status([...BASIC, "X: a\0b"])).toBe(400);
  expect(status([...BASIC.slice(0, 4), "CSeq: x ACK"], "", "ACK")).toBe("dropped");
});

test("a response with an odd Contact or Expires is taken, one without readable CSeq or Content-Length is not", () => {
  const kind = (lines: readonly string[]) =>
    parseMessage(Buffer.from(`SIP/2.0 200 OK\r\n${lines.join("\r\n")}\r\n\r\n`)).kind;
  expect(kind([...BASIC, "Contact: <sip:a@b>;;x", "Expires: soon"])).toBe("response");
  expect(kind([...BASIC, "Content-Length: x"])).toBe("malformed");
  expect(kind([...BASIC.slice(0, 4), "CSeq: OPTIONS"])).toBe("malformed");
});

test("Expires larger than 2^31 - 1 is that", () => {
  expect(header("Expires: 99999999999").get("Expires")).toBe(2 ** 31 - 1);
});
