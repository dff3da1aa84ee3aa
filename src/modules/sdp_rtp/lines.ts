import type { Endpoint } from "../../kernel/endpoint.ts";
import type { EventBus } from "../../kernel/events.ts";
import type { Logger } from "../../kernel/log.ts";
import {
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
import { AudioLine } from "./audio_line.ts";
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

/** The handler of audio lines; video and all else is declined. */
export class AudioLines implements SdpHandler {
  readonly mediaTypes = ["audio", "video"];
  readonly #lines = new Map<MediaLine, AudioLine>();
  readonly #byStream = new WeakMap<MediaStream, AudioLine>();
  readonly #perChannel = new WeakMap<Channel, Set<MediaLine>>();

  constructor(readonly around: Surroundings) {}

  /** Open streams. */
  get open(): number {
    return this.#lines.size;
  }

  async offer(line: MediaLine, previous: MediaDescription | undefined): Promise<MediaDescription | undefined> {
    if (line.type !== "audio") return undefined;
    const fields = this.around.fields(line.endpoint);
    const ours = allowed(fields);
    const keys = this.#mayTellKeys(line, fields);
    if (ours.length === 0 || (!keys && insists(fields))) return undefined;
    const audio = this.#lines.get(line) ?? await this.#opened(line, fields);
    if (audio === undefined) return undefined;
    audio.offered = true;
    const taken = new Set<number>();
    const again = previous === undefined ? undefined : negotiate.readFormats(previous);
    const preferences = negotiate.offerOrder(ours, this.#callers(line), fields.outgoingCallOfferPref);
    const formats = again && again.codecs.length > 0 ? again.codecs : negotiate.number(preferences, taken);
    for (const format of formats) taken.add(format.payloadType);
    return negotiate.describe({
      port: audio.stream.local.port,
      host: audio.host,
      protocol: previous?.protocol ?? negotiate.profile(insists(fields), fields.useAvpf),
      crypto: keys ? audio.keys.offer(fields.srtpTag32) : [],
      mediasec: keys && line.endpoint.values.securityNegotiation === "mediasec", // a field of rfc3329
      formats,
      events: again && again.events.size > 0 ? again.events : eventsFor(formats, fields, taken),
      ptimeMs: ours.find((p) => p.codec === formats[0]?.codec)?.ptimeMs,
      direction: line.locallyHeld ? (line.remotelyHeld ? "inactive" : "sendonly") : "sendrecv",
      rtcpMux: fields.rtcpMux,
      mid: previous?.mid,
    });
  }

  async answer(
    line: MediaLine,
    offered: MediaDescription,
    description: SessionDescription,
  ): Promise<MediaDescription | "decline" | "fatal"> {
    if (line.type !== "audio" || offered.port === 0) return "decline";
    const fields = this.around.fields(line.endpoint);
    const lenient = fields.forceAvp || fields.mediaUseReceivedTransport;
    if (!negotiate.profileAllowed(offered.protocol, fields.useAvpf, lenient)) return this.#refuse(line, "profile");
    if (negotiate.remoteOf(offered, description) === "invalid") return this.#refuse(line, "address");
    const ours = allowed(fields);
    const theirs = negotiate.readFormats(offered);
    const formats = negotiate.common(theirs.codecs, ours, fields.incomingCallOfferPref);
    if (formats.length === 0) return "decline";
    const audio = this.#lines.get(line) ?? await this.#opened(line, fields);
    if (audio === undefined) return "decline";
    const crypto = this.#mayTellKeys(line, fields) ? audio.keys.answer(offered) : undefined;
    if (!crypto && (negotiate.isSecure(offered.protocol) || insists(fields))) {
      return this.#refuse(line, "encryption");
    }
    audio.offered = false;
    audio.theirs = theirs.codecs.map((f) => f.codec);
    const events = takesEvents(fields) ? negotiate.commonEvents(theirs.events, formats) : [];
    return negotiate.describe({
      port: audio.stream.local.port,
      host: audio.host,
      protocol: offered.protocol,
      crypto: crypto ?? [],
      mediasec: false,
      formats,
      events: new Map(events),
      ptimeMs: askedPtime(fields, offered) ?? ours.find((p) => p.codec === formats[0]?.codec)?.ptimeMs,
      direction: negotiate.answerDirection(
        negotiate.directionOf(offered, description),
        negotiate.holds(offered, description),
        line.locallyHeld,
      ),
      rtcpMux: fields.rtcpMux && offered.rtcpMux !== undefined,
      mid: offered.mid,
    });
  }

  async apply(
    line: MediaLine,
    local: MediaDescription,
    remote: MediaDescription,
    description: SessionDescription,
  ): Promise<boolean> {
    const audio = this.#lines.get(line);
    if (audio === undefined) return false;
    const agreed = negotiate.agree(local, remote, audio.offered);
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
    const usable = new Set(agreed.codecs.map((c) => c.codec));
    audio.theirs = negotiate.readFormats(remote).codecs.map((f) => f.codec).filter((codec) => usable.has(codec));
    line.remotelyHeld = negotiate.holds(remote, description) && !(line.locallyHeld && audio.offered);
    line.codec = first.codec.option;
    line.encryption = srtp?.suite.name;
    line.digits = digitsBy(this.around.fields(line.endpoint), agreed.event !== undefined);
    line.remote = address;
    await audio.stream.configure(this.#config(line, audio, local, remote, description, agreed, address, srtp));
    return true;
  }

  async stop(line: MediaLine): Promise<void> {
    const audio = this.#lines.get(line);
    if (audio === undefined) return;
    this.#lines.delete(line);
    this.#perChannel.get(line.channel)?.delete(line);
    audio.stopListening?.();
    line.stream = undefined;
    line.codec = undefined;
    line.encryption = undefined;
    line.remote = undefined;
    if (audio.gone) return;
    const stats = await audio.stream.close();
    if (!stats) return;
    if (stats.unauthentic > 0) this.around.metrics.count("unauthentic", stats.unauthentic);
    if (stats.replayed > 0) this.around.metrics.count("replayed", stats.replayed);
    const numbers = Object.entries(stats).filter((e): e is [string, number] => typeof e[1] === "number");
    this.around.events.emit("media.stats", { call: line.channel.id, stats: Object.fromEntries(numbers) });
  }

  #config(
    line: MediaLine,
    audio: AudioLine,
    local: MediaDescription,
    remote: MediaDescription,
    description: SessionDescription,
    agreed: negotiate.Agreed,
    address: StreamConfig["remote"],
    srtp: SrtpConfig | undefined,
  ): StreamConfig {
    const { options } = this.around;
    const fields = this.around.fields(line.endpoint);
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
    return {
      remote: address,
      remoteRtcp: address && negotiate.rtcpOf(remote, address, mux),
      sending: address !== undefined && speaks(ours) && hears(theirs),
      receiving: hears(ours),
      codec,
      accepted: named("receive"),
      followPeerCodec: !fields.asymmetricRtpCodec,
      telephoneEvent: agreed.event,
      rtcpMux: mux,
      symmetric: fields.rtpSymmetric,
      strictSource: options.strictRtp,
      timeoutSeconds: held ? fields.rtpTimeoutHold : fields.rtpTimeout,
      keepaliveSeconds: fields.rtpKeepalive,
      rtcpIntervalMs: options.rtcpInterval,
      cname: audio.cname,
      ...(srtp ? { srtp } : {}),
      detectDtmf: fields.dtmfMode === "inband" || (fields.dtmfMode === "auto" && agreed.event === undefined),
    };
  }

  /** Milliseconds per packet: ours, or the peer's when it may say so. */
  #ptimeMs(fields: EndpointFields, remote: MediaDescription): (codec: Codec) => number {
    const asked = askedPtime(fields, remote);
    if (asked !== undefined) return () => asked;
    const ours = allowed(fields);
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

  /** Codecs of the leg this one is dialled for. */
  #callers(line: MediaLine): readonly Codec[] {
    const known = line.near && this.#byStream.get(line.near)?.theirs;
    if (known && known.length > 0) return known;
    return line.nearCodecs.flatMap((name) => codecNamed(name) ?? []);
  }

  /** Opens the ports of a line; undefined when there are too many lines or no port is left. */
  async #opened(line: MediaLine, fields: EndpointFields): Promise<AudioLine | undefined> {
    const mine = this.#perChannel.get(line.channel) ?? new Set<MediaLine>();
    this.#perChannel.set(line.channel, mine);
    if (mine.size >= fields.maxAudioStreams) return undefined;
    mine.add(line);
    const { plane, options, world, log } = this.around;
    const v6 = fields.rtpIpv6 || (fields.mediaAddress ?? line.flow?.remote.host ?? "").includes(":");
    const own = fields.rtpPortStart > 0 && fields.rtpPortEnd > fields.rtpPortStart;
    try {
      const stream = await plane.open({
        host: boundHost(line, fields, this.around.transports(), v6),
        ports: own ? [fields.rtpPortStart, fields.rtpPortEnd] : [options.rtpStart, options.rtpEnd],
        dscp: fields.tosAudio,
        ...(line.near ? { near: line.near } : {}),
      });
      const host = advertisedHost(line, fields, this.around.transports(), world.network, v6);
      const audio = new AudioLine(stream, host, world.random.token(8), new Sdes(world.random));
      this.#lines.set(line, audio);
      this.#byStream.set(stream, audio);
      line.stream = stream;
      audio.stopListening = stream.on((event) => this.#heard(line, audio, fields, event));
      return audio;
    } catch (error) {
      mine.delete(line);
      if (!(error instanceof NoPort)) throw error;
      log.error("no RTP port is left", { call: line.channel.id });
      this.around.metrics.count("no_port");
      return undefined;
    }
  }

  #heard(line: MediaLine, audio: AudioLine, fields: EndpointFields, event: MediaEvent): void {
    const { events, log, metrics } = this.around;
    const call = line.channel.id;
    switch (event.kind) {
      case "digit":
        if (fields.dtmfMode === "none" || fields.dtmfMode === "info") return;
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
        audio.gone = true;
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
const preferences = new WeakMap<EndpointFields, readonly Preference[]>();

function allowed(fields: EndpointFields): readonly Preference[] {
  const known = preferences.get(fields);
  if (known) return known;
  const list = readAllow(fields.allow, fields.disallow);
  const read = typeof list === "string" ? [] : list;
  preferences.set(fields, read);
  return read;
}

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

/** One telephone-event number per clock rate in use. */
function eventsFor(
  formats: readonly negotiate.Format[],
  fields: EndpointFields,
  taken: Set<number>,
): ReadonlyMap<number, number> {
  const events = new Map<number, number>();
  if (!takesEvents(fields)) return events;
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
