import type { Indication } from "../../kernel/services.ts";
import { DialplanError } from "../../kernel/dialplan.ts";
import { aborted, type Application, checkDuration, readDuration, sleep } from "../application.ts";

/** Q.850 causes by the names an operator knows. */
export const causes: Readonly<Record<string, number>> = {
  unallocated: 1,
  no_route: 3,
  normal: 16,
  busy: 17,
  no_user_response: 18,
  no_answer: 19,
  unavailable: 20,
  rejected: 21,
  changed: 22,
  out_of_order: 27,
  invalid: 28,
  congestion: 34,
  failure: 38,
};

/** 0..127, or undefined when the text is no cause. */
export function readCause(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) < 128 ? Number(text) : undefined;
  return causes[text.toLowerCase().replaceAll(/[- ]/g, "_")];
}

const indicate = (name: string, summary: string, indication: Indication): Application => ({
  name,
  summary,
  args: [0, 0],
  async run({ channel }) {
    await channel.indicate(indication);
    return "next";
  },
});

/** Says no, waits (for ever, or the time given) for the caller to hang up, and ends the call. */
const refuse = (name: "busy" | "congestion", cause: number): Application => ({
  name,
  summary: `Answers ${name === "busy" ? 486 : 503} (a tone when the call is up) and ends the call`,
  args: [0, 1],
  check: ([time]) => checkDuration(time),
  async run({ channel, args, signal }, { host }) {
    await channel.indicate(name);
    if (channel.state === "up") {
      const ms = readDuration(args[0], 0);
      if (ms > 0) await sleep(host.world, ms, signal);
      else await aborted(signal);
    }
    return { hangup: cause };
  },
});

export const callApps: readonly Application[] = [
  {
    name: "answer",
    summary: "Answers the call; with a time, then waits for it",
    args: [0, 2],
    check: ([time]) => checkDuration(milliseconds(time)),
    async run({ channel, args, signal }, { host }) {
      await channel.answer();
      const ms = readDuration(milliseconds(args[0]), 0);
      if (ms > 0) await sleep(host.world, ms, signal);
      return "next";
    },
  },
  {
    name: "hangup",
    summary: "Ends the call, with a cause by number or name",
    args: [0, 1],
    check: ([cause]) =>
      cause === undefined || cause === "" || readCause(cause) !== undefined
        ? undefined
        : `expected a cause 0-127 or one of ${Object.keys(causes).join(", ")}, found ${JSON.stringify(cause)}`,
    async run({ args }) {
      const [text] = args;
      if (text === undefined || text === "") return "hangup";
      const cause = readCause(text);
      if (cause === undefined) throw new DialplanError(`${JSON.stringify(text)} is not a cause`);
      return { hangup: cause };
    },
  },
  indicate("ringing", "Tells the caller that it rings (180)", "ringing"),
  indicate("progress", "Opens early media towards the caller (183)", "progress"),
  indicate("proceeding", "Tells the caller that the call goes on (100)", "proceeding"),
  {
    name: "incomplete",
    summary: "Answers 484: more digits are needed",
    args: [0, 1],
    async run({ channel }) {
      await channel.indicate("incomplete");
      return { hangup: 28 };
    },
  },
  refuse("busy", 17),
  refuse("congestion", 34),
];

/** Asterisk's `Answer(500)` counts milliseconds. */
const milliseconds = (text: string | undefined): string | undefined =>
  text !== undefined && /^\d+$/.test(text) ? `${text}ms` : text;
