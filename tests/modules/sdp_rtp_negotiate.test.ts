import { expect, test } from "bun:test";
import * as v from "valibot";
import sdpTransform from "sdp-transform";
import { readAllow } from "../../src/modules/sdp_rtp/codecs.ts";
import { endpointFields } from "../../src/modules/sdp_rtp/fields.ts";
import * as negotiate from "../../src/modules/sdp_rtp/negotiate.ts";

const session = (...lines: string[]) =>
  sdpTransform.parse(
    ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", ...lines].join("\r\n") + "\r\n",
  );
const media = (...lines: string[]) => {
  const [first] = session(...lines).media;
  if (first === undefined) throw new Error("no m-line");
  return first;
};
const allow = (...names: string[]) => {
  const list = readAllow(names, []);
  if (typeof list === "string") throw new Error(list);
  return list;
};
const options = (formats: readonly negotiate.Format[]) => formats.map((f) => `${f.codec.option}:${f.payloadType}`);

test("allow takes names, lengths, all and not", () => {
  expect(allow("ulaw:30", "g722").map((p) => [p.codec.option, p.ptimeMs])).toEqual([["ulaw", 30], ["g722", 20]]);
  expect(allow("all", "!ulaw").map((p) => p.codec.option)).not.toContain("ulaw");
  expect(allow("alaw", "!all", "ulaw").map((p) => p.codec.option)).toEqual(["ulaw"]);
  expect(readAllow(["ulaw", "alaw"], ["alaw", "all"])).toEqual(allow("ulaw"));
  expect(readAllow(["ullaw"], [])).toBe("ullaw");
});

test("formats are read with their maps, static numbers without; what is unknown is passed over", () => {
  const formats = negotiate.readFormats(media(
    "m=audio 4000 RTP/AVP 98 0 8 13 101 102 200 x 99",
    "a=rtpmap:98 opus/48000/2",
    "a=rtpmap:99 quaver/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtpmap:102 telephone-event/48000",
  ));
  expect(options(formats.codecs)).toEqual(["opus:98", "ulaw:0", "alaw:8"]);
  expect([...formats.events]).toEqual([[8000, 101], [48000, 102]]);
});

test("more than 72 formats, and a repeated one, cost nothing", () => {
  const many = Array.from({ length: 128 }, (_, at) => 127 - at).join(" ");
  expect(options(negotiate.readFormats(media(`m=audio 4000 RTP/AVP 0 0 ${many}`)).codecs)).toEqual(["ulaw:0"]);
});

test("an offer of PCMA, PCMU, G722 is answered in the order of incomingCallOfferPref", () => {
  const { codecs } = negotiate.readFormats(media("m=audio 4000 RTP/AVP 8 0 9"));
  const ours = allow("ulaw", "alaw");
  const rows: [negotiate.IncomingPreference, string[]][] = [
    ["local", ["ulaw:0", "alaw:8"]],
    ["local_first", ["ulaw:0"]],
    ["remote", ["alaw:8", "ulaw:0"]],
    ["remote_first", ["alaw:8"]],
  ];
  for (const [preference, wanted] of rows) {
    expect([preference, options(negotiate.common(codecs, ours, preference))]).toEqual([preference, wanted]);
  }
  expect(negotiate.common(codecs, allow("gsm"), "local")).toEqual([]);
});

test("an offer for a caller is made in the order of outgoingCallOfferPref", () => {
  const ours = allow("ulaw", "g722");
  const callers = allow("alaw", "g722").map((p) => p.codec);
  const rows: [negotiate.OutgoingPreference, string[]][] = [
    ["local", ["ulaw", "g722"]],
    ["local_merge", ["ulaw", "g722", "alaw"]],
    ["local_first", ["g722"]],
    ["remote", ["g722"]],
    ["remote_merge", ["g722", "ulaw"]],
    ["remote_first", ["g722"]],
  ];
  for (const [preference, wanted] of rows) {
    const order = negotiate.offerOrder(ours, callers, preference).map((p) => p.codec.option);
    expect([preference, order]).toEqual([preference, wanted]);
  }
  expect(negotiate.offerOrder(ours, [], "remote_merge")).toEqual(ours);
});

test("each side's own payload numbers count, also when they cross", () => {
  const local = media(
    "m=audio 4000 RTP/AVP 107 0 101",
    "a=rtpmap:107 opus/48000/2",
    "a=rtpmap:101 telephone-event/8000",
  );
  const remote = media(
    "m=audio 5000 RTP/AVP 0 101 96",
    "a=rtpmap:101 opus/48000/2",
    "a=rtpmap:96 telephone-event/8000",
  );
  const offered = negotiate.agree(local, remote, true);
  expect(offered.codecs.map((c) => [c.codec.option, c.send, c.receive])).toEqual([["ulaw", 0, 0], ["opus", 101, 107]]);
  expect(offered.event).toEqual({ send: 96, receive: 101, clockRate: 8000 });
  const answered = negotiate.agree(local, remote, false);
  expect(answered.codecs[0]?.codec.option).toBe("opus");
  expect(answered.event).toEqual({ send: 96, receive: 101, clockRate: 8000 }); // nobody named events at 48 kHz
});

test("hold: sendonly, inactive and c=0.0.0.0 hold; the answer's direction follows RFC 3264 §6.1", () => {
  const rows: [string[], boolean, negotiate.Direction][] = [
    [["m=audio 4000 RTP/AVP 0"], false, "sendrecv"],
    [["m=audio 4000 RTP/AVP 0", "a=sendonly"], true, "recvonly"],
    [["m=audio 4000 RTP/AVP 0", "a=recvonly"], false, "sendonly"],
    [["m=audio 4000 RTP/AVP 0", "a=inactive"], true, "inactive"],
    [["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"], true, "recvonly"],
    [["m=audio 4000 RTP/AVP 0", "c=IN IP6 ::"], true, "recvonly"],
    [["a=sendonly", "m=audio 4000 RTP/AVP 0"], true, "recvonly"],
  ];
  for (const [lines, held, direction] of rows) {
    const all = session(...lines);
    const [line] = all.media;
    if (line === undefined) throw new Error("no m-line");
    expect([lines, negotiate.holds(line, all)]).toEqual([lines, held]);
    const answer = negotiate.answerDirection(negotiate.directionOf(line, all), held, false);
    expect([lines, answer]).toEqual([lines, direction]);
  }
  expect(negotiate.answerDirection("sendrecv", false, true)).toBe("sendonly");
  expect(negotiate.answerDirection("sendonly", true, true)).toBe("inactive");
});

test("the remote address is an address, nowhere, or invalid", () => {
  const at = (...lines: string[]) => {
    const all = session(...lines);
    const [line] = all.media;
    return line && negotiate.remoteOf(line, all);
  };
  expect(at("m=audio 4000 RTP/AVP 0")).toEqual({ host: "192.0.2.9", port: 4000 });
  expect(at("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1")).toEqual({ host: "2001:db8::1", port: 4000 });
  expect(at("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0")).toBeUndefined();
  expect(at("m=audio 0 RTP/AVP 0")).toBeUndefined();
  expect(at("m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example.org")).toBe("invalid");
  expect(at("m=audio 99999 RTP/AVP 0")).toBe("invalid");
});

test("RTCP goes to a=rtcp, else one port up, else with the media when both mux", () => {
  const rtp = { host: "192.0.2.9", port: 4000 };
  expect(negotiate.rtcpOf(media("m=audio 4000 RTP/AVP 0"), rtp, false).port).toBe(4001);
  expect(negotiate.rtcpOf(media("m=audio 4000 RTP/AVP 0", "a=rtcp:5000"), rtp, false)).toEqual({
    host: "192.0.2.9",
    port: 5000,
  });
  expect(negotiate.rtcpOf(media("m=audio 4000 RTP/AVP 0", "a=rtcp:5000"), rtp, true)).toEqual(rtp);
});

test("the profile must be plain and its F as configured, unless told otherwise", () => {
  expect(negotiate.profileAllowed("RTP/AVP", false, false)).toBe(true);
  expect(negotiate.profileAllowed("RTP/AVPF", false, false)).toBe(false);
  expect(negotiate.profileAllowed("RTP/AVPF", true, false)).toBe(true);
  expect(negotiate.profileAllowed("RTP/AVPF", false, true)).toBe(true);
  expect(negotiate.profileAllowed("RTP/SAVP", false, false)).toBe(true);
  expect(negotiate.profileAllowed("RTP/SAVPF", false, false)).toBe(false);
  expect(negotiate.profileAllowed("UDP/TLS/RTP/SAVPF", true, true)).toBe(false);
});

test("a line is written so that sdp-transform reads it back", () => {
  const formats = negotiate.number(allow("ulaw", "opus"), new Set());
  const line = negotiate.describe({
    type: "audio",
    pictures: false,
    noise: undefined,
    port: 10000,
    host: "192.0.2.4",
    protocol: "RTP/AVP",
    crypto: [],
    mediasec: false,
    formats,
    events: new Map([[8000, 101], [48000, 102]]),
    ptimeMs: 20,
    direction: "sendrecv",
    rtcpMux: true,
    mid: "0",
  });
  const text = sdpTransform.write({ ...session(), media: [line] });
  for (
    const wanted of [
      "m=audio 10000 RTP/AVP 0 107 101 102",
      "c=IN IP4 192.0.2.4",
      "a=rtpmap:107 opus/48000/2",
      "a=rtpmap:102 telephone-event/48000",
      "a=fmtp:101 0-16",
      "a=ptime:20",
      "a=rtcp-mux",
      "a=mid:0",
      "a=sendrecv",
    ]
  ) expect(text).toContain(wanted);
});

test("a field that is wrong says what was expected", () => {
  const schema = v.strictObject(endpointFields);
  const faults = (fields: Record<string, unknown>) => (v.safeParse(schema, fields).issues ?? []).map((i) => i.message);
  expect(faults({ allow: "ulaw,ullaw" })[0]).toContain('there is no codec "ullaw"; did you mean "ulaw"?');
  expect(faults({ mediaEncryption: "dtls" })[0]).toContain("not there yet");
  expect(faults({ webrtc: true })[0]).toContain("WebRTC is not there yet");
  expect(faults({ tosAudio: "high" })[0]).toContain('"ef"');
  expect(v.parse(schema, { tosAudio: "ef", allow: ["g722"] })).toMatchObject({ tosAudio: 46, allow: ["g722"] });
  expect(v.parse(schema, { tosAudio: 184 }).tosAudio).toBe(46);
});
