import { expect, test } from "bun:test";
import { decodeText, encodeText } from "../../../src/sip/message/octets.ts";

const octets = (...list: number[]) => new Uint8Array(list);

test("octets that are not UTF-8 come back as they were, whatever stands around them", () => {
  const cases = [
    octets(),
    octets(0xff),
    octets(0x61, 0xff, 0xc3, 0xa9, 0xfe),
    octets(0xef, 0xbb, 0xbf, 0x61), // a BOM is text
    octets(0xef, 0xbf, 0xbd), // U+FFFD itself
    octets(0xc0, 0x80), // overlong
    octets(0xe0, 0x80, 0x80),
    octets(0xed, 0xa0, 0x80), // a surrogate
    octets(0xed, 0xb2, 0x80), // the one that stands for an octet
    octets(0xf0, 0x9f, 0x98, 0x80, 0xff), // an astral character
    octets(0xf4, 0x90, 0x80, 0x80), // beyond Unicode
    octets(0xe2, 0x82), // cut off
    octets(0x00, 0x80, 0x00),
  ];
  for (const bytes of cases) expect([...encodeText(decodeText(bytes))]).toEqual([...bytes]);
});

test("random octets come back as they were", () => {
  let state = 11;
  const random = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8;
  for (let round = 0; round < 3000; round++) {
    const bytes = new Uint8Array(random() % 60).map(() => random() % 3 === 0 ? random() & 255 : 0x80 + random() % 0x78);
    expect(Buffer.compare(encodeText(decodeText(bytes)), bytes)).toBe(0);
  }
});

test("what is UTF-8 reads as the platform reads it, in the middle of other octets too", () => {
  expect(decodeText(octets(0xf0, 0x9f, 0x98, 0x80, 0xff, 0xe2, 0x82, 0xac))).toBe("😀\udcff€");
});
