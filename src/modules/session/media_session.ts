import type { ChannelEvent, DigitTransport, Endpoint, MediaLine, SdpHandler } from "../../kernel/services.ts";
import type { MediaStream } from "../../kernel/media.ts";
import { readDescription, writeDescription } from "../../sdp/text.ts";
import type { MediaDescription, SessionDescription } from "../../sdp/description.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import type { SocketAddress } from "../../world/world.ts";
import type { SessionChannel } from "./channel.ts";

const MOST_LINES = 16;

/** What a line of media tells the channel it belongs to. */
export type LineReport = ChannelEvent | { readonly kind: "timeout"; readonly seconds: number };

/** What one m= section is to its handler. */
class Line implements MediaLine {
  locallyHeld = false;
  stream: MediaStream | undefined;
  codec: string | undefined;
  encryption: string | undefined;
  digits: DigitTransport = "tones";
  remote: SocketAddress | undefined;
  remotelyHeld = false;
  state: unknown;
  /** No longer wanted: our next offer ends it. */
  given = false;
  /** What stands in our last description, and what the peer said to it. */
  local: MediaDescription | undefined;
  peer: MediaDescription | undefined;

  constructor(
    readonly media: MediaSession,
    readonly index: number,
    readonly type: string,
    readonly handler: SdpHandler | undefined,
  ) {}

  get channel(): SessionChannel {
    return this.media.channel;
  }
  get endpoint(): Endpoint {
    return this.media.channel.endpoint;
  }
  get flow(): Flow | undefined {
    return this.media.channel.flow;
  }
  get secure(): boolean {
    return this.media.channel.secure;
  }
  get near(): MediaStream | undefined {
    return this.media.caused?.media.running.find((line) => line.type === this.type)?.stream;
  }
  get nearCodecs(): readonly string[] | undefined {
    return this.media.caused?.media.remoteCodecs(this.type);
  }
  report(event: LineReport): void {
    this.media.channel.reported(this, event);
  }
}

/** An outcome of reading what the peer described. */
export type Refusal = { readonly status: number; readonly reason: string };

export interface DescriptionSettings {
  readonly owner: string;
  readonly name: string;
  /** Numeric session id, unique. */
  readonly id: number;
  /** Address for o= and c= when no line says one. */
  readonly address: string;
}

/** The description of one session: this room owns its head and the order of its lines, a handler owns each line. */
export class MediaSession {
  readonly #lines: Line[] = [];
  #version = 0;
  #last = ""; // what we described last, without o=
  /** The peer's description as last applied, to know a repetition. */
  #applied: Uint8Array | undefined;

  constructor(
    readonly channel: SessionChannel,
    readonly handlers: () => readonly SdpHandler[],
    readonly settings: DescriptionSettings,
    /** The leg this one is dialled for, while this one lives. */
    public caused: SessionChannel | undefined,
  ) {}

  get running(): readonly MediaLine[] {
    return this.#lines.filter((line) => line.stream);
  }

  get audio(): MediaLine | undefined {
    return this.#lines.find((line) => line.type === "audio" && line.stream);
  }

  get remotelyHeld(): boolean {
    const active = this.#lines.filter((line) => line.local?.port && line.peer?.port);
    return active.length > 0 && active.every((line) => line.remotelyHeld);
  }

  hold(held: boolean): void {
    for (const line of this.#lines) line.locallyHeld = held;
  }

  /** Codec names of the peer's line of this type, in its order. */
  remoteCodecs(type: string): readonly string[] {
    const peer = this.#lines.find((line) => line.type === type)?.peer;
    return peer?.rtp.map((format) => format.codec) ?? [];
  }

  /**
   * Our offer: every line again, or one of each type that a handler has something for. Undefined: nothing to offer.
   * `afresh`: lines forget what was agreed on.
   */
  async offer(afresh = false): Promise<Uint8Array | undefined> {
    if (this.#lines.length === 0) {
      for (const handler of this.handlers()) {
        for (const type of handler.mediaTypes) {
          const line = new Line(this, this.#lines.length, type, handler);
          line.local = await handler.offer(line, undefined);
          if (line.local) this.#lines.push(line);
        }
      }
    } else {
      for (const line of this.#lines) {
        const goesOn = !line.given && (line.local?.port || !line.local);
        const again = goesOn ? await line.handler?.offer(line, afresh ? undefined : line.local) : undefined;
        if (!again && line.local?.port) await line.handler?.stop(line);
        line.local = again ?? declined(line.local ?? line.peer, line.type);
      }
    }
    return this.#lines.some((line) => line.local?.port) ? this.#write() : undefined;
  }

  /** Lines of a type for our next offer: the first `count` go on, what is missing is added. */
  want(type: string, count: number): void {
    const running = this.#lines.filter((line) => line.type === type && line.stream);
    for (const line of running.slice(count)) line.given = true;
    const handler = this.handlers().find((candidate) => candidate.mediaTypes.includes(type));
    for (let at = running.length; at < count && this.#lines.length < MOST_LINES; at++) {
      this.#lines.push(new Line(this, this.#lines.length, type, handler));
    }
  }

  /** Our answer to the peer's offer, activated at once; or why the whole offer is refused. */
  async answer(bytes: Uint8Array): Promise<Uint8Array | Refusal> {
    const description = readDescription(bytes);
    if ("why" in description) return { status: description.status, reason: `Bad Description: ${description.why}` };
    const offered = description.media;
    if (offered.length === 0 || offered.length > MOST_LINES || offered.length < this.#lines.length) {
      return { status: 488, reason: "Not Acceptable Here" };
    }
    const before = this.#lines.map(({ local, remotelyHeld }) => ({ local, remotelyHeld }));
    const answers: MediaDescription[] = [];
    for (const [index, theirs] of offered.entries()) {
      const answer = await this.#answerLine(index, theirs, description);
      if (answer === "fatal") return await this.#unacceptable(before);
      answers.push(answer);
    }
    // Nothing left: before there was a call this refuses it, later only an offer that ends every line may do so.
    const ended = before.length > 0 && offered.every((theirs) => theirs.port === 0);
    if (!ended && !answers.some((answer) => answer.port > 0)) return await this.#unacceptable(before);
    for (const [index, theirs] of offered.entries()) {
      const line = this.#lines[index];
      if (line) await this.#activate(line, answers[index], theirs, description);
    }
    this.#applied = bytes.slice();
    return this.#write();
  }

  /** The old description goes on; what was opened for the new one is closed. */
  async #unacceptable(before: readonly Pick<Line, "local" | "remotelyHeld">[]): Promise<Refusal> {
    for (const line of this.#lines.splice(before.length)) await line.handler?.stop(line);
    for (const [at, line] of this.#lines.entries()) Object.assign(line, before[at]);
    return { status: 488, reason: "Not Acceptable Here" };
  }

  async #answerLine(index: number, theirs: MediaDescription, description: SessionDescription) {
    let line = this.#lines[index];
    if (!line || line.type !== theirs.type) {
      if (line) await line.handler?.stop(line);
      const handler = this.handlers().find((candidate) => candidate.mediaTypes.includes(theirs.type));
      line = new Line(this, index, theirs.type, handler);
      this.#lines[index] = line;
    }
    if (theirs.port === 0 || !line.handler) return declined(theirs, theirs.type);
    line.given = false;
    this.#noteHold(line, theirs, description);
    const answer = await line.handler.answer(line, theirs, description);
    return answer === "decline" ? declined(theirs, theirs.type) : answer;
  }

  /** The peer's answer to our offer; "useless": nothing in it that we could use. */
  async apply(bytes: Uint8Array): Promise<"applied" | "same" | "useless"> {
    if (this.#applied && Buffer.compare(this.#applied, bytes) === 0) return "same";
    const description = readDescription(bytes);
    if ("why" in description || description.media.length < this.#lines.length) return "useless";
    let usable = false;
    for (const [index, line] of this.#lines.entries()) {
      const theirs = description.media[index];
      if (!theirs) return "useless";
      if (theirs.type !== line.type && theirs.port > 0) return "useless";
      this.#noteHold(line, theirs, description);
      if (await this.#activate(line, line.local, theirs, description)) usable = true;
    }
    this.#applied = bytes.slice();
    return usable ? "applied" : "useless";
  }

  /** Our new offer begins an exchange: even the same answer is to be applied. */
  forget(): void {
    this.#applied = undefined;
  }

  async stop(): Promise<void> {
    this.caused = undefined; // a late answer to our INVITE keeps this leg in memory for half a minute, not both
    for (const line of this.#lines.splice(0)) await line.handler?.stop(line);
  }

  /** Whether the line runs now. */
  async #activate(
    line: Line,
    local: MediaDescription | undefined,
    theirs: MediaDescription,
    description: SessionDescription,
  ): Promise<boolean> {
    const wasRunning = (line.peer?.port ?? 0) > 0 || line.stream !== undefined;
    line.local = local;
    line.peer = theirs;
    if (line.handler && local && local.port > 0 && theirs.port > 0) {
      return await line.handler.apply(line, local, theirs, description);
    }
    if (wasRunning) await line.handler?.stop(line);
    return false;
  }

  #noteHold(line: Line, theirs: MediaDescription, description: SessionDescription): void {
    const direction = theirs.direction ?? description.direction ?? "sendrecv";
    const address = (theirs.connection ?? description.connection)?.ip;
    line.remotelyHeld = direction === "sendonly" || direction === "inactive" || address === "0.0.0.0";
  }

  #write(): Uint8Array {
    const media = this.#lines.map((line) => line.local ?? declined(line.peer, line.type));
    const connection = media.find((m) => m.connection)?.connection ??
      { version: this.settings.address.includes(":") ? 6 : 4, ip: this.settings.address };
    const body = {
      name: this.settings.name.trim() || "-",
      timing: { start: 0, stop: 0 },
      connection,
      media: media.map((m) => {
        const { connection: own, ...rest } = m;
        return own && own.ip !== connection.ip ? m : rest;
      }),
    };
    const text = JSON.stringify(body);
    if (text !== this.#last) this.#version++;
    this.#last = text;
    return writeDescription({
      version: 0,
      origin: {
        username: this.settings.owner,
        sessionId: this.settings.id,
        sessionVersion: this.settings.id + this.#version - 1,
        netType: "IN",
        ipVer: connection.version,
        address: connection.ip,
      },
      ...body,
    });
  }
}

/** A refused line: the offered formats with port 0 (RFC 3264 §6). */
function declined(offered: MediaDescription | undefined, type: string): MediaDescription {
  return {
    type,
    port: 0,
    protocol: offered?.protocol ?? "RTP/AVP",
    payloads: offered?.payloads ?? "0",
    rtp: [],
    fmtp: [],
  };
}
