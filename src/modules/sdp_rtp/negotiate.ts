// Offer and answer of one audio or video line (RFC 3264), as pure functions over descriptions.
import type { MediaDescription, SessionDescription } from "../../sdp/description.ts";
import type { SocketAddress } from "../../world/world.ts";
import { type Codec, codecs as known, type Preference } from "./codecs.ts";

/** A format of an m-line with its number there. */
export interface Format {
  readonly codec: Codec;
  readonly payloadType: number;
  /** What the line says of a codec that we only pass on; the answer repeats it. */
  readonly fmtp?: string;
}

/** What one m-line says. */
export interface Formats {
  readonly codecs: readonly Format[]; // known ones, in order
  /** telephone-event numbers by clock rate (RFC 4733). */
  readonly events: ReadonlyMap<number, number>;
  /** Payload number of comfort noise at 8 kHz (RFC 3389). */
  readonly noise: number | undefined;
}

export type IncomingPreference = "local" | "local_first" | "remote" | "remote_first";
export type OutgoingPreference = IncomingPreference | "local_merge" | "remote_merge";

const MOST_FORMATS = 72;
const COMFORT_NOISE = 13; // static

const read = new WeakMap<MediaDescription, Formats>();

/** Reads the formats; numbers out of range, unknown names and what comes after the 72nd are passed over. */
export function readFormats(media: MediaDescription): Formats {
  const before = read.get(media);
  if (before) return before;
  const formats = formatsOf(media);
  read.set(media, formats);
  return formats;
}

function formatsOf(media: MediaDescription): Formats {
  const codecs: Format[] = [];
  const events = new Map<number, number>();
  let noise: number | undefined;
  const numbers = String(media.payloads ?? "").trim().split(/\s+/).slice(0, MOST_FORMATS);
  for (const text of new Set(numbers)) {
    const payloadType = /^\d{1,3}$/.test(text) ? Number(text) : 128;
    if (payloadType > 127) continue;
    const map = media.rtp?.find((m) => m.payload === payloadType);
    if (map?.codec.toLowerCase() === "telephone-event") {
      const rate = map.rate ?? 8000;
      if (!events.has(rate)) events.set(rate, payloadType);
      continue;
    }
    if (map ? map.codec.toLowerCase() === "cn" && (map.rate ?? 8000) === 8000 : payloadType === COMFORT_NOISE) {
      noise ??= payloadType;
      continue;
    }
    const codec = map ? byMap(map.codec, map.rate ?? 8000, Number(map.encoding ?? 1)) : byNumber(payloadType);
    if (!codec || codecs.some((f) => f.codec === codec)) continue;
    const passed = codec.fmtp !== undefined || codec.media === "video";
    const fmtp = passed ? media.fmtp?.find((m) => m.payload === payloadType)?.config : undefined;
    codecs.push({ codec, payloadType, ...(fmtp === undefined ? {} : { fmtp: String(fmtp) }) });
  }
  return { codecs, events, noise };
}

const byMap = (name: string, rate: number, channels: number): Codec | undefined =>
  known.find((c) => c.name.toLowerCase() === name.toLowerCase() && c.clockRate === rate && c.channels === channels);
const byNumber = (payloadType: number): Codec | undefined =>
  payloadType < 96 ? known.find((c) => c.payloadType === payloadType) : undefined;

/** The common formats in the order the answer gives them, with the peer's numbers. Empty: nothing in common. */
export function common(
  offered: readonly Format[],
  ours: readonly Preference[],
  preference: IncomingPreference,
): readonly Format[] {
  const both = preference.startsWith("local")
    ? ours.flatMap((p) => offered.filter((f) => f.codec === p.codec))
    : offered.filter((f) => ours.some((p) => p.codec === f.codec));
  return preference.endsWith("_first") ? both.slice(0, 1) : both;
}

/** What we offer to a callee: ours and the caller's, as asked. */
export function offerOrder(
  ours: readonly Preference[],
  callers: readonly Codec[],
  preference: OutgoingPreference,
): readonly Preference[] {
  if (callers.length === 0) return preference.endsWith("_first") ? ours.slice(0, 1) : ours;
  const theirs = callers.map((codec): Preference =>
    ours.find((p) => p.codec === codec) ?? { codec, ptimeMs: codec.ptimeMs }
  );
  const joint = theirs.filter((p) => ours.includes(p));
  const extra = theirs.filter((p) => !ours.includes(p));
  switch (preference) {
    case "local":
      return ours;
    case "local_merge":
      return [...ours, ...extra];
    case "local_first":
      return (joint.length > 0 ? ours.filter((p) => joint.includes(p)) : ours).slice(0, 1);
    case "remote":
      return joint.length > 0 ? joint : ours;
    case "remote_merge":
      return [...joint, ...ours.filter((p) => !joint.includes(p))];
    case "remote_first":
      return (joint.length > 0 ? joint : ours).slice(0, 1);
    default:
      return preference satisfies never;
  }
}

/** Gives each codec its number; a number that is taken already makes way for a free dynamic one. */
export function number(
  preferences: readonly Preference[],
  taken: Set<number>,
  callers: readonly Format[] = [],
): readonly Format[] {
  return preferences.map(({ codec }) => {
    let payloadType = codec.payloadType;
    for (let next = 96; taken.has(payloadType) && next < 128; next++) payloadType = next;
    taken.add(payloadType);
    // What is only passed on is what the caller's phone makes of it.
    const fmtp = codec.media === "video" ? callers.find((format) => format.codec === codec)?.fmtp : undefined;
    return { codec, payloadType, ...(fmtp === undefined ? {} : { fmtp }) };
  });
}

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** Direction of a line; the session's counts when the line has none. */
export const directionOf = (media: MediaDescription, session: SessionDescription): Direction =>
  media.direction ?? session.direction ?? "sendrecv";

/** Where the line's packets are to go; undefined: nowhere (port 0, c=0.0.0.0). "invalid": no address at all. */
export function remoteOf(media: MediaDescription, session: SessionDescription): SocketAddress | undefined | "invalid" {
  const host = (media.connection ?? session.connection)?.ip;
  if (host === undefined || host === "") return "invalid";
  if (!Number.isInteger(media.port) || media.port < 0 || media.port > 65535) return "invalid";
  if (isNowhere(host) || media.port === 0) return undefined;
  const plain = host.split("/")[0] ?? host; // a multicast TTL
  if (!/^[\d.]+$/.test(plain) && !plain.includes(":")) return "invalid"; // names are not looked up
  return { host: plain, port: media.port };
}

export const isNowhere = (host: string): boolean => host === "0.0.0.0" || /^[0:]+$/.test(host);

/** Held by the other side: it no longer listens (RFC 3264 §8.4, and c=0.0.0.0 of RFC 2543). */
export function holds(media: MediaDescription, session: SessionDescription): boolean {
  const direction = directionOf(media, session);
  const host = (media.connection ?? session.connection)?.ip;
  return direction === "sendonly" || direction === "inactive" || (host !== undefined && isNowhere(host));
}

/** Our direction in an answer. */
export function answerDirection(offered: Direction, remotelyHeld: boolean, locallyHeld: boolean): Direction {
  if (offered === "inactive" || (locallyHeld && remotelyHeld)) return "inactive";
  if (locallyHeld) return offered === "sendonly" ? "inactive" : "sendonly";
  if (remotelyHeld) return "recvonly";
  return offered === "recvonly" ? "sendonly" : "sendrecv";
}

/** May an offer with this profile be taken? RTP/AVP(F) and RTP/SAVP(F); the F must be as configured unless `lenient`. */
export function profileAllowed(protocol: string, useAvpf: boolean, lenient: boolean): boolean {
  const found = /^RTP\/S?AVP(F?)$/i.exec(protocol);
  return found !== null && (lenient || (found[1] !== "") === useAvpf);
}

/** Is SRTP part of the profile (RFC 3711, RFC 5124)? */
export const isSecure = (protocol: string): boolean => /^RTP\/SAVPF?$/i.test(protocol);

/** The profile of an offer. */
export const profile = (secure: boolean, feedback: boolean): string =>
  `RTP/${secure ? "S" : ""}AVP${feedback ? "F" : ""}`;

/** Where the peer wants RTCP (RFC 3605), else the port above. */
export function rtcpOf(media: MediaDescription, rtp: SocketAddress, mux: boolean): SocketAddress {
  if (mux) return rtp;
  const port = media.rtcp?.port;
  if (port !== undefined && port > 0 && port < 65536) return { host: media.rtcp?.address ?? rtp.host, port };
  return { host: rtp.host, port: Math.min(65535, rtp.port + 1) };
}

/** What both sides agreed on, seen from us. */
export interface Agreed {
  /** First: what we send. `send` and `receive` are the numbers each side wants. */
  readonly codecs: readonly { readonly codec: Codec; readonly send: number; readonly receive: number }[];
  readonly event: { readonly send: number; readonly receive: number; readonly clockRate: number } | undefined;
  /** Comfort noise: the number we are sent. */
  readonly noise: number | undefined;
}

/** `offered`: we made the offer, so the remote order counts. */
export function agree(local: MediaDescription, remote: MediaDescription, offered: boolean): Agreed {
  const [ours, theirs] = [readFormats(local), readFormats(remote)];
  const order = offered ? theirs : ours;
  const codecs = order.codecs.flatMap(({ codec }) => {
    const receive = ours.codecs.find((f) => f.codec === codec);
    const send = theirs.codecs.find((f) => f.codec === codec);
    return receive && send ? [{ codec, send: send.payloadType, receive: receive.payloadType }] : [];
  });
  const rate = codecs[0]?.codec.clockRate ?? 8000;
  const clockRate = theirs.events.has(rate) && ours.events.has(rate) ? rate : 8000;
  const [send, receive] = [theirs.events.get(clockRate), ours.events.get(clockRate)];
  return {
    codecs,
    noise: theirs.noise === undefined ? undefined : ours.noise,
    event: send === undefined || receive === undefined ? undefined : { send, receive, clockRate },
  };
}

/** Events at the rates of the codecs (RFC 4733 §2.1); those at 8000 for a peer that has no others. */
export function commonEvents(offered: Formats["events"], formats: readonly Format[]): [number, number][] {
  const rates = new Set(formats.map((f) => f.codec.clockRate));
  const same = [...offered].filter(([rate]) => rates.has(rate));
  return same.length > 0 ? same : [...offered].filter(([rate]) => rate === 8000);
}

/** The longest packet that every one of the codecs may come in. */
const maxPtime = (formats: readonly Format[]): number =>
  Math.min(150, ...formats.map(({ codec }) => codec.maxPtimeMs ?? 150));

const pictureFeedback = [
  { payload: "*", type: "nack", subtype: "pli" },
  { payload: "*", type: "ccm", subtype: "fir" },
];

/** The m-line of a set of formats. */
export function describe(line: {
  readonly type: "audio" | "video";
  readonly port: number;
  readonly host: string;
  readonly protocol: string;
  readonly crypto: NonNullable<MediaDescription["crypto"]>;
  /** Says that media security is wanted (3GPP TS 24.229). */
  readonly mediasec: boolean;
  readonly formats: readonly Format[];
  readonly events: ReadonlyMap<number, number>;
  readonly noise: number | undefined;
  readonly ptimeMs: number | undefined;
  readonly direction: Direction;
  readonly rtcpMux: boolean;
  readonly mid: string | undefined;
  /** Asks for whole pictures by RTCP may come (RFC 4585, RFC 5104). */
  readonly pictures: boolean;
}): MediaDescription {
  const events = [...line.events];
  const noise = line.noise === undefined ? [] : [line.noise];
  return {
    type: line.type,
    port: line.port,
    protocol: line.protocol,
    payloads: [...line.formats.map((f) => f.payloadType), ...noise, ...events.map(([, number]) => number)].join(" "),
    connection: { version: line.host.includes(":") ? 6 : 4, ip: line.host },
    rtp: [
      ...line.formats.map(({ codec, payloadType }) => ({
        payload: payloadType,
        codec: codec.name,
        rate: codec.clockRate,
        ...(codec.channels > 1 ? { encoding: codec.channels } : {}),
      })),
      ...noise.map((payload) => ({ payload, codec: "CN", rate: 8000 })),
      ...events.map(([rate, payload]) => ({ payload, codec: "telephone-event", rate })),
    ],
    fmtp: [
      ...line.formats.flatMap(({ codec, payloadType, fmtp = codec.fmtp }) =>
        fmtp ? [{ payload: payloadType, config: fmtp }] : []
      ),
      ...events.map(([, payload]) => ({ payload, config: "0-16" })),
    ],
    direction: line.direction,
    ...(line.ptimeMs === undefined ? {} : { ptime: line.ptimeMs, maxptime: maxPtime(line.formats) }),
    ...(line.pictures ? { rtcpFb: pictureFeedback } : {}),
    ...(line.crypto.length > 0 ? { crypto: [...line.crypto] } : {}),
    ...(line.mediasec ? { invalid: [{ value: "3ge2ae:requested" }] } : {}),
    ...(line.rtcpMux ? { rtcpMux: "rtcp-mux" } : {}),
    ...(line.mid === undefined ? {} : { mid: line.mid }),
  };
}
