import type { Core } from "../worker/core.ts";
import { type Command, exit, readArgs, readCount, WrongUse } from "./command.ts";
import { type Filter, filters } from "./media/filters.ts";

const RATES = [8000, 16000, 32000, 48000];
const OUTPUT_OCTETS = 65_536; // written at once

/** Where a command that is a filter reads and writes. */
export interface Pipes {
  input(): AsyncIterable<Uint8Array>;
  write(octets: Uint8Array): Promise<void>;
}

/** `patchbay media dtmf|tones|encode|decode|resample|mix`: the core's own functions on raw sound. */
export const media = (core: () => Promise<Core>, pipes: Pipes): Command => ({
  name: "media",
  summary: "Run a function of the media core over raw sound from stdin",
  usage: "dtmf|tones|encode|decode|resample|mix [options] < in > out",
  details: [
    ...Object.entries(filters).map(([name, { summary }]) => `${name.padEnd(9)} ${summary}`),
    "",
    "Samples are signed 16-bit little-endian, one channel. OFFSET counts samples of the input read when it was found.",
  ],
  async run(args, terminal) {
    const { values, positionals } = readArgs(args, {
      options: {
        codec: { type: "string", default: "ulaw" },
        rate: { type: "string", default: "8000" },
        from: { type: "string", default: "8000" },
        to: { type: "string", default: "16000" },
        members: { type: "string", default: "2" },
      },
    });
    const [name = "", ...more] = positionals;
    const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (!filter || more.length > 0) throw new WrongUse(`media expects one of ${Object.keys(filters).join(", ")}`);
    const options = {
      codec: values.codec,
      rate: readRate(values.rate, "rate"),
      from: readRate(values.from, "from"),
      to: readRate(values.to, "to"),
      members: readCount(values.members, 2, "members", 1, 1000),
    };
    try {
      await pass(filter.make(await core(), options), pipes);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
      terminal.err("patchbay: nobody reads the output any more");
      return exit.failed;
    }
    return exit.done;
  },
});

function readRate(text: string, name: string): number {
  const rate = RATES.find((known) => String(known) === text);
  if (rate === undefined) throw new WrongUse(`--${name} expects ${RATES.join(", ")}, found "${text}"`);
  return rate;
}

async function pass(filter: Filter, pipes: Pipes): Promise<void> {
  const output = new Uint8Array(OUTPUT_OCTETS);
  let filled = 0;
  const put = async (octets: Uint8Array | undefined) => {
    for (let from = 0; octets && from < octets.length;) {
      const part = octets.subarray(from, from + OUTPUT_OCTETS - filled);
      output.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled < OUTPUT_OCTETS) break;
      await pipes.write(output);
      filled = 0;
    }
  };
  const frame = new Uint8Array(filter.octets);
  let waiting = 0;
  for await (const chunk of pipes.input()) {
    for (let from = 0; from < chunk.length;) {
      const part = chunk.subarray(from, from + filter.octets - waiting);
      from += part.length;
      if (part.length === filter.octets) {
        await put(filter.feed(part));
        continue;
      }
      frame.set(part, waiting);
      waiting += part.length;
      if (waiting < filter.octets) break;
      waiting = 0;
      await put(filter.feed(frame));
    }
  }
  if (waiting > 0) await put(filter.feed(frame.subarray(0, waiting)));
  if (filled > 0) await pipes.write(output.subarray(0, filled));
}
