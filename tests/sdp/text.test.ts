import { expect, test } from "bun:test";
import { readDescription, writeDescription } from "../../src/sdp/text.ts";
import { parseMessage } from "../../src/sip/message/parser.ts";
import { tortureMessages } from "../torture/messages.ts";

const HEAD = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"];
const sdp = (...lines: string[]) => `${[...HEAD, ...lines].join("\r\n")}\r\n`;

function outcome(text: string): string {
  const read = readDescription(text);
  return "why" in read ? `${read.status} ${read.why}` : "read";
}

test("a description is written as it was read", () => {
  const text = sdp(
    "m=audio 49170 RTP/AVP 0 8 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=sendrecv",
    "m=video 0 RTP/AVP 99",
    "a=rtpmap:99 H264/90000",
  );
  const read = readDescription(Buffer.from(text));
  if ("why" in read) throw new Error(read.why);
  expect(Buffer.from(writeDescription(read)).toString()).toBe(text);
});

test("payload lists, modes and mids are text even when they are one number", () => {
  const read = readDescription(sdp("m=audio 4000/2 RTP/AVP 0", "a=fmtp:0 16", "a=mid:1"));
  expect("why" in read ? read : read.media[0]).toMatchObject({
    port: 4000,
    payloads: "0",
    mid: "1",
    fmtp: [{ payload: 0, config: "16" }],
  });
});

test("what is no SDP gets 400", () => {
  for (const text of ["", "hello", "s=-\r\n", sdp("this is no line"), sdp("a=x\0y")]) {
    expect(outcome(text)).toStartWith("400");
  }
});

test("a dynamic payload number needs its rtpmap (RFC 3551 §6), unless the line is declined", () => {
  expect(outcome(sdp("m=video 4000 RTP/AVP 100", "a=inactive"))).toBe("400 a dynamic payload number without rtpmap");
  expect(outcome(sdp("m=audio 4000 RTP/AVP 18 100", "a=rtpmap:100 opus/48000/2"))).toBe("read");
  expect(outcome(sdp("m=video 0 RTP/AVP 100"))).toBe("read");
});

test("counts over the limits and numbers out of range get 488", () => {
  const audio = "m=audio 4000 RTP/AVP 0";
  const many = (count: number, line: string) => Array<string>(count).fill(line);
  expect(outcome(sdp(...many(16, audio)))).toBe("read");
  expect(outcome(sdp(...many(17, audio)))).toBe("488 too many m-lines");
  expect(outcome(sdp(audio, ...many(257, "a=x")))).toBe("488 too many attributes");
  expect(outcome(sdp(audio, ...many(65, "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host")))).toBe(
    "488 too many candidates",
  );
  expect(outcome(sdp(audio, ...many(17, "a=crypto:1 X inline:y")))).toBe("488 too many crypto lines");
  expect(outcome(sdp(`m=audio 4000 RTP/AVP${" 0".repeat(65)}`))).toBe("488 too many formats");
  expect(outcome(sdp("a=".padEnd(40_000, "x")))).toBe("488 description too large");
  expect(outcome(sdp("m=audio 65536 RTP/AVP 0"))).toBe("488 port out of range");
  expect(outcome(sdp("m=audio -1 RTP/AVP 0"))).toBe("488 m-line is unreadable");
  expect(outcome(sdp(audio, "a=rtpmap:128 X/8000"))).toBe("488 payload number out of range");
  expect(outcome(sdp("c=IN IP4 "))).toBe("488 c-line is unreadable");
});

test("a line of over 2 KiB is passed over", () => {
  const read = readDescription(sdp("m=audio 4000 RTP/AVP 0", `a=fmtp:0 ${"x".repeat(3000)}`));
  expect("why" in read ? read : read.media[0]?.fmtp).toEqual([]);
});

test("the descriptions of RFC 4475 and RFC 5118 are read", () => {
  let count = 0;
  for (const { name, bytes } of tortureMessages()) {
    const message = parseMessage(bytes);
    if (message.kind === "malformed" || message.headers.get("Content-Type")?.token !== "application/sdp") continue;
    const read = readDescription(message.body);
    expect([name, "why" in read ? read.why : "read"]).toEqual([name, "read"]);
    count++;
  }
  expect(count).toBeGreaterThan(8);
});

test("mutations of a description are read or refused in less than 50 ms", () => {
  const source = Buffer.from(sdp("m=audio 49170 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=ptime:20"));
  let state = 7;
  const random = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8;
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(source);
    for (let change = 0; change < 4; change++) bytes[random() % bytes.length] = random() & 255;
    readDescription(bytes);
  }
  for (
    const start of ["a=simulcast: ", "a=floorid:", "a=ptime:", "a=imageattr:", "a=candidate:", "a=ssrc-group:", "o="]
  ) {
    for (const fill of [" ", "1", ".", "a", "[x=1] ", " m-stream"]) {
      const text = sdp("m=audio 1 RTP/AVP 0", ...Array<string>(14).fill(start + fill.repeat(2000 / fill.length)));
      const tries = [1, 2, 3].map(() => {
        const begin = performance.now();
        readDescription(text);
        return performance.now() - begin;
      });
      expect(Math.min(...tries)).toBeLessThan(50); // the machine may be busy, not three times in a row
    }
  }
});
