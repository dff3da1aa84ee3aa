// What signaling asks of the media threads. The implementation is `src/media/`; commands travel by postMessage (a few
// ms), packets never do. See docs/decisions for why a stream lives in one worker.
import type { CryptoSuite } from "../sdp/crypto.ts";
import type { SocketAddress } from "../world/world.ts";

/** Codecs the core decodes and encodes; any other name is relayed untouched between two legs that both negotiated it. */
export interface MediaCodec {
  readonly name: string; // "PCMU", "PCMA", "G722", "L16", "opus" ... as in rtpmap
  readonly payloadType: number;
  readonly clockRate: number;
  readonly channels: number;
  readonly ptimeMs: number; // 20
}

/** Keys of SRTP: each master key with its salt after it. */
export interface SrtpConfig {
  readonly suite: CryptoSuite;
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

/** The whole negotiated state of a stream; each `configure` replaces it, running counters and sequence go on. */
export interface StreamConfig {
  /** Where packets go; undefined: nothing is sent. */
  readonly remote: SocketAddress | undefined;
  readonly remoteRtcp: SocketAddress | undefined;
  readonly sending: boolean; // false on hold
  readonly receiving: boolean;
  /** What we send. */
  readonly codec: MediaCodec;
  /** What we accept, with the peer's payload numbers as negotiated. */
  readonly accepted: readonly MediaCodec[];
  /** Send in the codec the peer last sent (asymmetric_rtp_codec=no). */
  readonly followPeerCodec: boolean;
  /** telephone-event payload types; undefined: none negotiated. */
  readonly telephoneEvent: { readonly send: number; readonly receive: number; readonly clockRate: number } | undefined;
  readonly rtcpMux: boolean;
  /** Answer to the source of the first accepted packets. */
  readonly symmetric: boolean;
  /** With `symmetric`: the host signaling comes from, the only one beside `remote` that may speak. Absent: any may. */
  readonly signalingHost?: string;
  readonly strictSource: "yes" | "no" | "seqno";
  readonly timeoutSeconds: number; // 0: off
  readonly keepaliveSeconds: number; // 0: off
  readonly rtcpIntervalMs: number;
  readonly cname: string;
  /** Absent: plain RTP. Present: nothing plain is sent, nothing plain is heard. */
  readonly srtp?: SrtpConfig;
  /** Detect in-band DTMF on what is received. */
  readonly detectDtmf: boolean;
}

export type MediaEvent =
  | { readonly kind: "digit"; readonly digit: string; readonly durationMs: number }
  | { readonly kind: "source"; readonly address: SocketAddress } // locked on
  | { readonly kind: "timeout"; readonly seconds: number }
  | { readonly kind: "talking"; readonly talking: boolean }
  | { readonly kind: "played" } // a player came to its end
  | { readonly kind: "closed"; readonly why: string };

/** Counters of one stream since it was opened. */
export interface StreamStats {
  readonly packetsReceived: number;
  readonly octetsReceived: number;
  readonly packetsSent: number;
  readonly octetsSent: number;
  readonly lost: number;
  readonly late: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly foreign: number; // from a source that is not ours
  readonly unauthentic: number; // SRTP: plain, forged or under another key
  readonly replayed: number; // SRTP: received before, or too old to tell
  readonly jitterMs: number;
  readonly roundTripMs: number; // -1: unknown
  readonly remoteLost: number; // from the peer's reports
  readonly remoteJitterMs: number;
  readonly codec: string; // last received
}

/** Mono s16 samples, or a WAV/.ulaw/.alaw/.sln file read and checked by signaling. */
export interface AudioClip {
  readonly samples: Int16Array;
  readonly sampleRate: 8000 | 16000 | 48000;
}

export interface ToneStep {
  readonly frequencies: readonly number[]; // Hz, 0..4 of them; none: silence
  readonly levelDbm0: number; // per sine
  readonly ms: number; // 0: for ever
}

/** One RTP port pair (or one muxed port) in one worker. After `close` every call is refused. */
export interface MediaStream {
  readonly id: number;
  readonly local: SocketAddress; // RTP
  readonly localRtcp: SocketAddress;
  /** Takes effect before any later command of the stream. A configuration the core refuses closes the stream. */
  configure(config: StreamConfig): Promise<void>;
  /** Two-party bridge, both directions; relays in place when the codecs are equal. Moves this stream to the other's worker if needed. */
  connect(peer: MediaStream): Promise<void>;
  /** Back to a stream that hears nothing and is heard by nobody: leaves bridge, conference, echo. */
  disconnect(): Promise<void>;
  /** Sends back what it receives. */
  echo(): Promise<void>;
  join(conference: string, options: { readonly muted: boolean }): Promise<void>;
  /** Resolves at the end of the clip, at `stopPlaying` or `close`; true only when it was played to its end. */
  play(clip: AudioClip, options: { readonly loop: boolean }): Promise<boolean>;
  tone(steps: readonly ToneStep[], options: { readonly loop: boolean }): Promise<boolean>;
  stopPlaying(): Promise<void>;
  /** Decoded audio of what is received, as it comes, until `stop`. For recording and for the probe. */
  record(sink: (samples: Int16Array, sampleRate: number) => void): Promise<{ stop(): Promise<void> }>;
  /** RFC 4733 when negotiated, else in-band tones. Digits 0-9 * # A-D; resolves when the last one was sent. */
  sendDigits(digits: string, options: { readonly durationMs: number; readonly gapMs: number }): Promise<void>;
  stats(): Promise<StreamStats>;
  on(listener: (event: MediaEvent) => void): () => void;
  /** Resolves with the last counters; undefined when it was closed already. */
  close(): Promise<StreamStats | undefined>;
}

export interface MediaPlane {
  /** Opens an even/odd port pair in the range at random. Rejects with `NoPort` when the range is exhausted. */
  open(options: {
    readonly host: string; // address to bind
    readonly ports: readonly [number, number];
    readonly dscp?: number;
    readonly rtcpMux?: boolean; // no second port
    /** Open in the same worker as this one. */
    readonly near?: MediaStream;
  }): Promise<MediaStream>;
  readonly workers: number;
  /** Open streams, conferences and their members, for status and leak tests. */
  readonly counts: { readonly streams: number; readonly conferences: number };
  stop(): Promise<void>;
}

export class NoPort extends Error {}
