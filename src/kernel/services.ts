// What modules offer each other: an interface and a token each.
import type { MediaDescription, SessionDescription } from "../sdp/description.ts";
import type { NameAddr } from "../sip/message/headers.ts";
import type { SipRequest, SipResponse } from "../sip/message/message.ts";
import type { Uri } from "../sip/message/uri.ts";
import type { ClientHandlers, ClientTransaction, IncomingRequest, TransactionLayer } from "../sip/transaction/layer.ts";
import type { Destination, Flow } from "../sip/transport/flow.ts";
import type { TransportLayer } from "../sip/transport/layer.ts";
import type { SocketAddress, World } from "../world/world.ts";
import type { Endpoint } from "./endpoint.ts";
import type { MediaPlane, MediaStream } from "./media.ts";
import type { ApiRoute } from "./http.ts";
import type { ModuleContext } from "./module.ts";
import type { InboundContext, Observation, OutboundContext } from "./stages.ts";
import { token } from "./token.ts";

// ---- the host -----------------------------------------------------------------------------------------------------

/** Runs what the modules hung into the stages of stages.ts. `core` calls it. */
export interface Stages {
  /** The first response of a handler, 500 when one threw; undefined: every stage passed it on. Waits while modules change. */
  inbound(context: InboundContext): Promise<SipResponse | undefined>;
  outbound(context: OutboundContext): void;
  observe(observation: Observation): void;
}
export const stages = token<Stages>("stages"); // provided by the host

/** The world without book-keeping, for an engine that hands timers and sockets over its own reload. */
export const hostWorld = token<World>("hostWorld"); // provided by the host

/** Random secrets made at the first start and kept in a file only the owner reads: `${generated:name}`. */
export interface GeneratedSecrets {
  get(name: string): Promise<string>;
}
export const generatedSecrets = token<GeneratedSecrets>("generatedSecrets"); // provided by the host

/** How far the process is in its life. */
export interface Lifecycle {
  /** Graceful shutdown has begun: new calls get 503. */
  readonly stopping: boolean;
}
export const lifecycle = token<Lifecycle>("lifecycle"); // provided by the host

export interface ModuleState {
  readonly name: string;
  readonly summary: string;
  readonly replaces: string | undefined;
  readonly requires: readonly string[];
  /** Path of an external module. */
  readonly file: string | undefined;
  /** "disabled": threw too often; its handlers are not called until it is reloaded. */
  readonly state: "running" | "disabled";
  readonly faults: number;
  readonly loadedAt: number; // wall clock, ms
}

/** One difference between the running configuration and a new one. */
export interface ConfigChange {
  readonly module: string;
  /** "option", "endpoint", "module" ... */
  readonly what: string;
  /** Option or object id; "" for the module itself. */
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** A restart change is not applied. */
  readonly effect: "live" | "new calls" | "restart";
}

/** Changes of the running server. Each is whole or not at all: rejects with every fault (ConfigError), and the old stays. */
export interface Administration {
  readonly modules: readonly ModuleState[];
  readonly routes: readonly { readonly module: string; readonly route: ApiRoute }[];
  /** Reads the manifest again and answers what `reload` would change. */
  plan(): Promise<readonly ConfigChange[]>;
  reload(): Promise<readonly ConfigChange[]>;
  /** A fresh copy of one module (and of what requires it); an external one is read from its file again. */
  reloadModule(name: string): Promise<void>;
  /** Until the next start or reload; the manifest is not written. `name` as the key in the manifest. */
  loadModule(name: string, options: unknown): Promise<void>;
  unloadModule(name: string): Promise<void>;
  /** Prometheus text of every module's metrics. */
  metrics(): string;
}
export const administration = token<Administration>("administration"); // provided by the host

/** The management API's options as the manifest writes them. */
export interface HttpOptions {
  readonly host: string; // an IP literal
  readonly port: number; // 0: any
  /** Clear text on an address other machines reach. */
  readonly insecure: boolean;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Names a request may give in Host, besides those of the loopback and the bound address. */
  readonly hosts: readonly string[];
  /** More tokens: the SHA-256 of each in hex, and what it may do. */
  readonly tokens: Readonly<Record<string, { readonly sha256: string; readonly scope: ApiRoute["scope"] }>>;
}

/** What the engine needs of the module that runs it. */
export type HttpHost = Pick<ModuleContext<unknown>, "use" | "find" | "events" | "log" | "metrics" | "store" | "world">;

export interface HttpServer {
  readonly url: string; // "http://127.0.0.1:8088"
  /** Answers what is in flight; a server started anew on the same address takes the listening socket over. */
  stop(): void;
}

/** The `http` room, offered by the host: the module `management` holds the options and hangs in its routes. */
export interface HttpEngine {
  /** Serves the routes of all modules, events, metrics, health and the API's description. Rejects when it cannot bind. */
  start(options: HttpOptions, host: HttpHost): Promise<HttpServer>;
}
export const httpEngine = token<HttpEngine>("httpEngine"); // provided by the host

// ---- the SIP engine, provided by `core` -------------------------------------------------------------------------

export interface SipStack {
  readonly transports: TransportLayer;
  readonly transactions: TransactionLayer;
  /** RFC 3263 candidates for a URI or the topmost Route, best first; empty: nothing found. */
  resolve(uri: Uri, endpoint?: Endpoint): Promise<readonly Destination[]>;
  /**
   * Sends an out-of-dialog request: outbound stages, resolution, failover to the next address on 408, 503 or a transport
   * error, credentials of `endpoint.outboundAuth` on 401/407. Handlers see the last transaction's answers only.
   */
  send(
    request: SipRequest,
    endpoint: Endpoint | undefined,
    handlers: ClientHandlers,
    to?: Destination,
  ): OutboundRequest;
  /** Requests that belong to a dialog (To tag) or CANCEL-like business go here first; true: taken. */
  claim(owner: DialogOwner): void;
  /**
   * Corrects what a known endpoint sends (NAT): called for every message on a flow it was recognised on, before dialogs
   * see it, and for answers to what was sent to it; for a message perhaps twice. `stage` "nat" sees the first request.
   */
  repair(run: (message: SipRequest | SipResponse, flow: Flow, endpoint: Endpoint) => void): void;
  /** Called before the next hop of a request outside of dialogs is looked up: may put Route headers there. */
  preload(run: (request: SipRequest, endpoint: Endpoint | undefined) => void): void;
  /** The address others reach us at over this destination: Contact host and port. */
  localContact(destination: Destination | Flow, user: string): string;
  /** Runs the outbound stages on a message somebody sends himself (in-dialog requests, responses in a dialog). */
  prepare(
    message: SipRequest | SipResponse,
    endpoint: Endpoint | undefined,
    destination: Destination | Flow,
    answers?: SipRequest,
  ): void;
  /** Methods, option tags and body types the loaded modules understand: Allow, Supported, Accept. */
  readonly capabilities: Capabilities;
  /** Serialises work per key (dialog, AOR, subscription): never overlaps, in order. */
  queue<T>(key: string, work: () => Promise<T> | T): Promise<T>;
  /** Graceful shutdown has begun: new calls get 503. */
  readonly stopping: boolean;
}

export interface OutboundRequest {
  readonly transaction: ClientTransaction | undefined;
  cancel(reason?: string): void;
}

export interface DialogOwner {
  /** An in-dialog request, or an ACK/stray 2xx. False: not mine. */
  request(incoming: IncomingRequest): boolean;
  ack(request: SipRequest, flow: Flow): boolean;
  stray(response: SipResponse, flow: Flow): boolean;
}

export interface Capabilities {
  readonly methods: readonly string[];
  readonly optionTags: readonly string[];
  readonly bodyTypes: readonly string[];
  /** Until the calling module unloads (taken through `ctx.use(stack)`, so the kernel gives it back). */
  add(what: { methods?: readonly string[]; optionTags?: readonly string[]; bodyTypes?: readonly string[] }): void;
}

export const stack = token<SipStack>("stack");

/** Offered by each identifier module; `core` runs them in `endpointIdentifierOrder`. */
export interface Identifiers {
  /** `name` as in the option ("ip", "username", ...); undefined runs before the named ones. */
  add(name: string | undefined, identify: (request: SipRequest, flow: Flow) => IdentifyResult): void;
  readonly order: readonly string[];
}
export interface IdentifyResult {
  readonly endpoint: Endpoint | undefined;
  /** What was looked up, and what came of it, for the event that explains a refusal. */
  readonly looked: string;
  readonly result: string;
}
export const identifiers = token<Identifiers>("identifiers");

/** Checks credentials; offered by `authenticator_digest`. */
export interface Authenticator {
  /** Undefined when the request may pass; else the 401. `artificial`: never passes. */
  check(incoming: IncomingRequest, endpoint: Endpoint | undefined): AuthVerdict | Promise<AuthVerdict>;
}
export type AuthVerdict =
  | { readonly kind: "success" }
  | { readonly kind: "challenge" | "failed" | "stale"; readonly response: SipResponse; readonly why: string };
export const authenticator = token<Authenticator>("authenticator");

/** Answers challenges; offered by `outbound_authenticator_digest`. */
export interface OutboundAuthenticator {
  /** The headers to add to the retry, or why there is no retry. Loop protection by `history`, kept by the caller per request. */
  answer(
    request: SipRequest,
    challenge: SipResponse,
    authIds: readonly string[],
    history: ChallengeHistory,
  ): { readonly headers: readonly (readonly [name: string, value: string])[] } | { readonly refused: string };
}
export interface ChallengeHistory {
  rounds: number;
  readonly nonces: Map<string, { nonce: string; nc: number; stale: number }>; // by realm
}
export const outboundAuthenticator = token<OutboundAuthenticator>("outboundAuthenticator");

// ---- contacts, provided by `registrar` (dynamic) over the store, permanent ones from `aor.contact` --------------

export interface Contact {
  readonly id: string; // `<aor>;@<md5 of uri>` dynamic, `<aor>@@<md5>` permanent
  readonly aor: string;
  readonly uri: string; // as stored (after NAT rewriting)
  readonly expiresAt: number | undefined; // wall-clock ms; undefined: permanent
  readonly path: readonly string[];
  readonly userAgent: string;
  readonly endpoint: string | undefined;
  readonly callId: string;
  readonly cseq: number;
  readonly q: number;
  readonly viaAddress: string;
  readonly viaPort: number;
  readonly node: string;
  readonly flow: string | undefined; // id of the connection it is bound to
  readonly pruneOnBoot: boolean;
  readonly status: "nonQualified" | "reachable" | "unreachable" | "unknown";
  readonly roundTripMicros: number | undefined;
}

/** Where an AOR can be reached. Reads come from memory. */
export interface Locations {
  contacts(aor: string, which?: "all" | "reachable"): readonly Contact[];
  readonly all: readonly Contact[];
  remove(id: string, reason: string): Promise<boolean>;
  onChange(listener: (contact: Contact, what: "added" | "refreshed" | "removed" | "status") => void): () => void;
  /** Qualify's finding. */
  setStatus(id: string, status: Contact["status"], roundTripMicros: number | undefined): void;
}
export const locations = token<Locations>("locations");

// ---- calls -------------------------------------------------------------------------------------------------------

export interface Party {
  readonly name: string;
  readonly number: string;
  readonly allowed: boolean; // presentation
}

export type Indication =
  | "proceeding" // 100
  | "ringing" // 180, or a tone in early media
  | "progress" // 183 with SDP
  | "busy" // 486, or the tone after answer
  | "congestion" // 503
  | "incomplete" // 484
  | "hold"
  | "unhold"
  | "picture"; // asks for a whole picture (INFO, RFC 5168)

/** RFC 4733 events, tones in the audio, INFO (application/dtmf-relay), or not at all. */
export type DigitTransport = "events" | "tones" | "info" | "none";

export const dtmfModes = ["rfc4733", "inband", "info", "none", "auto", "auto_info"] as const;
export type DtmfMode = (typeof dtmfModes)[number];

/** What one call may have otherwise than its endpoint, from the next description on. */
export interface MediaWishes {
  dtmfMode?: DtmfMode;
  /** Codecs by media type, as `allow` names them, on top of what the endpoint allows. */
  readonly codecs: Map<string, readonly string[]>;
}

/** How our side is described anew. */
export interface Renegotiation {
  readonly method?: "INVITE" | "UPDATE";
  /** Lines of this type: those above `count` end, those below are added. */
  readonly lines?: { readonly type: "audio" | "video"; readonly count: number };
}

export type ChannelEvent =
  | { readonly kind: "ringing" } // outgoing: 180
  | { readonly kind: "progress" } // outgoing: early media runs
  | { readonly kind: "answered" }
  | { readonly kind: "held" } // the peer held us
  | { readonly kind: "resumed" }
  /** `by` absent: it came as RTP (event or tone), which the media plane passes on to a connected stream itself. */
  | { readonly kind: "digit"; readonly digit: string; readonly durationMs: number; readonly by?: "info" }
  | { readonly kind: "picture" } // the peer asks for a whole picture
  | { readonly kind: "renegotiated" } // media changed: codec, address, direction
  | { readonly kind: "ended"; readonly cause: number; readonly status: number | undefined; readonly reason: string };

/** One leg of a call: a SIP session with its media, as applications see it. */
export interface Channel {
  readonly id: string; // unique across nodes
  readonly name: string; // "PJSIP/alice-0000001f"
  readonly endpoint: Endpoint;
  readonly direction: "incoming" | "outgoing";
  readonly state: "down" | "ring" | "ringing" | "up" | "ended";
  readonly createdAt: number; // wall clock, ms
  readonly answeredAt: number | undefined;
  readonly caller: Party; // who calls (From of an incoming leg after trust rules)
  readonly called: string; // the extension or URI asked for
  readonly variables: Map<string, string>;
  /** Undefined until media was negotiated or offered. */
  readonly audio: MediaStream | undefined;
  /** The lines that run, in the order of the description. */
  readonly lines: readonly MediaLine[];
  /** Codec sent on audio, for bridging decisions and lists. */
  readonly codec: string | undefined;
  /** Name of the SRTP suite of the audio line; undefined: plain RTP. */
  readonly encryption: string | undefined;
  readonly remoteMedia: SocketAddress | undefined;
  /** How digits go to the peer and come from it, as negotiated. */
  readonly digits: DigitTransport;
  readonly sip: ChannelSip;
  indicate(indication: Indication): Promise<void>;
  /** 200 OK with SDP; resolves when the ACK came. No-op when up. */
  answer(): Promise<void>;
  /** Ends the leg: final status by cause before answer, CANCEL, or BYE. Safe at any time, any number of times. */
  hangup(cause: number, status?: number): void;
  readonly wishes: MediaWishes;
  /** Up: a re-INVITE or UPDATE; before, their offer is answered anew. Resolves when it was answered, or refused. */
  renegotiate(what?: Renegotiation): Promise<void>;
  /** By RTP events, tones or INFO, as `digits` says; "none" sends nothing. */
  sendDigits(
    digits: string,
    /** `over`: they were pressed and let go already, so an INFO leaves at once. */
    options?: { readonly durationMs?: number; readonly gapMs?: number; readonly over?: boolean },
  ): Promise<void>;
  /** The peer asks for a whole picture. */
  picture(): void;
  /** A digit came by INFO. */
  digit(digit: string, durationMs: number): void;
  /** Sends a request within the call, after those before it. Resolves with the final status; 0: there was none. */
  request(
    method: string,
    headers: readonly (readonly [name: string, value: string])[],
    body?: { readonly type: string; readonly bytes: Uint8Array },
  ): Promise<number>;
  on(listener: (event: ChannelEvent) => void): () => void;
  /** Aborted when the channel ended. */
  readonly ended: AbortSignal;
}

export interface ChannelSip {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly target: string;
  readonly requestUri: string;
  readonly flow: Flow | undefined;
  /** The initial INVITE of an incoming leg: for header functions. */
  readonly invite: SipRequest;
}

export interface OriginateOptions {
  readonly endpoint: Endpoint;
  readonly uri: Uri;
  readonly flow?: Flow; // connection-bound contact
  readonly path?: readonly string[];
  readonly caller?: Party;
  /** The leg this one is dialled for: codec preferences, caller identity, near its media worker. */
  readonly caused?: Channel;
  readonly variables?: ReadonlyMap<string, string>;
  /** Extra headers of the INVITE. */
  readonly headers?: readonly (readonly [string, string])[];
}

/** Handles an in-session request (INFO, OPTIONS, REFER ...): a response ends it. */
export interface Supplement {
  readonly method: string; // "INVITE" means re-INVITEs and the initial one
  readonly at?: "first" | "last";
  incoming?(
    request: SipRequest,
    channel: Channel | undefined,
  ): SipResponse | undefined | Promise<SipResponse | undefined>;
  response?(response: SipResponse, channel: Channel): void;
  outgoing?(message: SipRequest | SipResponse, channel: Channel): void;
}

export interface Sessions {
  supplement(supplement: Supplement): void;
  /** One handler per media type: `sdp_rtp` takes audio and video, `t38` takes image. */
  sdpHandler(handler: SdpHandler): void;
  /** Who runs an incoming call after negotiation: `dialplan`. The lookup comes first and may refuse with a status. */
  answerer(answerer: CallAnswerer): void;
  originate(options: OriginateOptions): Promise<Channel>;
  readonly channels: readonly Channel[];
  channel(id: string): Channel | undefined;
}
export const sessions = token<Sessions>("sessions");

export interface CallAnswerer {
  /** "found", "partial" (484 when overlap is allowed), "absent" (404). */
  lookup(context: string, extension: string): "found" | "partial" | "absent";
  run(channel: Channel, context: string, extension: string): Promise<void>;
}

/** One media line of a session, owned by the handler that took it (offer/answer, RFC 3264). */
export interface SdpHandler {
  readonly mediaTypes: readonly string[];
  /** Our m-line for an offer (`previous`: what is active); undefined: none. Opens ports. */
  offer(line: MediaLine, previous: MediaDescription | undefined): Promise<MediaDescription | undefined>;
  /** "decline" → port 0, "fatal" → 488 for the whole offer. Opens ports. */
  answer(
    line: MediaLine,
    offered: MediaDescription,
    description: SessionDescription,
  ): Promise<MediaDescription | "decline" | "fatal">;
  /** Offer and answer are both known: activate. False: they are of no use, the line was stopped. */
  apply(
    line: MediaLine,
    local: MediaDescription,
    remote: MediaDescription,
    remoteDescription: SessionDescription,
  ): Promise<boolean>;
  /** The line ended (port 0, or the session). */
  stop(line: MediaLine): Promise<void>;
}

/** The session's side of one m-line, handed to its handler; the handler keeps its own state in `state`. */
export interface MediaLine {
  readonly index: number;
  readonly type: string; // "audio"
  readonly channel: Channel;
  readonly endpoint: Endpoint;
  readonly flow: Flow | undefined;
  /** Nobody on the way can read the signaling: TLS or secure WebSocket. */
  readonly secure: boolean;
  /** The remote side of the leg this one is dialled for; its codecs may be merged into an offer. */
  readonly near: MediaStream | undefined;
  /** Undefined: it is dialled for nobody. */
  readonly nearCodecs: readonly string[] | undefined;
  locallyHeld: boolean;
  /** Written by the handler. */
  stream: MediaStream | undefined;
  codec: string | undefined;
  /** Name of the SRTP suite in use. */
  encryption: string | undefined;
  digits: DigitTransport;
  remote: SocketAddress | undefined;
  remotelyHeld: boolean;
  state: unknown;
  /** The handler reports: digits by RTP, time-out, hold, source. */
  report(event: ChannelEvent | { readonly kind: "timeout"; readonly seconds: number }): void;
}

export const media = token<MediaPlane>("media"); // provided by the host

export type { Endpoint, MediaDescription, NameAddr, SessionDescription };
