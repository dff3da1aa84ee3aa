// One call of the probe: offers its codecs and RFC 4733, sends a tone or a file, keeps what it hears.
import type { AudioClip, MediaStream, StreamConfig, StreamStats } from "../../kernel/media.ts";
import type { MediaDescription } from "../../sdp/description.ts";
import { readDescription } from "../../sdp/text.ts";
import { InviteSession } from "../../sip/dialog/session.ts";
import type { Exchange, SessionEnd, SessionPolicy, SessionUser } from "../../sip/dialog/session_user.ts";
import type { SipMessage, SipResponse } from "../../sip/message/message.ts";
import type { Uri } from "../../sip/message/uri.ts";
import type { ServerTransaction } from "../../sip/transaction/layer.ts";
import type { SocketAddress } from "../../world/world.ts";
import type { Agent } from "./agent.ts";

export interface CallPlan {
  readonly target: Uri;
  /** Played in a loop; undefined: a tone. */
  readonly clip: AudioClip | undefined;
  readonly toneHz: number;
  readonly levelDbm0: number;
  readonly digits: string;
  readonly talkMs: number;
  /** Offered, in this order; not empty. */
  readonly codecs: readonly ProbeCodec[];
}

/** A codec the probe speaks; all have an RTP clock of 8 kHz. */
export interface ProbeCodec {
  readonly option: string;
  readonly payload: number;
  readonly name: string;
}

export const probeCodecs: readonly ProbeCodec[] = [
  { option: "ulaw", payload: 0, name: "PCMU" },
  { option: "alaw", payload: 8, name: "PCMA" },
  { option: "g722", payload: 9, name: "G722" },
];

export interface CallReport {
  readonly answered: boolean;
  readonly status: number | undefined; // of a refusal
  readonly why: string;
  readonly ringMs: number | undefined; // to the first 18x
  readonly answerMs: number | undefined;
  readonly codec: string | undefined;
  readonly heard: AudioClip;
  readonly stats: StreamStats | undefined;
  readonly digits: string; // received
}

const EVENTS = 101;

const policy: SessionPolicy = {
  reliable: "yes",
  timer: { mode: "no", expires: 1800, min: 90 },
  followForks: true,
  acceptMultipleAnswers: false,
  supported: ["100rel"],
  unsupported: (request) => request.headers.all("Require").filter((tag) => tag.toLowerCase() !== "100rel"),
};

/** Runs the plan to its end: answered and talked, refused, or timed out. */
export async function call(agent: Agent, plan: CallPlan): Promise<CallReport> {
  const { plane, host } = agent.options;
  const stream = await plane.open({ host, ports: [0, 0] });
  try {
    return await new ProbeCall(agent, plan, stream).run();
  } finally {
    await stream.close();
  }
}

class ProbeCall implements SessionUser {
  readonly #session: InviteSession;
  readonly #startedAt: number;
  readonly #heard: Int16Array[] = [];
  #sampleRate = 8000;
  #digits = "";
  #version = 1;
  #remote: MediaDescription | undefined;
  #config: StreamConfig | undefined;
  #ringMs: number | undefined;
  #answerMs: number | undefined;
  #codec: string | undefined;
  #end: SessionEnd | undefined;
  #ended = () => {};
  #accepted = () => {};
  #released = () => {};

  constructor(readonly agent: Agent, readonly plan: CallPlan, readonly stream: MediaStream) {
    const localTag = agent.options.world.random.token(6);
    this.#startedAt = agent.options.world.now();
    this.#session = InviteSession.outgoing(agent.dialogs, agent.dialogHost, policy, this, {
      invite: agent.invite(plan.target, localTag),
      localTag,
      contact: agent.contact(),
    });
  }

  async run(): Promise<CallReport> {
    const { world, timeoutMs } = this.agent.options;
    const ended = new Promise<void>((resolve) => this.#ended = resolve);
    const accepted = new Promise<void>((resolve) => this.#accepted = resolve);
    const released = new Promise<void>((resolve) => this.#released = resolve);
    const wait = (ms: number) => new Promise<void>((resolve) => void world.after(ms, resolve));
    this.stream.on((event) => {
      if (event.kind === "digit") this.#digits += event.digit;
    });
    const recording = await this.stream.record((samples, sampleRate) => {
      this.#sampleRate = sampleRate;
      this.#heard.push(samples.slice());
    });
    this.#session.start(this.#description("sendrecv"));
    await Promise.race([accepted, ended, wait(timeoutMs)]);
    if (this.#answerMs !== undefined) await Promise.race([ended, this.#talk(wait)]);
    await recording.stop();
    const stats = this.#config === undefined ? undefined : await this.stream.stats();
    this.#session.end();
    await Promise.race([released, wait(GOODBYE_MS)]); // the BYE has its answer
    return this.#report(stats);
  }

  async #talk(wait: (ms: number) => Promise<void>): Promise<void> {
    const { clip, toneHz, levelDbm0, digits, talkMs } = this.plan;
    const speaking = clip
      ? this.stream.play(clip, { loop: true })
      : this.stream.tone([{ frequencies: [toneHz], levelDbm0, ms: 0 }], { loop: true });
    if (digits !== "") {
      await wait(Math.min(500, talkMs / 4));
      await this.stream.sendDigits(digits, { durationMs: 100, gapMs: 60 });
    }
    await wait(talkMs);
    await this.stream.stopPlaying();
    await speaking;
  }

  #report(stats: StreamStats | undefined): CallReport {
    const samples = new Int16Array(this.#heard.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#heard) {
      samples.set(part, at);
      at += part.length;
    }
    const rate = this.#sampleRate;
    return {
      answered: this.#answerMs !== undefined,
      status: this.#end?.status,
      why: this.#end?.why ?? "no answer in time",
      ringMs: this.#ringMs,
      answerMs: this.#answerMs,
      codec: this.#codec,
      heard: { samples, sampleRate: rate === 16000 || rate === 48000 ? rate : 8000 },
      stats,
      digits: this.#digits,
    };
  }

  // ---- what the session reports --------------------------------------------------------------------------------------

  progress(response: SipResponse): void {
    if (response.status >= 180) this.#ringMs ??= this.#elapsed();
  }

  answer(description: Uint8Array | undefined, _message: SipMessage, _early: boolean): void {
    if (description === undefined || !this.#take(description)) this.#session.end();
  }

  accepted(): void {
    this.#answerMs = this.#elapsed();
    this.#accepted();
  }

  offer(description: Uint8Array | undefined, exchange: Exchange): void {
    this.#version++;
    if (description === undefined) return exchange.accept(this.#description("sendrecv"));
    if (!this.#take(description)) return exchange.refuse(488, "Not Acceptable Here");
    const theirs = this.#remote?.direction ?? "sendrecv";
    const ours = theirs === "sendonly" ? "recvonly" : theirs === "recvonly" ? "sendonly" : theirs;
    exchange.accept(this.#description(ours));
  }

  confirmed(): void {}

  request(transaction: ServerTransaction): void {
    const { request } = transaction;
    const known = request.method === "OPTIONS" || request.method === "INFO";
    this.#session.respond(transaction, known ? 200 : 405, known ? "OK" : "Method Not Allowed");
  }

  ended(end: SessionEnd): void {
    this.#end = end;
    this.#ended();
  }

  released(): void {
    this.#released();
  }

  // ---- descriptions ----------------------------------------------------------------------------------------------------

  #elapsed(): number {
    return this.agent.options.world.now() - this.#startedAt;
  }

  #description(direction: string): Uint8Array {
    const { host } = this.agent.options;
    const family = host.includes(":") ? "IP6" : "IP4";
    const lines = [
      "v=0",
      `o=- ${this.stream.id} ${this.#version} IN ${family} ${host}`,
      "s=patchbay probe",
      `c=IN ${family} ${host}`,
      "t=0 0",
      `m=audio ${this.stream.local.port} RTP/AVP ${this.plan.codecs.map((c) => c.payload).join(" ")} ${EVENTS}`,
      ...this.plan.codecs.map((c) => `a=rtpmap:${c.payload} ${c.name}/8000`),
      `a=rtpmap:${EVENTS} telephone-event/8000`,
      `a=fmtp:${EVENTS} 0-16`,
      "a=ptime:20",
      `a=${direction}`,
    ];
    return new TextEncoder().encode(lines.join("\r\n") + "\r\n");
  }

  /** Takes the peer's description into use; false when there is nothing in it for us. */
  #take(bytes: Uint8Array): boolean {
    const description = readDescription(bytes);
    if ("why" in description) return false;
    const media = description.media[0];
    const host = media?.connection?.ip ?? description.connection?.ip;
    if (media === undefined || media.type !== "audio" || media.port === 0 || host === undefined) return false;
    const payloads = (media.payloads ?? "").split(" ").map(Number);
    const chosen = payloads.map((p) => this.plan.codecs.find((c) => c.payload === p)).find((c) => c !== undefined);
    if (chosen === undefined) return false;
    this.#remote = media;
    this.#codec = chosen.name;
    const events = media.rtp.find((r) => r.codec.toLowerCase() === "telephone-event" && r.rate === 8000)?.payload;
    this.#configure(chosen, { host, port: media.port }, events, media.direction ?? "sendrecv");
    return true;
  }

  #configure(
    chosen: ProbeCodec,
    remote: SocketAddress,
    events: number | undefined,
    direction: string,
  ): void {
    const codec = { name: chosen.name, payloadType: chosen.payload, clockRate: 8000, channels: 1, ptimeMs: 20 };
    this.#config = {
      remote,
      remoteRtcp: { host: remote.host, port: remote.port + 1 },
      sending: direction === "sendrecv" || direction === "recvonly",
      receiving: true,
      codec,
      accepted: this.plan.codecs.map((c) => ({ ...codec, name: c.name, payloadType: c.payload })),
      followPeerCodec: false,
      telephoneEvent: events === undefined ? undefined : { send: events, receive: EVENTS, clockRate: 8000 },
      rtcpMux: false,
      symmetric: true,
      strictSource: "no",
      timeoutSeconds: 0,
      keepaliveSeconds: 0,
      rtcpIntervalMs: 1000,
      cname: "probe",
      detectDtmf: false,
    };
    this.stream.configure(this.#config).catch((error: unknown) => {
      this.#end ??= { by: "local", status: undefined, message: undefined, why: `media: ${String(error)}` };
      this.#session.end();
    });
  }
}

const GOODBYE_MS = 4000;
