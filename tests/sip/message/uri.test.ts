import { expect, test } from "bun:test";
import { equalUris, parseUri, telDigits, type Uri, uriHeaders, writeUri } from "../../../src/sip/message/uri.ts";

function uri(text: string): Uri {
  const parsed = parseUri(text);
  if (!parsed) throw new Error(`${text} is no URI`);
  return parsed;
}

// RFC 3261 §19.1.4 and RFC 3966 §4.
const EQUAL = [
  ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
  ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
  [
    "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
    "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
  ],
  [
    "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
  ],
  ["tel:+1-201-555-0123", "tel:+1(201)555.0123"],
  ["tel:7042;phone-context=example.com", "tel:7042;Phone-Context=EXAMPLE.com"],
  ["sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]"],
];

const DIFFERENT = [
  ["SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
  ["sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
  ["sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"],
  ["sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
  ["sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"],
  ["sip:a@b;user=phone", "sip:a@b"],
  ["sip:a@b", "sips:a@b"],
  ["sip:a:secret@b", "sip:a@b"],
  ["tel:+1201", "tel:1201"],
  ["tel:7042;phone-context=a.com", "tel:7042"],
];

test("URIs that RFC 3261 §19.1.4 calls equal are equal both ways", () => {
  for (const [one = "", two = ""] of EQUAL) {
    expect([one, two, equalUris(uri(one), uri(two)), equalUris(uri(two), uri(one))]).toEqual([one, two, true, true]);
  }
});

test("URIs that it calls different are different both ways", () => {
  for (const [one = "", two = ""] of DIFFERENT) {
    expect([one, two, equalUris(uri(one), uri(two)), equalUris(uri(two), uri(one))]).toEqual([one, two, false, false]);
  }
});

test("a URI is written as it was read, escapes normalised", () => {
  for (
    const text of [
      "sip:alice@example.org",
      "sips:alice:pw@example.org:5061;transport=tcp;lr?Subject=a&Priority=b",
      "sip:[2001:db8::1]:5070",
      "sip:user;par=u%40example.net@example.com",
      "sip:null-%00-null@example.com",
      "sip:%E2%82%AC@example.org",
      "tel:+1-201-555-0123;phone-context=example.org",
      "isbn:2983792873",
    ]
  ) expect(writeUri(uri(text))).toBe(text);
  expect(uri("sip:%E2%82%AC@example.org")).toMatchObject({ user: "€" });
});

test("what is no URI, or hides a line break, is refused", () => {
  for (
    const text of [
      "",
      "sip:",
      "sip",
      "sip:@example.org",
      "sip:a@b@c",
      "sip:a@example.org:0",
      "sip:a@example.org:65536",
      "sip:a@exa mple.org",
      "sip:a@[2001:db8::1",
      "sip:2001:db8::1",
      "sip:a%0d%0aVia@example.org",
      "sip:a%zz@example.org",
      "sip:a@example.org;;x",
      "sip:a@example.org;x=1;x=2",
      "tel:",
      "tel:abc xyz",
    ]
  ) expect([text, parseUri(text)]).toEqual([text, undefined]);
});

test("headers of a URI are unescaped, the digits of a tel URI lose their separators", () => {
  const refer = uri("sip:a@b?Replaces=1%40c%3Bto-tag%3D2&Subject=x%20y");
  expect(refer.scheme === "sip" && uriHeaders(refer)).toEqual([["Replaces", "1@c;to-tag=2"], ["Subject", "x y"]]);
  const tel = uri("tel:+1-(201)-555.0123");
  expect(tel.scheme === "tel" && telDigits(tel)).toBe("+12015550123");
});
