// One leg of a call as applications see it. What the wire reports and what applications ask meets here, and is done one
// after the other (`#line`), because opening ports and negotiating codecs takes time and calls change meanwhile.
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { CallEvent } from "../../kernel/events.ts";
import type { MediaStream } from "../../kernel/media.ts";
import type {
  Channel,
  ChannelEvent,
  ChannelSip,
  DigitTransport,
  Indication,
  MediaLine,
  MediaWishes,
  Party,
  Renegotiation,
} from "../../kernel/services.ts";
import type { Exchange, InviteSession, SessionEnd, SessionUser } from "../../sip/dialog/session.ts";
import type { HeaderLines } from "../../sip/dialog/server_invite.ts";
import { descriptionOf } from "../../sip/dialog/description.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.ts";
import { writeUri } from "../../sip/message/uri.ts";
import type { ServerTransaction } from "../../sip/transaction/layer.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import type { SocketAddress } from "../../world/world.ts";
import { digitRelay, pictureRequest, tones } from "./said.ts";
import { isSecureTo } from "./way.ts";
import { causeOfReason, causeOfStatus, phraseOf, statusOfCause } from "./causes.ts";
import type { SessionEngine } from "./engine.ts";
import type { SessionFields } from "./fields.ts";
import { type LineReport, MediaSession, type Refusal } from "./media_session.ts";

const NORMAL = 16; // Q.850 causes
const BEARER = 58;
const FAILURE = 38;
const FLASH_MS = 300;
const NO_MEDIA = 44;
const RECOVERY = 102;

export interface ChannelParts {
  readonly id: string;
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly direction: "incoming" | "outgoing";
  readonly fields: SessionFields;
  readonly caller: Party;
  readonly called: string;
  readonly invite: SipRequest;
  readonly flow: Flow | undefined;
  /** Signaling began over TLS or secure WebSocket. */
  readonly secure: boolean;
  readonly localAddress: string;
  readonly caused: SessionChannel | undefined;
}

export class SessionChannel implements Channel {
  readonly id: string;
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly direction: "incoming" | "outgoing";
  readonly fields: SessionFields;
  readonly caller: Party;
  readonly called: string;
  readonly variables = new Map<string, string>();
  readonly createdAt: number;
  readonly media: MediaSession;
  readonly wishes: MediaWishes = { codecs: new Map() };
  state: Channel["state"] = "down";
  answeredAt: number | undefined;
  flow: Flow | undefined;
  readonly #secure: boolean;
  readonly #invite: SipRequest;
  #session: InviteSession | undefined;
  readonly #listeners = new Set<(event: ChannelEvent) => void>();
  readonly #abort = new AbortController();
  #line: Promise<void> = Promise.resolve();
  #local: Uint8Array | undefined; // our description that answers their first offer, or offers
  #early = false; // 183 with SDP was sent
  #held = false;
  #answering: { readonly promise: Promise<void>; readonly done: () => void } | undefined;
  #ringing: { cancel(): void } | undefined;
  #cause: number | undefined; // of our own hang-up
  #unusable = false;
  #picturing = false; // an INFO that asks for a picture is on its way
  #toned = false;

  constructor(readonly engine: SessionEngine, parts: ChannelParts) {
    this.id = parts.id;
    this.name = parts.name;
    this.endpoint = parts.endpoint;
    this.direction = parts.direction;
    this.fields = parts.fields;
    this.caller = parts.caller;
    this.called = parts.called;
    this.flow = parts.flow;
    this.#secure = parts.secure;
    this.#invite = parts.invite;
    this.createdAt = engine.world.wallClock();
    this.media = new MediaSession(this, () => engine.handlers, {
      owner: parts.fields.sdpOwner,
      name: parts.fields.sdpSession || "-", // may not be empty (RFC 4566 §5.3)
      id: engine.world.random.uint32(),
      address: parts.localAddress,
    }, parts.caused);
    this.#ringing = engine.world.after(engine.ringingMs, () => this.hangup(19));
  }

  /** The wire's side of this leg; given once, right after both were made. */
  bind(session: InviteSession): void {
    this.#session = session;
    this.state = this.direction === "incoming" ? "ring" : "down";
    this.engine.emit("call.started", this.describe());
  }

  describe(): CallEvent {
    return {
      call: this.id,
      name: this.name,
      endpoint: this.endpoint.id,
      direction: this.direction,
      from: this.caller.number || this.caller.name,
      to: this.called,
    };
  }

  // ---- what applications see --------------------------------------------------------------------------------------

  get audio(): MediaStream | undefined {
    return this.media.audio?.stream;
  }
  get lines(): readonly MediaLine[] {
    return this.media.running;
  }
  /** Nobody can read what we say next: also where the peer moved its Contact. */
  get secure(): boolean {
    const dialog = this.#session?.dialog;
    return this.#secure && (dialog === undefined || isSecureTo(dialog.nextHop, this.flow));
  }
  get encryption(): string | undefined {
    return this.media.audio?.encryption;
  }

  get codec(): string | undefined {
    return this.media.audio?.codec;
  }
  get digits(): DigitTransport {
    return this.media.audio?.digits ?? "none";
  }
  get remoteMedia(): SocketAddress | undefined {
    return this.media.audio?.remote;
  }
  get ended(): AbortSignal {
    return this.#abort.signal;
  }

  get sip(): ChannelSip {
    const session = this.#session;
    const invite = session?.invite ?? this.#invite;
    const [own, peer] = this.direction === "outgoing" ? ["From", "To"] as const : ["To", "From"] as const;
    const uri = (name: "From" | "To") => {
      const address = invite.headers.get(name);
      return address ? writeUri(address.uri) : "";
    };
    return {
      callId: session?.callId ?? "",
      localTag: session?.localTag ?? "",
      remoteTag: session?.dialog?.remoteTag ?? "",
      localUri: uri(own),
      remoteUri: uri(peer),
      target: session?.dialog ? writeUri(session.dialog.remoteTarget) : writeUri(invite.uri),
      requestUri: writeUri(invite.uri),
      flow: this.flow,
      invite,
    };
  }

  on(listener: (event: ChannelEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  indicate(indication: Indication): Promise<void> {
    return this.#next(() => this.#indicate(indication));
  }

  answer(): Promise<void> {
    if (this.state === "ended" || this.direction === "outgoing") return Promise.resolve();
    if (this.#answering) return this.#answering.promise;
    if (this.state === "up") return Promise.resolve();
    let done = () => {};
    const promise = new Promise<void>((resolve) => done = resolve);
    this.#answering = { promise, done };
    this.#next(async () => {
      await this.#quiet();
      const local = await this.#describe();
      if (this.state === "ended") return;
      this.#session?.accept(local);
      this.#up();
    });
    return promise;
  }

  hangup(cause: number, status?: number): void {
    if (this.state === "ended") return;
    this.#cause = cause;
    const final = status ?? statusOfCause(cause);
    this.#session?.end({ status: final, reason: phraseOf(final), lines: this.#reason(cause) });
    // Not begun on the wire yet: there is nobody to report the end.
    if (!this.#session) this.#end({ by: "local", status: final, message: undefined, why: "" });
  }

  async renegotiate({ method = "INVITE", lines }: Renegotiation = {}): Promise<void> {
    const session = this.#session;
    const up = this.state === "up";
    if (lines) this.media.want(lines.type, lines.count);
    const offered = descriptionOf(this.#invite);
    if (up && session) {
      return await new Promise((done) => session.change({ method, offer: this.#reoffer, done: () => done() }));
    }
    if (this.direction === "outgoing" || this.#early || !offered) return;
    await this.#next(async () => {
      const answer = await this.media.answer(offered);
      if (!("status" in answer)) this.#local = answer;
    });
  }

  async sendDigits(
    digits: string,
    options: { readonly durationMs?: number; readonly gapMs?: number; readonly over?: boolean } = {},
  ): Promise<void> {
    const { durationMs = 160, gapMs = 80 } = options;
    if (this.digits === "none") return;
    if (this.digits !== "info") {
      const known = this.digits === "tones" ? digits.replaceAll("!", "") : digits; // a hook flash has no tone
      return await this.audio?.sendDigits(known, { durationMs, gapMs });
    }
    for (const [at, digit] of [...digits.toUpperCase()].entries()) {
      // An INFO tells of a digit that has ended.
      if (!options.over) await this.#wait((at === 0 ? 0 : gapMs) + (digit === "!" ? FLASH_MS : durationMs));
      if (this.ended.aborted) return;
      await this.request("INFO", [], digitRelay(digit, digit === "!" ? FLASH_MS : durationMs));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.engine.world.after(ms, resolve));
  }

  picture(): void {
    if (this.state !== "ended") this.#tell({ kind: "picture" });
  }

  digit(digit: string, durationMs: number): void {
    if (this.state === "ended") return;
    this.engine.emit("media.digit", { call: this.id, digit, durationMs, by: "info" });
    this.#tell({ kind: "digit", digit, durationMs, by: "info" });
  }

  request(
    method: string,
    headers: HeaderLines,
    body?: { readonly type: string; readonly bytes: Uint8Array },
  ): Promise<number> {
    const session = this.#session;
    if (!session || this.state === "ended") return Promise.resolve(0);
    return new Promise((resolve) =>
      session.request(method, headers, body, (response) => resolve(response?.status ?? 0))
    );
  }

  // ---- work, one after the other ----------------------------------------------------------------------------------

  /** Runs after everything before it, or `otherwise` when the call ended meanwhile; a failure ends the call, not the server. */
  #next(work: () => Promise<void> | void, otherwise?: () => void): Promise<void> {
    const run = this.#line.then(async () => {
      try {
        await (this.state === "ended" ? otherwise?.() : work());
      } catch (error) {
        this.engine.fault("channel", error);
        this.hangup(FAILURE);
      }
    });
    this.#line = run;
    return run;
  }

  /** Reads the offer of their INVITE, or makes ours for theirs without one. Answers why the call is refused. */
  async negotiate(): Promise<Refusal | undefined> {
    const offer = descriptionOf(this.#invite);
    if (!offer) return undefined; // ours goes into the 200, or a reliable 183
    let refusal: Refusal | undefined;
    await this.#next(async () => {
      const answer = await this.media.answer(offer);
      if ("status" in answer) refusal = answer;
      else this.#local = answer;
      this.#noteHold();
    });
    return refusal;
  }

  /** Our first offer, for an outgoing leg. */
  async offer(): Promise<Uint8Array | undefined> {
    let offer: Uint8Array | undefined;
    await this.#next(async () => void (offer = await this.media.offer()));
    return offer;
  }

  async #describe(): Promise<Uint8Array | undefined> {
    return this.#local ??= await this.media.offer();
  }

  async #indicate(indication: Indication): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const up = this.state === "up";
    switch (indication) {
      case "proceeding":
        return up ? undefined : session.provisional(100, "Trying");
      case "ringing":
        if (up) return this.#play("ringing");
        if (this.state !== "ringing") this.engine.emit("call.ringing", this.describe());
        this.state = "ringing";
        if (this.fields.inbandProgress || (this.#early && !this.engine.allow180After183)) {
          await this.#progress();
          return this.#play("ringing");
        }
        return session.provisional(180, "Ringing");
      case "progress":
        if (up) return;
        await this.#quiet();
        return this.#progress();
      case "busy":
        return up ? this.#play("busy") : this.hangup(17);
      case "congestion":
        return up ? this.#play("congestion") : this.hangup(34);
      case "incomplete":
        return up ? this.#play("congestion") : this.hangup(28);
      case "hold":
      case "unhold":
        if (!this.fields.mohPassthrough || !up) return;
        this.media.hold(indication === "hold");
        return session.change({ method: "INVITE", offer: this.#reoffer });
      case "picture":
        if (!up || !this.lines.some((line) => line.type === "video")) return;
        return this.#requestPicture();
    }
    indication satisfies never;
  }

  /** One at a time: who asks for more of them, or does not answer, makes nothing pile up. */
  #requestPicture(): void {
    if (this.#picturing) return;
    this.#picturing = true;
    const done = () => void (this.#picturing = false);
    this.request("INFO", [], pictureRequest).then(done, done);
  }

  async #progress(): Promise<void> {
    const local = await this.#describe();
    if (this.state === "ended") return;
    this.#early = true;
    this.#session?.provisional(183, "Session Progress", local);
  }

  /** An offer for a re-INVITE, built when its turn has come. */
  readonly #reoffer = (ready: (description: Uint8Array | undefined) => void): void => {
    let offer: Uint8Array | undefined;
    this.#next(async () => {
      this.media.forget();
      offer = await this.media.offer();
    }).finally(() => ready(offer));
  };

  #play(name: keyof typeof tones): void {
    this.#toned = true;
    this.audio?.tone(tones[name], { loop: true }).catch((error: unknown) => this.engine.fault("tone", error));
  }

  async #quiet(): Promise<void> {
    if (!this.#toned) return;
    this.#toned = false;
    await this.audio?.stopPlaying();
  }

  #up(): void {
    this.state = "up";
    this.answeredAt = this.engine.world.wallClock();
    this.#ringing?.cancel();
    this.engine.emit("call.answered", this.describe());
    this.#tell({ kind: "answered" });
  }

  #tell(event: ChannelEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.engine.fault("channel listener", error);
      }
    }
  }

  #noteHold(): void {
    const held = this.media.remotelyHeld;
    if (held === this.#held) return;
    this.#held = held;
    this.engine.emit(held ? "call.held" : "call.resumed", this.describe());
    this.#tell({ kind: held ? "held" : "resumed" });
  }

  /** A handler tells: a digit, the source, silence for too long. */
  reported(_line: MediaLine, event: LineReport): void {
    if (this.state === "ended") return;
    if (event.kind === "timeout") {
      this.engine.emit("media.timeout", { call: this.id, seconds: event.seconds });
      return this.hangup(NO_MEDIA);
    }
    if (event.kind === "digit") {
      this.engine.emit("media.digit", { call: this.id, digit: event.digit, durationMs: event.durationMs });
    }
    if (event.kind !== "ended") this.#tell(event);
  }

  #reason(cause: number): HeaderLines {
    const lines: (readonly [string, string])[] = [];
    if (cause === 26) lines.push(["Reason", 'SIP;cause=200;text="Call completed elsewhere"']);
    if (!this.fields.suppressQ850ReasonHeaders) lines.push(["Reason", `Q.850;cause=${cause}`]);
    return lines;
  }

  // ---- what the wire reports ----------------------------------------------------------------------------------------

  readonly user: SessionUser = {
    progress: (response) => this.#progressed(response),
    answer: (description, message, early) => this.#answered(description, message, early),
    accepted: (response) => {
      this.engine.responded(response, this);
      this.#next(() => this.#unusable ? this.hangup(BEARER) : this.#up());
    },
    offer: (description, exchange) => this.#offered(description, exchange),
    confirmed: () => void this.#next(() => this.#answering?.done()),
    request: (transaction) => this.#requested(transaction),
    ended: (end) => this.#end(end),
  };

  #progressed(response: SipResponse): void {
    this.engine.responded(response, this);
    const { status } = response;
    const described = descriptionOf(response) !== undefined;
    this.#next(() => {
      if (this.state === "up" || (status !== 180 && status !== 183)) return;
      if (status === 183 && !described && this.fields.ignore183WithoutSdp) return;
      if (status === 180 && this.state !== "ringing") {
        this.state = "ringing";
        this.engine.emit("call.ringing", this.describe());
      }
      this.#tell({ kind: status === 180 && !described ? "ringing" : "progress" });
    });
  }

  #answered(description: Uint8Array | undefined, message: SipMessage, early: boolean): void {
    this.#next(async () => {
      const first = this.answeredAt === undefined || message.kind === "request";
      if (!description && !first) return;
      // An ACK to a re-INVITE owes us an answer. Without one what was agreed before stays in force.
      if (!description && message.kind === "request" && message !== this.sip.invite) return;
      const outcome = description && await this.media.apply(description);
      if (outcome === "same") return;
      if (outcome === "applied") {
        this.#noteHold();
        if (!first) this.#tell({ kind: "renegotiated" });
      } else if (message.kind === "response" && this.answeredAt === undefined) {
        this.#unusable = !early;
      } else {
        this.hangup(BEARER);
      }
    });
  }

  #offered(description: Uint8Array | undefined, exchange: Exchange): void {
    const { message } = exchange;
    this.#next(async () => {
      const reply = message.kind === "request" ? await this.engine.supplements.incoming(message, this) : undefined;
      if (reply) return exchange.refuse(reply.status, reply.reason);
      if (!description) {
        // They ask what we can do: everything, both ways.
        this.media.hold(false);
        this.media.forget();
        const offer = await this.media.offer(this.engine.allCodecsOnEmptyReinvite);
        return offer ? exchange.accept(offer) : exchange.refuse(500, "Server Internal Error");
      }
      const answer = await this.media.answer(description);
      if ("status" in answer) return exchange.refuse(answer.status, answer.reason);
      exchange.accept(answer);
      this.#noteHold();
      this.#tell({ kind: "renegotiated" });
    }, () => exchange.refuse(481, "Call Ended"));
  }

  /** Not in line with the rest: who answers may want to do something with this very channel. */
  #requested(transaction: ServerTransaction): void {
    this.engine.answerRequest(transaction.request, this).then(
      (response) => this.#session?.send(transaction, response),
      (error: unknown) => {
        this.engine.fault("request", error);
        this.#session?.respond(transaction, 500, "Server Internal Error");
      },
    );
  }

  #end(end: SessionEnd): void {
    if (this.state === "ended") return;
    const cause = this.#causeOf(end);
    this.state = "ended";
    this.#ringing?.cancel();
    this.engine.gone(this, end.message);
    const now = this.engine.world.wallClock();
    this.engine.emit("call.ended", {
      ...this.describe(),
      cause,
      durationMs: this.answeredAt === undefined ? 0 : Math.max(0, now - this.answeredAt),
      ...end.status === undefined || this.answeredAt !== undefined ? {} : { status: end.status },
    });
    this.#tell({ kind: "ended", cause, status: end.status, reason: end.why });
    this.#answering?.done();
    this.#abort.abort("ended"); // a reason of its own: the default one takes a stack trace
    this.#listeners.clear();
    // After the work in progress: it may be opening what is to be closed.
    this.#line = this.#line.then(() => this.media.stop()).catch((error: unknown) => this.engine.fault("media", error));
  }

  #causeOf(end: SessionEnd): number {
    if (end.by === "local") return this.#cause ?? NORMAL;
    const said = end.message && causeOfReason(end.message.headers.all("Reason"));
    if (said !== undefined) return said;
    if (end.by === "timeout" && this.answeredAt !== undefined) return RECOVERY;
    return end.status === undefined || end.status === 487 ? NORMAL : causeOfStatus(end.status);
  }
}
