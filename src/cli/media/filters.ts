import type { Core } from "../../worker/core.ts";
import { WrongUse } from "../command.ts";

const WORKBENCH_OCTETS = 262_144;
const FRAMES_PER_SECOND = 50;

/** What stands between stdin and stdout: octets in, a frame of 20 ms at a time, octets out. */
export interface Filter {
  /** Octets of a frame of input. */
  readonly octets: number;
  /** A frame; the last may be shorter. What it returns is good until the next call. */
  feed(frame: Uint8Array): Uint8Array | undefined;
}

export interface FilterOptions {
  readonly codec: string;
  readonly rate: number;
  readonly from: number;
  readonly to: number;
  readonly members: number;
}

type Made = (core: Core, options: FilterOptions) => Filter;

/** The filters by the name of their command. */
export const filters: Readonly<Record<string, { readonly summary: string; readonly make: Made }>> = {
  dtmf: {
    summary: "digits in s16le [--rate 8000]: DIGIT OFFSET, a line each",
    make: (core, { rate }) => {
      core.dtmfReset(0);
      return listening(core, rate, (samples, count) => core.dtmfFeed(0, samples, count));
    },
  },
  tones: {
    summary: "fax tones in s16le [--rate 8000]: f (CNG), e (CED) or v (V.21 preamble) and OFFSET, a line each",
    make: (core, { rate }) => {
      core.faxToneReset(0);
      return listening(core, rate, (samples, count) => core.faxToneFeed(0, samples, count));
    },
  },
  encode: {
    summary: "s16le to the octets of --codec ulaw, alaw (8 kHz) or g722 (16 kHz)",
    make: (core, { codec }) => {
      const { rate, encode } = codecNamed(core, codec);
      const bench = benchOf(core);
      return {
        octets: 2 * rate / FRAMES_PER_SECOND,
        feed: (frame) => bench.octets(encode(bench.far, bench.put(frame), frame.length >> 1), bench.far),
      };
    },
  },
  decode: {
    summary: "the octets of --codec ulaw, alaw or g722 to s16le",
    make: (core, { codec }) => {
      const { decode } = codecNamed(core, codec);
      const bench = benchOf(core);
      return {
        octets: 160,
        feed: (frame) => bench.octets(2 * decode(bench.far, bench.put(frame), frame.length), bench.far),
      };
    },
  },
  resample: {
    summary: "s16le at --from to s16le at --to: 8000, 16000, 32000 or 48000",
    make: (core, { from, to }) => {
      core.resampleReset(0);
      const bench = benchOf(core);
      const unit = from / divisor(from, to);
      return {
        octets: 2 * from / FRAMES_PER_SECOND,
        feed: (frame) => {
          const count = frame.length >> 1;
          bench.put(frame);
          const whole = Math.ceil(count / unit) * unit;
          bench.silence(2 * count, 2 * (whole - count));
          core.resampleRun(0, from, to, bench.far, bench.near, whole);
          return bench.octets(2 * Math.floor(count * to / from), bench.far);
        },
      };
    },
  },
  mix: {
    summary: "--members N interleaved s16le [--rate 8000]: what each of them hears, interleaved",
    make: (core, { rate, members }) => {
      const samples = rate / FRAMES_PER_SECOND;
      core.mixerFrame(0, samples);
      const everyone = Array.from({ length: members }, (_, member) => member);
      for (const member of everyone) core.mixerJoin(0, member);
      const view = (offset: number) => new Int16Array(core.memory.buffer, offset, samples);
      const input = new Int16Array(samples * members);
      const output = new Int16Array(samples * members);
      const inputOctets = new Uint8Array(input.buffer);
      const outputOctets = new Uint8Array(output.buffer);
      return {
        octets: 2 * samples * members,
        feed: (frame) => {
          input.fill(0);
          inputOctets.set(frame);
          const count = Math.floor(frame.length / (2 * members));
          for (const member of everyone) {
            const to = view(core.mixerInput(member));
            for (let n = 0; n < samples; n++) to[n] = input[n * members + member] ?? 0;
          }
          core.mixerRun(0);
          for (const member of everyone) {
            const heard = view(core.mixerOutput(member));
            for (let n = 0; n < count; n++) output[n * members + member] = heard[n] ?? 0;
          }
          return outputOctets.subarray(0, 2 * count * members);
        },
      };
    },
  },
};

interface Codec {
  /** Samples per second. */
  readonly rate: number;
  /** `count` samples at an offset to octets at `to`: octets written. */
  encode(to: number, samples: number, count: number): number;
  /** `count` octets to samples: samples written. */
  decode(to: number, octets: number, count: number): number;
}

function codecNamed(core: Core, name: string): Codec {
  const perOctet =
    (run: (to: number, from: number, count: number) => void) => (to: number, from: number, count: number) => {
      run(to, from, count);
      return count;
    };
  switch (name) {
    case "ulaw":
      return { rate: 8000, encode: perOctet(core.g711EncodeUlaw), decode: perOctet(core.g711DecodeUlaw) };
    case "alaw":
      return { rate: 8000, encode: perOctet(core.g711EncodeAlaw), decode: perOctet(core.g711DecodeAlaw) };
    case "g722":
      core.g722Reset(0);
      return {
        rate: 16000,
        encode: (to, samples, count) => core.g722Encode(0, to, samples, count),
        decode: (to, octets, count) => core.g722Decode(0, to, octets, count, 0), // wraps at overload, as libspandsp does
      };
    default:
      throw new WrongUse(`--codec expects ulaw, alaw or g722, found "${name}"`);
  }
}

/** Text lines of what a detector at 8 kHz finds, with the samples (of the input) consumed when it did. */
function listening(core: Core, rate: number, detect: (samples: number, count: number) => number): Filter {
  const bench = benchOf(core);
  const text = new TextEncoder();
  const unit = rate / 8000;
  let consumed = 0;
  core.resampleReset(0);
  return {
    octets: 2 * rate / FRAMES_PER_SECOND,
    feed: (frame) => {
      const count = Math.floor(frame.length / 2 / unit) * unit;
      consumed += frame.length >> 1;
      bench.put(frame);
      let [samples, narrow] = [bench.near, count];
      if (rate !== 8000) {
        samples = bench.far;
        narrow = core.resampleRun(0, rate, 8000, samples, bench.near, count);
      }
      const found = detect(samples, narrow);
      return found > 0 ? text.encode(`${String.fromCharCode(found)} ${consumed}\n`) : undefined;
    },
  };
}

/** The core's workbench in two halves. */
function benchOf(core: Core) {
  const near = core.workbenchOffset();
  const far = near + WORKBENCH_OCTETS / 2;
  const memory = new Uint8Array(core.memory.buffer, near, WORKBENCH_OCTETS);
  return {
    near,
    far,
    put(octets: Uint8Array): number {
      memory.set(octets);
      return near;
    },
    silence: (from: number, count: number) => void memory.fill(0, from, from + count),
    octets: (count: number, at: number) => memory.subarray(at - near, at - near + count),
  };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
