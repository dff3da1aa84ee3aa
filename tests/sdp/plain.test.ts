import { expect, test } from "bun:test";
import { write } from "sdp-transform";
import type { MediaDescription, SessionDescription } from "../../src/sdp/description.ts";
import { writePlain } from "../../src/sdp/plain.ts";
import { seededRandom } from "../virtual_world.ts";

test("what we write ourselves is what the library writes", () => {
  const random = seededRandom(4);
  const maybe = <T extends object>(part: T): T | Record<string, never> => random.below(2) === 1 ? part : {};
  const connection = () => ({ version: random.below(2) === 0 ? 4 : 6, ip: `192.0.2.${random.below(255)}` });
  const media = (): MediaDescription => ({
    type: random.below(2) === 0 ? "audio" : "video",
    port: random.below(65536),
    protocol: "RTP/AVP",
    payloads: "0 101",
    ...maybe({ connection: connection() }),
    rtp: Array.from({ length: random.below(4) }, (_, i) => ({
      payload: 96 + i,
      codec: "opus",
      ...maybe({ rate: 48000, ...maybe({ encoding: 2 }) }),
    })),
    fmtp: Array.from({ length: random.below(3) }, (_, i) => ({ payload: 96 + i, config: "0-16" })),
    ...maybe({ mid: "a1" }),
    ...maybe({ ptime: 20 }),
    ...maybe({ maxptime: 150 }),
    ...maybe({ direction: "sendonly" as const }),
    ...maybe({ rtcpMux: "rtcp-mux" }),
  });
  for (let i = 0; i < 500; i++) {
    const description: SessionDescription = {
      version: 0,
      origin: {
        username: "-",
        sessionId: random.uint32(),
        sessionVersion: random.uint32(),
        netType: "IN",
        ipVer: 4,
        address: "192.0.2.1",
      },
      name: "-",
      timing: { start: 0, stop: 0 },
      ...maybe({ connection: connection() }),
      media: Array.from({ length: random.below(4) }, media),
    };
    expect(writePlain(description)).toBe(write(description));
  }
});

test("a field it does not know is left to the library", () => {
  const plain: SessionDescription = {
    version: 0,
    origin: { username: "-", sessionId: 1, sessionVersion: 1, netType: "IN", ipVer: 4, address: "192.0.2.1" },
    name: "-",
    timing: { start: 0, stop: 0 },
    media: [],
  };
  expect(writePlain(plain)).toBeDefined();
  expect(writePlain({ ...plain, uri: "http://example.org" })).toBeUndefined();
});
