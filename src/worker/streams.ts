// The streams of one worker by their number, and what each command does to them.
import type { MediaEvent, SrtpConfig, StreamConfig, StreamStats } from "../kernel/media.ts";
import type { Core } from "./core.ts";
import { type OpenPair, type PacketIo, type PortPair, setClock } from "./packet_io.ts";
import { Players } from "./players.ts";
import type { Command, FromWorker, Luggage, Report } from "./protocol.ts";
import { readAddress, refusedDestination, writeAddress } from "./socket_address.ts";

const DIGIT = 1;
const SOURCE = 2;
const TIMEOUT = 3;
const TALKING = 4;
const PLAYED = 5;
const DIGITS_SENT = 6;
const RECORDED = 4096; // samples of the core's ring
const RECORD_TICKS = 3; // samples go to signaling every 60 ms
const EVENTS = "0123456789*#ABCD!";

const STRICT = { no: 0, yes: 1, seqno: 2 } as const;

interface Local {
  readonly id: number;
  readonly slot: number;
  /** Names of the codecs by core number, for the statistics. */
  codecs: Map<number, string>;
  /** Read so far of the ring at this offset. */
  recorder: { readonly ring: number; read: number } | undefined;
  /** Requests that wait for the last digit. */
  digits: number[];
  /** RFC 4733 is negotiated towards the peer. */
  events: boolean;
}

/** A command that cannot be done; the text goes back to signaling. */
class Refused extends Error {}

/** The answer comes later: at the end of the clip, after the last digit. */
const LATER = Symbol("later");

export class Streams {
  readonly #byId = new Map<number, Local>();
  readonly #bySlot: (Local | undefined)[] = [];
  readonly #view: DataView;
  readonly #octets: Uint8Array;
  readonly #samples: Int16Array;
  readonly #players: Players;
  #recorders = 0;
  #ticks = 0;
  #opening = 0;

  constructor(
    readonly core: Core,
    readonly io: PacketIo,
    readonly tell: (report: Report) => void,
    readonly post: (message: FromWorker, transfer: ArrayBuffer[]) => void,
  ) {
    this.#view = new DataView(core.memory.buffer);
    this.#octets = new Uint8Array(core.memory.buffer);
    this.#samples = new Int16Array(core.memory.buffer);
    this.#players = new Players(core);
  }

  /** Open streams, and those being opened. */
  get count(): number {
    return this.#byId.size + this.#opening;
  }

  /** Does a command and tells its answer. A command that nobody waits for and that is refused closes its stream. */
  request(id: number, command: Command): void {
    const refused = (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      if (id !== 0) this.tell({ kind: "refused", id, why });
      else this.#fail(command.stream, why);
    };
    const answered = (value: unknown) => void (id !== 0 && this.tell({ kind: "answer", id, value }));
    try {
      setClock(this.core);
      const value = this.#run(id, command);
      if (value instanceof Promise) value.then(answered, refused);
      else if (value !== LATER) answered(value);
    } catch (error) {
      refused(error);
    }
    this.drain();
  }

  #fail(stream: number, why: string): void {
    const local = this.#byId.get(stream);
    if (local === undefined) return; // it was closed meanwhile
    this.#close(local);
    this.tell({ kind: "event", stream, event: { kind: "closed", why } });
  }

  /** Before a tick: clips are written ahead of need. */
  feed(): void {
    this.#players.feed();
  }

  /** After a tick: what the core has to tell, and what was recorded. */
  drain(): void {
    const count = this.core.noticeTake();
    for (let i = 0, at = this.core.noticeRecords(); i < count; i++, at += 16) this.#notice(at);
    if (this.#recorders === 0 || ++this.#ticks % RECORD_TICKS !== 0) return;
    for (const local of this.#byId.values()) if (local.recorder) this.#recorded(local);
  }

  stop(): void {
    for (const local of [...this.#byId.values()]) this.#close(local);
  }

  #run(request: number, command: Command): unknown {
    switch (command.kind) {
      case "open":
        return this.#open(command.stream, command.pair);
      case "attach":
        return this.#attach(command.stream, command.luggage);
    }
    const local = this.#byId.get(command.stream);
    if (local === undefined) throw new Refused(`no stream ${command.stream} here`);
    const { slot } = local;
    switch (command.kind) {
      case "configure":
        return this.#configure(local, command.config, command.kinds);
      case "connect": {
        const peer = this.#byId.get(command.peer);
        if (peer === undefined) throw new Refused(`no stream ${command.peer} here`);
        this.core.conferenceLeave(slot);
        this.core.conferenceLeave(peer.slot);
        return done(this.core.bridgeConnect(slot, peer.slot), "cannot connect a stream to itself");
      }
      case "disconnect":
        this.core.conferenceLeave(slot);
        return done(this.core.bridgeLeave(slot), "no such stream");
      case "echo":
        this.core.conferenceLeave(slot);
        return done(this.core.bridgeEcho(slot), "no such stream");
      case "join":
        return done(this.core.conferenceJoin(slot, command.conference, Number(command.muted)), "no room is free");
      case "play":
        this.#players.play(slot, request, command.clip, 0, command.loop);
        return LATER;
      case "tone":
        if (!this.#players.tone(slot, request, command.steps, command.loop)) throw new Refused("not a tone");
        return LATER;
      case "stopPlaying":
        return done(this.core.playerStop(slot), "no such stream");
      case "record":
        return this.#record(local, command.on);
      case "sendDigits":
        return this.#sendDigits(local, request, command.digits, command.durationMs, command.gapMs);
      case "stats":
        return this.#stats(local);
      case "detach":
        return this.#detach(local);
      case "close":
        return this.#close(local);
    }
    command satisfies never;
  }

  #adopt(id: number, slot: number): Local {
    const local = { id, slot, codecs: new Map(), recorder: undefined, digits: [], events: false };
    this.#byId.set(id, local);
    this.#bySlot[slot] = local;
    return local;
  }

  async #open(id: number, pair: OpenPair): Promise<PortPair | "inUse"> {
    const slot = this.core.streamOpen();
    if (slot < 0) throw new Refused("all streams of this worker are in use");
    this.#opening++;
    try {
      const ports = await this.io.open(slot, pair);
      if (ports === undefined) {
        this.core.streamClose(slot);
        return "inUse";
      }
      this.#adopt(id, slot);
      return ports;
    } catch (error) {
      this.core.streamClose(slot);
      throw error;
    } finally {
      this.#opening--;
    }
  }

  #configure(local: Local, config: StreamConfig, kinds: readonly [number, readonly number[]]): void {
    const { core } = this;
    const { slot } = local;
    const [kind, accepted] = kinds;
    const { codec } = config;
    done(core.streamCodec(slot, kind, codec.payloadType, codec.ptimeMs, codec.clockRate), `codec ${codec.name}`);
    local.codecs = new Map([[kind, codec.name]]);
    config.accepted.forEach((codec, i) => {
      const kind = accepted[i] ?? 0;
      done(core.streamAccept(slot, kind, codec.payloadType, codec.ptimeMs, codec.clockRate), `codec ${codec.name}`);
      local.codecs.set(kind, codec.name);
    });
    const event = config.telephoneEvent;
    local.events = event !== undefined;
    core.streamEvents(slot, event?.send ?? 255, event?.receive ?? 255, event?.clockRate ?? 8000);
    core.streamTimers(slot, config.timeoutSeconds, config.keepaliveSeconds, config.rtcpIntervalMs);
    const name = new TextEncoder().encode(config.cname).subarray(0, 64);
    this.#octets.set(name, core.streamCname(slot, name.length));
    this.#protect(slot, config.srtp);
    this.#remote(slot, config);
    const flags = Number(config.sending) | Number(config.receiving) << 1 | Number(config.followPeerCodec) << 2 |
      Number(config.rtcpMux) << 3 | Number(config.symmetric) << 4 | Number(config.detectDtmf) << 5;
    core.streamFlags(slot, flags, STRICT[config.strictSource]);
  }

  #protect(slot: number, srtp: SrtpConfig | undefined): void {
    const { core } = this;
    if (srtp === undefined) return done(core.streamSrtp(slot, 0, 0, 0), "no such stream");
    const { cipher, keyOctets, saltOctets, tagOctets, name } = srtp.suite;
    for (const key of [srtp.send, srtp.receive]) {
      if (key.length !== keyOctets + saltOctets) throw new Refused(`a key of ${name} has ${key.length} octets`);
    }
    const at = core.streamKeys();
    this.#octets.set(srtp.send, at);
    this.#octets.set(srtp.receive, at + 48);
    done(core.streamSrtp(slot, cipher === "AES-CM" ? 1 : 2, keyOctets, tagOctets), name);
  }

  /** RTCP goes to the next port where nothing else is said (RFC 3550 §11). */
  #remote(slot: number, config: StreamConfig): void {
    const { remote } = config;
    const rtp = remote && refusedDestination(remote) === undefined ? remote : undefined;
    const rtcp = config.remoteRtcp ?? (rtp && { host: rtp.host, port: config.rtcpMux ? rtp.port : rtp.port + 1 });
    const handed = this.core.streamHanded();
    writeAddress(this.#view, handed, rtp);
    writeAddress(this.#view, handed + 32, rtcp && refusedDestination(rtcp) === undefined ? rtcp : undefined);
    const signaling = config.signalingHost;
    writeAddress(this.#view, handed + 64, signaling === undefined ? undefined : { host: signaling, port: 0 });
    this.core.streamRemote(slot);
  }

  #record(local: Local, on: boolean): void {
    if (on === (local.recorder !== undefined)) return;
    if (!on) this.#recorded(local);
    const ring = this.core.recorderSet(local.slot, Number(on));
    local.recorder = on ? { ring, read: this.core.recorderWritten(local.slot) } : undefined;
    this.#recorders += on ? 1 : -1;
  }

  /** Posts what was recorded since the last time. */
  #recorded(local: Local): void {
    if (local.recorder === undefined) return;
    const written = this.core.recorderWritten(local.slot);
    const count = Math.min((written - local.recorder.read) >>> 0, RECORDED);
    if (count === 0) return;
    const samples = new Int16Array(count);
    const from = ((written - count) >>> 0) % RECORDED;
    const first = Math.min(count, RECORDED - from);
    const ring = local.recorder.ring >> 1;
    samples.set(this.#samples.subarray(ring + from, ring + from + first));
    samples.set(this.#samples.subarray(ring, ring + count - first), first);
    local.recorder.read = written;
    this.post({ kind: "samples", stream: local.id, samples, sampleRate: 8000 }, [samples.buffer]);
  }

  #sendDigits(local: Local, request: number, digits: string, durationMs: number, gapMs: number): typeof LATER | void {
    const codes = [...digits.toUpperCase()].map((digit) => EVENTS.indexOf(digit));
    if (codes.includes(-1)) throw new Refused(`not digits: ${digits}`);
    if (codes.length === 0) return;
    if (!local.events) {
      if (!this.#players.digits(local.slot, request, codes, durationMs, gapMs)) {
        throw new Refused(`not digits: ${digits}`);
      }
      return LATER;
    }
    for (const code of codes) done(this.core.eventSend(local.slot, code, durationMs, gapMs), "too many digits wait");
    local.digits.push(request);
    return LATER;
  }

  #stats(local: Local): StreamStats {
    const at = this.core.streamStats(local.slot);
    const i32 = (index: number) => this.#view.getInt32(at + index * 4, true);
    const u32 = (index: number) => this.#view.getUint32(at + index * 4, true);
    return {
      packetsReceived: u32(0),
      octetsReceived: u32(1) + u32(2) * 2 ** 32,
      packetsSent: u32(3),
      octetsSent: u32(4) + u32(5) * 2 ** 32,
      lost: i32(6),
      late: u32(7),
      duplicates: u32(8),
      malformed: u32(9),
      foreign: u32(10),
      unauthentic: u32(22),
      replayed: u32(23),
      jitterMs: u32(14) / 1000,
      roundTripMs: i32(15) < 0 ? -1 : i32(15) / 1000,
      remoteLost: i32(16),
      remoteJitterMs: u32(17) / 1000,
      codec: local.codecs.get(u32(18)) ?? "",
    };
  }

  #detach(local: Local): Luggage {
    const { id, slot } = local;
    this.#recorded(local);
    this.core.bridgeLeave(slot);
    this.core.conferenceLeave(slot);
    const sockets = this.io.detach(slot);
    if (sockets === undefined) throw new Refused(`stream ${id} has no sockets`);
    const at = this.core.streamRecord(slot);
    const record = this.#octets.slice(at, at + this.core.streamRecordBytes());
    const player = this.#players.take(slot);
    const { codecs, digits, events, recorder } = local;
    local.digits = [];
    this.#forget(local);
    return { record, sockets, player, codecs: [...codecs], digits, events, recording: recorder !== undefined };
  }

  async #attach(id: number, luggage: Luggage): Promise<void> {
    const landing = this.core.streamLanding();
    this.#octets.set(luggage.record, landing);
    const slot = this.core.streamAdopt(landing);
    if (slot < 0) throw new Refused("all streams of this worker are in use");
    this.#opening++;
    const attached = await this.io.attach(slot, luggage.sockets);
    this.#opening--;
    if (!attached) {
      this.core.streamClose(slot);
      throw new Refused("the ports are gone");
    }
    const local = this.#adopt(id, slot);
    local.codecs = new Map(luggage.codecs);
    local.digits = [...luggage.digits];
    local.events = luggage.events;
    this.core.recorderSet(slot, 0);
    this.#record(local, luggage.recording);
    if (luggage.player) this.#players.resume(slot, luggage.player);
  }

  #close(local: Local): StreamStats {
    this.#recorded(local);
    setClock(this.core);
    if (this.core.rtcpBye(local.slot) > 0) this.io.send();
    const stats = this.#stats(local);
    this.io.close(local.slot);
    this.#forget(local);
    return stats;
  }

  #forget(local: Local): void {
    if (local.recorder) this.#recorders--;
    this.core.streamClose(local.slot);
    this.drain(); // what it still had to tell, before another has its slot
    for (const id of local.digits) this.tell({ kind: "answer", id, value: undefined });
    this.#players.forget(local.slot);
    this.#byId.delete(local.id);
    this.#bySlot[local.slot] = undefined;
  }

  #notice(at: number): void {
    const local = this.#bySlot[this.#view.getUint32(at + 4, true)];
    if (local === undefined) return;
    const a = this.#view.getUint32(at + 8, true);
    const b = this.#view.getUint32(at + 12, true);
    const tell = (event: MediaEvent) => this.tell({ kind: "event", stream: local.id, event });
    switch (this.#view.getUint32(at, true)) {
      case DIGIT:
        return tell({ kind: "digit", digit: String.fromCharCode(a), durationMs: b });
      case SOURCE: {
        const address = readAddress(this.#view, this.core.streamSource(local.slot));
        return address && tell({ kind: "source", address });
      }
      case TIMEOUT:
        return tell({ kind: "timeout", seconds: a });
      case TALKING:
        return tell({ kind: "talking", talking: a === 1 });
      case PLAYED:
        this.tell({ kind: "answer", id: a, value: b === 1 });
        if (b === 1) tell({ kind: "played" });
        return;
      case DIGITS_SENT:
        for (const id of local.digits.splice(0)) this.tell({ kind: "answer", id, value: undefined });
    }
  }
}

function done(code: number, why: string): void {
  if (code < 0) throw new Refused(why);
}
