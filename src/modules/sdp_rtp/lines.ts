import type { Endpoint } from "../../kernel/endpoint.ts";
import type { EventBus } from "../../kernel/events.ts";
import type { Logger } from "../../kernel/log.ts";
import {
  type MediaCodec,
  type MediaEvent,
  type MediaPlane,
  type MediaStream,
  NoPort,
  type SrtpConfig,
  type StreamConfig,
} from "../../kernel/media.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { Channel, DigitTransport, MediaLine, SdpHandler } from "../../kernel/services.ts";
import type { MediaDescription, SessionDescription } from "../../sdp/description.ts";
import type { TransportState } from "../../sip/transport/layer.ts";
import type { World } from "../../world/world.ts";
import { type Codec, codecNamed, type Preference, readAllow } from "./codecs.ts";
import { advertisedHost, boundHost } from "./address.ts";
import { RtpLine } from "./rtp_line.ts";
import type { EndpointFields, Options } from "./module.ts";
import * as negotiate from "./negotiate.ts";
import { agreedCrypto, Sdes } from "./sdes.ts";

export interface Surroundings {
  readonly options: Options;
  readonly plane: MediaPlane;
  transports(): readonly TransportState[];
  fields(endpoint: Endpoint): EndpointFields;
  readonly events: EventBus;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly world: Pick<World, "random" | "network">;
}

/** The handler of audio and video lines. Digits, packet lengths and time-outs are of audio alone. */
export class RtpLines implements SdpHandler {
  readonly mediaTypes = ["audio", "video"];
  readonly #lines = new Map<MediaLine, RtpLine>();
  readonly #byStream = new WeakMap<MediaStream, RtpLine>();
  readonly #perChannel = new WeakMap<Channel, Set<MediaLine>>();

  constructor(readonly around: Surroundings) {}

  /** Open streams. */
  get open(): number {
    return this.#lines.size;
  }

  async offer(line: MediaLine, previous: MediaDescription | undefined): Promise<MediaDescription | undefined> {
    const fields = this.#fields(line);
    const callers = this.#callers(line);
    const wished = line.channel.wishes.codecs.get(line.type);
    const chosen = wished ? wishedCodecs(fields, line.type, wished) : [];
    if (wished && chosen.length === 0) {
      this.around.log.warning("none of the wished codecs is known: they do not count", {
        call: line.channel.id,
      });
    }
    const ours = chosen.length > 0
      ? chosen
      : offerable(line, allowed(fields, line.type), callers, previous !== undefined);
    const keys = this.#mayTellKeys(line, fields);
    if (ours.length === 0 || (!keys && insists(fields))) return undefined;
    const own = this.#lines.get(line) ?? await this.#opened(line, fields);
    if (own === undefined) return undefined;
    own.offered = true;
    const taken = new Set<number>();
    const again = previous === undefined ? undefined : negotiate.readFormats(previous);
    const preferences = negotiate.offerOrder(ours, callers.map((f) => f.codec), fields.outgoingCallOfferPref);
    const formats = again && again.codecs.length > 0 && chosen.length === 0
      ? again.codecs
      : negotiate.number(preferences, taken, callers);
    for (const format of formats) taken.add(format.payloadType);
    const audio = line.type === "audio";
    return negotiate.describe({
      type: audio ? "audio" : "video",
      port: own.stream.local.port,
      host: own.host,
      protocol: previous?.protocol ?? negotiate.profile(insists(fields), fields.useAvpf),
      crypto: keys ? own.keys.offer(fields.srtpTag32) : [],
      mediasec: keys && line.endpoint.values.securityNegotiation === "mediasec", // a field of rfc3329
      formats,
      events: audio ? eventsFor(formats, fields, taken, again?.events) : none,
      noise: again?.noise,
      ptimeMs: audio ? ours.find((p) => p.codec === formats[0]?.codec)?.ptimeMs : undefined,
      direction: line.locallyHeld ? (line.remotelyHeld ? "inactive" : "sendonly") : "sendrecv",
      rtcpMux: fields.rtcpMux,
      mid: previous?.mid,
      pictures: !audio && fields.useAvpf,
    });
  }

  async answer(
    line: MediaLine,
    offered: MediaDescription,
    description: SessionDescription,
  ): Promise<MediaDescription | "decline" | "fatal"> {
    const fields = this.#fields(line);
    const ours = allowed(fields, line.type);
    if (ours.length === 0 || offered.port === 0) return "decline";
    const lenient = fields.forceAvp || fields.mediaUseReceivedTransport;
    if (!negotiate.profileAllowed(offered.protocol, fields.useAvpf, lenient)) return this.#refuse(line, "profile");
    if (negotiate.remoteOf(offered, description) === "invalid") return this.#refuse(line, "address");
    const theirs = negotiate.readFormats(offered);
    const formats = negotiate.common(theirs.codecs, ours, fields.incomingCallOfferPref);
    if (formats.length === 0) return "decline";
    const own = this.#lines.get(line) ?? await this.#opened(line, fields);
    if (own === undefined) return "decline";
    const crypto = this.#mayTellKeys(line, fields) ? own.keys.answer(offered) : undefined;
    if (!crypto && (negotiate.isSecure(offered.protocol) || insists(fields))) {
      return this.#refuse(line, "encryption");
    }
    own.offered = false;
    own.theirs = theirs.codecs;
    const audio = line.type === "audio";
    const events = audio && takesEvents(fields) ? negotiate.commonEvents(theirs.events, formats) : [];
    const ptimeMs = askedPtime(fields, offered) ?? ours.find((p) => p.codec === formats[0]?.codec)?.ptimeMs;
    return negotiate.describe({
      type: audio ? "audio" : "video",
      port: own.stream.local.port,
      host: own.host,
      protocol: offered.protocol,
      crypto: crypto ?? [],
      mediasec: false,
      formats,
      events: new Map(events),
      noise: audio && formats.some(({ codec }) => codec.clockRate === 8000) ? theirs.noise : undefined,
      ptimeMs: audio ? ptimeMs : undefined,
      direction: negotiate.answerDirection(
        negotiate.directionOf(offered, description),
        negotiate.holds(offered, description),
        line.locallyHeld,
      ),
      rtcpMux: fields.rtcpMux && offered.rtcpMux !== undefined,
      mid: offered.mid,
      pictures: !audio && offered.rtcpFb !== undefined,
    });
  }

  async apply(
    line: MediaLine,
    local: MediaDescription,
    remote: MediaDescription,
    description: SessionDescription,
  ): Promise<boolean> {
    const own = this.#lines.get(line);
    if (own === undefined) return false;
    const agreed = negotiate.agree(local, remote, own.offered);
    const [first] = agreed.codecs;
    const srtp = agreedCrypto(local, remote);
    const bare = srtp === undefined &&
      (negotiate.isSecure(local.protocol) || insists(this.around.fields(line.endpoint)));
    const address = negotiate.remoteOf(remote, description);
    if (first === undefined || address === "invalid" || bare) {
      const what = bare ? "key" : "codec or address";
      this.around.log.warning(`the answer has no ${what} we can use`, { call: line.channel.id });
      await this.stop(line);
      return false;
    }
    if (!srtp) own.keys.forget();
    const usable = new Set(agreed.codecs.map((c) => c.codec));
    own.theirs = negotiate.readFormats(remote).codecs.filter(({ codec }) => usable.has(codec));
    line.remotelyHeld = negotiate.holds(remote, description) && !(line.locallyHeld && own.offered);
    line.codec = first.codec.option;
    line.encryption = srtp?.suite.name;
    line.digits = digitsBy(this.#fields(line), agreed.event !== undefined);
    line.remote = address;
    await own.stream.configure(this.#config(line, own, local, remote, description, agreed, address, srtp));
    return true;
  }

  async stop(line: MediaLine): Promise<void> {
    const own = this.#lines.get(line);
    if (own === undefined) return;
    this.#lines.delete(line);
    this.#perChannel.get(line.channel)?.delete(line);
    own.stopListening?.();
    line.stream = undefined;
    line.codec = undefined;
    line.encryption = undefined;
    line.remote = undefined;
    if (own.gone) return;
    const stats = await own.stream.close();
    if (!stats) return;
    if (stats.unauthentic > 0) this.around.metrics.count("unauthentic", stats.unauthentic);
    if (stats.replayed > 0) this.around.metrics.count("replayed", stats.replayed);
    const numbers = Object.entries(stats).filter((e): e is [string, number] => typeof e[1] === "number");
    this.around.events.emit("media.stats", { call: line.channel.id, stats: Object.fromEntries(numbers) });
  }

  #config(
    line: MediaLine,
    own: RtpLine,
    local: MediaDescription,
    remote: MediaDescription,
    description: SessionDescription,
    agreed: negotiate.Agreed,
    address: StreamConfig["remote"],
    srtp: SrtpConfig | undefined,
  ): StreamConfig {
    const { options } = this.around;
    const fields = this.#fields(line);
    const mux = local.rtcpMux !== undefined && remote.rtcpMux !== undefined;
    const theirs = negotiate.directionOf(remote, description);
    const ours = local.direction ?? "sendrecv";
    const ptime = this.#ptimeMs(fields, remote);
    const codecs = agreed.codecs.map(({ codec, send, receive }) => ({
      name: codec.name,
      clockRate: codec.clockRate,
      channels: codec.channels,
      ptimeMs: ptime(codec),
      send,
      receive,
    }));
    const named = (number: "send" | "receive") =>
      codecs.map(({ send, receive, ...codec }) => ({ ...codec, payloadType: number === "send" ? send : receive }));
    const [codec] = named("send");
    if (codec === undefined) throw new Error("no codec was agreed on");
    const held = line.remotelyHeld || line.locallyHeld;
    const audio = line.type === "audio"; // a camera may be off for as long as it likes
    const { dtmfMode } = fields;
    return {
      remote: address,
      remoteRtcp: address && negotiate.rtcpOf(remote, address, mux),
      sending: address !== undefined && speaks(ours) && hears(theirs),
      receiving: hears(ours),
      codec,
      accepted: [...named("receive"), ...comfortNoise(agreed.noise)],
      followPeerCodec: !fields.asymmetricRtpCodec,
      telephoneEvent: agreed.event,
      rtcpMux: mux,
      symmetric: fields.rtpSymmetric,
      strictSource: options.strictRtp,
      timeoutSeconds: !audio ? 0 : held ? fields.rtpTimeoutHold : fields.rtpTimeout,
      keepaliveSeconds: audio ? fields.rtpKeepalive : 0,
      rtcpIntervalMs: options.rtcpInterval,
      cname: own.cname,
      ...(srtp ? { srtp } : {}),
      detectDtmf: audio && (dtmfMode === "inband" || (dtmfMode === "auto" && agreed.event === undefined)),
    };
  }

  /** The endpoint's, with what this call has otherwise. */
  #fields(line: MediaLine): EndpointFields {
    const fields = this.around.fields(line.endpoint);
    const { dtmfMode } = line.channel.wishes;
    return dtmfMode === undefined || dtmfMode === fields.dtmfMode ? fields : { ...fields, dtmfMode };
  }

  /** Milliseconds per packet: ours, or the peer's when it may say so. */
  #ptimeMs(fields: EndpointFields, remote: MediaDescription): (codec: Codec) => number {
    const asked = askedPtime(fields, remote);
    if (asked !== undefined) return () => asked;
    const ours = allowed(fields, "audio");
    return (codec) => ours.find((p) => p.codec === codec)?.ptimeMs ?? codec.ptimeMs;
  }

  /** Keys in SDP are for those who cannot be overheard, unless the operator says otherwise. */
  #mayTellKeys(line: MediaLine, fields: EndpointFields): boolean {
    if (!encrypts(fields)) return false;
    const { sdes } = this.around.options;
    if (sdes === "any" || (sdes === "secure" && line.secure)) return true;
    this.around.metrics.count("keys_withheld");
    const why = sdes === "none" ? 'sdes is "none"' : 'its keys would travel in the clear (TLS, or sdes "any")';
    this.around.log.notice(`no SRTP: ${why}`, { call: line.channel.id, endpoint: line.endpoint.id });
    return false;
  }

  /** Formats of the leg this one is dialled for. */
  #callers(line: MediaLine): readonly negotiate.Format[] {
    const known = line.near && this.#byStream.get(line.near)?.theirs;
    if (known && known.length > 0) return known;
    const named = (line.nearCodecs ?? []).flatMap((name) => codecNamed(name) ?? []);
    return named.map((codec) => ({ codec, payloadType: codec.payloadType }));
  }

  /** Opens the ports of a line; undefined when there are too many lines or no port is left. */
  async #opened(line: MediaLine, fields: EndpointFields): Promise<RtpLine | undefined> {
    const mine = this.#perChannel.get(line.channel) ?? new Set<MediaLine>();
    this.#perChannel.set(line.channel, mine);
    const most = line.type === "audio" ? fields.maxAudioStreams : fields.maxVideoStreams;
    if ([...mine].filter(({ type }) => type === line.type).length >= most) return undefined;
    mine.add(line);
    const { plane, options, world, log } = this.around;
    const v6 = fields.rtpIpv6 || (fields.mediaAddress ?? line.flow?.remote.host ?? "").includes(":");
    const limited = fields.rtpPortStart > 0 && fields.rtpPortEnd > fields.rtpPortStart;
    try {
      const stream = await plane.open({
        host: boundHost(line, fields, this.around.transports(), v6),
        ports: limited ? [fields.rtpPortStart, fields.rtpPortEnd] : [options.rtpStart, options.rtpEnd],
        dscp: line.type === "audio" ? fields.tosAudio : fields.tosVideo,
        ...(line.near ? { near: line.near } : {}),
      });
      const host = advertisedHost(line, fields, this.around.transports(), world.network, v6);
      const own = new RtpLine(stream, host, world.random.token(8), new Sdes(world.random));
      this.#lines.set(line, own);
      this.#byStream.set(stream, own);
      line.stream = stream;
      own.stopListening = stream.on((event) => this.#heard(line, own, fields, event));
      return own;
    } catch (error) {
      mine.delete(line);
      if (!(error instanceof NoPort)) throw error;
      log.error("no RTP port is left", { call: line.channel.id });
      this.around.metrics.count("no_port");
      return undefined;
    }
  }

  #heard(line: MediaLine, own: RtpLine, fields: EndpointFields, event: MediaEvent): void {
    const { events, log, metrics } = this.around;
    const call = line.channel.id;
    switch (event.kind) {
      case "digit":
        if (["none", "info"].includes(line.channel.wishes.dtmfMode ?? fields.dtmfMode)) return;
        line.report({ kind: "digit", digit: event.digit, durationMs: event.durationMs });
        return;
      case "timeout":
        metrics.count("timeouts");
        line.report({ kind: "timeout", seconds: event.seconds });
        return;
      case "source":
        line.remote = event.address;
        events.emit("media.source", { call, address: `${event.address.host}:${event.address.port}` });
        return;
      case "closed":
        own.gone = true;
        log.error("the media plane closed a stream", { call, why: event.why });
        line.channel.hangup(38);
        return;
      case "talking":
      case "played":
        return;
      default:
        event satisfies never;
    }
  }

  #refuse(line: MediaLine, what: "profile" | "address" | "encryption"): "fatal" {
    this.around.log.notice(`an offer was refused: its ${what} is not acceptable`, { call: line.channel.id });
    this.around.metrics.count("refused", 1, { why: what });
    return "fatal";
  }
}

/** What the peer's `a=ptime` says, where it may decide. */
function askedPtime(fields: EndpointFields, remote: MediaDescription): number | undefined {
  const asked = Number(remote.ptime);
  return fields.usePtime && asked >= 10 && asked <= 200 ? asked : undefined;
}

/** The fields of an endpoint stay the same object until a reload. */
const preferences = new WeakMap<EndpointFields, Readonly<Record<string, readonly Preference[]>>>();
const none: ReadonlyMap<number, number> = new Map();

/** What the endpoint may have of a kind of media. */
function allowed(fields: EndpointFields, type: string): readonly Preference[] {
  let lists = preferences.get(fields);
  if (!lists) {
    const read = readAllow(fields.allow, fields.disallow);
    const of = (media: string) => typeof read === "string" ? [] : read.filter(({ codec }) => codec.media === media);
    preferences.set(fields, lists = { audio: of("audio"), video: of("video") });
  }
  return lists[type] ?? [];
}

/** `allow` with a list after it, as PJSIP_MEDIA_OFFER gives it; names that nobody knows are passed over. */
function wishedCodecs(
  { allow, disallow }: EndpointFields,
  type: string,
  wished: readonly string[],
): readonly Preference[] {
  const known = wished.filter((entry) => typeof readAllow([entry], []) !== "string");
  const without = disallow.filter((name) => name !== "all").map((name) => `!${name}`);
  const list = readAllow([...allow, ...without, ...known], []);
  return typeof list === "string" ? [] : list.filter(({ codec }) => codec.media === type);
}

/** Pictures are only passed on: a caller without them, or with others, gets none; called for nobody we offer ours. */
function offerable(
  line: MediaLine,
  ours: readonly Preference[],
  callers: readonly negotiate.Format[],
  again: boolean,
): readonly Preference[] {
  if (line.type === "audio" || line.nearCodecs === undefined || again) return ours;
  return ours.filter(({ codec }) => callers.some((format) => format.codec === codec));
}

const comfortNoise = (payloadType: number | undefined): MediaCodec[] =>
  payloadType === undefined ? [] : [{ name: "CN", payloadType, clockRate: 8000, channels: 1, ptimeMs: 20 }];

const encrypts = (fields: EndpointFields): boolean => fields.mediaEncryption === "sdes";
const insists = (fields: EndpointFields): boolean => encrypts(fields) && !fields.mediaEncryptionOptimistic;

/** How digits go to the peer and come from it. */
function digitsBy({ dtmfMode }: EndpointFields, events: boolean): DigitTransport {
  switch (dtmfMode) {
    case "inband":
      return "tones";
    case "rfc4733":
    case "auto":
      return events ? "events" : "tones";
    case "auto_info":
      return events ? "events" : "info";
    default:
      return dtmfMode;
  }
}

/** Are digits to come and go as RTP events? */
const takesEvents = ({ dtmfMode }: EndpointFields): boolean =>
  dtmfMode === "rfc4733" || dtmfMode === "auto" || dtmfMode === "auto_info";

/** One telephone-event number per clock rate in use; those that were agreed on before stay. */
function eventsFor(
  formats: readonly negotiate.Format[],
  fields: EndpointFields,
  taken: Set<number>,
  before: ReadonlyMap<number, number> = none,
): ReadonlyMap<number, number> {
  if (!takesEvents(fields)) return none;
  if (before.size > 0) return before;
  const events = new Map<number, number>();
  for (const { codec } of formats) {
    if (events.has(codec.clockRate)) continue;
    let number = 101;
    for (let next = 96; taken.has(number) && next < 128; next++) number = next;
    taken.add(number);
    events.set(codec.clockRate, number);
  }
  return events;
}

const speaks = (direction: negotiate.Direction): boolean => direction === "sendrecv" || direction === "sendonly";
const hears = (direction: negotiate.Direction): boolean => direction === "sendrecv" || direction === "recvonly";
