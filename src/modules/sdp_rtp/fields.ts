import * as v from "valibot";
import { dtmfModes } from "../../kernel/services.ts";
import { suggestion } from "../../kernel/nearest.ts";
import { bool, integer, ipAddress, seconds, words } from "../../kernel/schema.ts";
import { codecs, readAllow } from "./codecs.ts";

const names = ["all", ...codecs.map((c) => c.option)];

/** A list of codecs; each unknown one is a fault. */
const codecList = (fallback: readonly string[]) =>
  v.pipe(
    words(fallback),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const entry of dataset.value) {
        if (readAllow([entry], []) !== entry) continue;
        const name = entry.replace(/^!/, "").replace(/:.*$/, "");
        addIssue({ message: `there is no codec "${entry}"${suggestion(name, names)}` });
      }
    }),
  );

/** A field of Asterisk's that may only be off, until the part it names is there. */
const off = (what: string) =>
  v.optional(
    v.pipe(v.union([v.boolean(), v.string()]), v.check((x) => x === false || x === "no", `${what} is not there yet`)),
    false,
  );

const tosNames: Readonly<Record<string, number>> = { ef: 46, ...classes("cs", 8, 8, 0), ...assured() };

function classes(prefix: string, count: number, step: number, from: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`${prefix}${at}`, from + at * step]));
}
function assured(): Record<string, number> {
  const all: Record<string, number> = {};
  for (let c = 1; c <= 4; c++) for (let d = 1; d <= 3; d++) all[`af${c}${d}`] = c * 8 + d * 2;
  return all;
}

/** A TOS octet or a name such as "ef"; comes out as the DSCP, 0-63. */
const dscp = () =>
  v.optional(
    v.pipe(
      v.union([v.number(), v.string()]),
      v.check(
        (x) => typeof x === "number" ? Number.isInteger(x) && x >= 0 && x < 256 : x.toLowerCase() in tosNames,
        'expected 0-255 or a name such as "ef", "cs3", "af41"',
      ),
      v.transform((x) => typeof x === "number" ? x >> 2 : tosNames[x.toLowerCase()] ?? 0),
    ),
    0,
  );

/** What this module owns of an endpoint. */
export const endpointFields = {
  /** Codecs in order of preference: `ulaw`, `ulaw:30` (ms per packet), `all`, `!g722`. */
  allow: codecList(["ulaw", "alaw"]),
  /** Codecs taken out of `allow`. */
  disallow: codecList([]),
  /** Order of the codecs in an answer. */
  incomingCallOfferPref: v.optional(v.picklist(["local", "local_first", "remote", "remote_first"]), "local"),
  /** Order of the codecs in an offer made for a caller. */
  outgoingCallOfferPref: v.optional(
    v.picklist(["local", "local_merge", "local_first", "remote", "remote_merge", "remote_first"]),
    "remote_merge",
  ),
  /** We send in our first codec even when the peer sends in another. */
  asymmetricRtpCodec: bool(false),
  /** How digits travel. */
  dtmfMode: v.optional(v.picklist(dtmfModes), "rfc4733"),
  /** The peer's `a=ptime` decides the length of our packets. */
  usePtime: bool(false),
  /** Answer to where packets come from, whatever the SDP says. */
  rtpSymmetric: bool(false),
  /** Media over IPv6, whatever the signaling uses. */
  rtpIpv6: bool(false),
  /** Address shown in SDP. */
  mediaAddress: v.optional(ipAddress()),
  /** RTP sockets are bound to `mediaAddress`. */
  bindRtpToMediaAddress: bool(false),
  /** Silence after which a comfort-noise packet keeps the path open; 0: off. */
  rtpKeepalive: seconds(0),
  /** Silence of the peer after which the call ends; 0: off. */
  rtpTimeout: seconds(0),
  /** The same while the call is held. */
  rtpTimeoutHold: seconds(0),
  /** Ports of this endpoint, both or neither; 0: those of the module. */
  rtpPortStart: integer(0, 0, 65535),
  rtpPortEnd: integer(0, 0, 65535),
  /** RTCP on the RTP port when the peer can. */
  rtcpMux: bool(false),
  /** Audio lines taken; further ones are declined. */
  maxAudioStreams: integer(1, 0, 16),
  /** Video lines taken, when `allow` names a video codec; further ones are declined. */
  maxVideoStreams: integer(1, 0, 16),
  /** RTP/AVPF instead of RTP/AVP. */
  useAvpf: bool(false),
  /** Take both. */
  forceAvp: bool(false),
  /** Repeat the profile of the offer. */
  mediaUseReceivedTransport: bool(false),
  /** SRTP, and how its keys are agreed on: "sdes", in the SDP (RFC 4568). */
  mediaEncryption: v.optional(v.picklist(["no", "sdes"], 'expected "no" or "sdes": "dtls" is not there yet'), "no"),
  /** A peer that cannot encrypt gets plain RTP. */
  mediaEncryptionOptimistic: bool(false),
  /** Offers AES_CM_128_HMAC_SHA1_32 in place of AES_CM_128_HMAC_SHA1_80. */
  srtpTag32: bool(false),
  iceSupport: off("ICE"),
  bundle: off("BUNDLE"),
  webrtc: off("WebRTC"),
  /** TOS octet of RTP packets. */
  tosAudio: dscp(),
  tosVideo: dscp(),
};
