// What passes between the signaling thread and a media thread. Commands have an answer; events have none.
import type { MediaEvent, StreamConfig, StreamStats, ToneStep } from "../kernel/media.ts";
import type { DetachedPair, OpenPair, PortPair } from "./packet_io.ts";

/** Codec numbers of the core (wasm/codec.ts). Others get one from 64 on, the same in all workers. */
export const CODEC_KINDS: Readonly<Record<string, number>> = {
  "PCMU/8000/1": 1,
  "PCMA/8000/1": 2,
  "G722/8000/1": 3,
  "L16/8000/1": 4,
  "CN/8000/1": 5,
};
export const FIRST_OTHER_KIND = 64;

/** A clip in memory that all workers share; never written after it was made. */
export interface SharedClip {
  readonly samples: SharedArrayBuffer; // i16
  readonly sampleRate: number;
}

/** What plays on a stream, to go on elsewhere. `request` is answered at its end. */
export type Playing =
  | {
    readonly kind: "clip";
    readonly request: number;
    readonly clip: SharedClip;
    readonly position: number; // samples
    readonly loop: boolean;
  }
  | { readonly kind: "tone"; readonly request: number; readonly steps: readonly ToneStep[]; readonly loop: boolean };

/** A stream between two workers. */
export interface Luggage {
  readonly record: Uint8Array;
  readonly sockets: DetachedPair;
  readonly player: Playing | undefined;
  readonly codecs: readonly (readonly [number, string])[];
  readonly digits: readonly number[]; // requests that wait for the last digit
  readonly events: boolean;
  readonly recording: boolean;
}

export type Command =
  | { readonly kind: "open"; readonly stream: number; readonly pair: OpenPair }
  | {
    readonly kind: "configure";
    readonly stream: number;
    readonly config: StreamConfig;
    /** Core numbers of config.codec and of each of config.accepted. */
    readonly kinds: readonly [number, readonly number[]];
  }
  | { readonly kind: "connect"; readonly stream: number; readonly peer: number }
  | { readonly kind: "disconnect"; readonly stream: number }
  | { readonly kind: "echo"; readonly stream: number }
  | { readonly kind: "join"; readonly stream: number; readonly conference: number; readonly muted: boolean }
  | { readonly kind: "play"; readonly stream: number; readonly clip: SharedClip; readonly loop: boolean }
  | { readonly kind: "tone"; readonly stream: number; readonly steps: readonly ToneStep[]; readonly loop: boolean }
  | { readonly kind: "stopPlaying"; readonly stream: number }
  | { readonly kind: "record"; readonly stream: number; readonly on: boolean }
  | {
    readonly kind: "sendDigits";
    readonly stream: number;
    readonly digits: string;
    readonly durationMs: number;
    readonly gapMs: number;
  }
  | { readonly kind: "stats"; readonly stream: number }
  | { readonly kind: "detach"; readonly stream: number }
  | { readonly kind: "attach"; readonly stream: number; readonly luggage: Luggage }
  | { readonly kind: "close"; readonly stream: number };

/** What a command resolves to: undefined where nothing is named. */
export interface Answers {
  readonly open: PortPair | "inUse";
  readonly stats: StreamStats;
  /** The last counters. */
  readonly close: StreamStats;
  readonly detach: Luggage;
  /** At the end; whether it was played to its end. */
  readonly play: boolean;
  readonly tone: boolean;
}

export type Answer<K extends Command["kind"]> = K extends keyof Answers ? Answers[K] : void;

/** `id` 0: only a refusal is answered, by closing the stream. */
export interface Request {
  readonly id: number;
  readonly command: Command;
}

export type ToWorker =
  | { readonly kind: "start"; readonly io: "auto" | "linux" | "portable" }
  | { readonly kind: "requests"; readonly requests: readonly Request[] }
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "ready"; readonly io: "linux" | "portable" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "reports"; readonly reports: readonly Report[] }
  | { readonly kind: "samples"; readonly stream: number; readonly samples: Int16Array; readonly sampleRate: number }
  | { readonly kind: "stopped" };

/** Reports of one turn of the loop travel together: a message between threads costs more than what is in it. */
export type Report =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly why: string }
  | { readonly kind: "event"; readonly stream: number; readonly event: MediaEvent };
