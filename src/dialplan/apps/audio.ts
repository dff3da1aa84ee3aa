import type { Channel } from "../../kernel/services.ts";
import { type AppCall, DialplanError } from "../../kernel/dialplan.ts";
import {
  aborted,
  type Application,
  audioOf,
  beside,
  checkDuration,
  orAborted,
  readDuration,
  sleep,
  type Tools,
} from "../application.ts";
import { readTones } from "../tones.ts";

/** Plays sounds one after the other; a digit of `stops` ends it and is the result. */
async function playAll(
  channel: Channel,
  names: readonly string[],
  tools: Tools,
  signal: AbortSignal,
  stops = "",
): Promise<string | undefined> {
  const audio = await audioOf(channel);
  if (audio === undefined) return undefined;
  let pressed: string | undefined;
  const stop = channel.on((event) => {
    if (event.kind !== "digit" || pressed !== undefined || !stops.includes(event.digit)) return;
    pressed = event.digit;
    beside(audio.stopPlaying(), channel, tools.host.log);
  });
  try {
    for (const name of names) {
      const clip = await tools.sounds.clip(name);
      if (signal.aborted || pressed !== undefined) break;
      await orAborted(audio.play(clip, { loop: false }), signal);
    }
  } finally {
    stop();
  }
  return pressed;
}

/** Collects digits as they come. */
class Digits {
  #text = "";
  #changed: (() => void) | undefined;
  readonly #stop: () => void;

  constructor(channel: Channel) {
    this.#stop = channel.on((event) => {
      if (event.kind !== "digit" || this.#text.length >= 64) return;
      this.#text += event.digit;
      this.#changed?.();
    });
  }

  get text(): string {
    return this.#text;
  }

  /** True when a digit came within the time. */
  async more(tools: Tools, ms: number, signal: AbortSignal): Promise<boolean> {
    const woken = new AbortController();
    this.#changed = () => woken.abort();
    await sleep(tools.host.world, ms, AbortSignal.any([signal, woken.signal]));
    this.#changed = undefined;
    return woken.signal.aborted;
  }

  close(): void {
    this.#stop();
  }
}

async function read(
  channel: Channel,
  args: readonly string[],
  tools: Tools,
  signal: AbortSignal,
): Promise<{ readonly digits: string; readonly status: string }> {
  const [, prompt, most, , attempts, time] = args;
  const limit = most === undefined || most === "" ? 64 : Math.min(64, Math.max(1, Number.parseInt(most) || 64));
  const wait = readDuration(time, 5000);
  const audio = await audioOf(channel);
  if (audio === undefined) return { digits: "", status: "HANGUP" };
  for (let attempt = 0; attempt < Math.max(1, Number.parseInt(attempts ?? "") || 1); attempt++) {
    const digits = new Digits(channel);
    try {
      if (prompt) await playAll(channel, prompt.split("&"), tools, signal, "0123456789ABCD*#");
      while (!signal.aborted && digits.text.length < limit && !digits.text.endsWith("#")) {
        if (!await digits.more(tools, wait, signal)) break;
      }
      const text = digits.text.slice(0, limit).replace(/#.*$/, "");
      if (signal.aborted) return { digits: text, status: "HANGUP" };
      if (digits.text !== "") return { digits: text, status: "OK" };
    } finally {
      digits.close();
    }
  }
  return { digits: "", status: "TIMEOUT" };
}

const mediaType = (text: string) => (["audio", "video"] as const).find((type) => type === text.trim().toLowerCase());

/** Answers if nobody did; false when the channel ended meanwhile. */
async function isAnswered(channel: Channel): Promise<boolean> {
  await channel.answer();
  return !channel.ended.aborted;
}

async function echo({ channel, signal }: AppCall): Promise<"next" | "hangup"> {
  if (!await isAnswered(channel)) return "hangup";
  if (channel.lines.length === 0) throw new DialplanError("this call has no media");
  for (const { stream } of channel.lines) await stream?.echo();
  const left = new AbortController();
  const stop = channel.on((event) => {
    if (event.kind === "digit" && event.digit === "#") left.abort();
  });
  await aborted(AbortSignal.any([signal, left.signal]));
  stop();
  if (signal.aborted) return "next";
  for (const { stream } of channel.lines) await stream?.disconnect();
  return "next";
}

export const audioApps: readonly Application[] = [
  {
    name: "echo",
    summary: "Sends back what it hears and sees, until # or the end of the call",
    args: [0, 0],
    run: echo,
  },
  {
    name: "streamecho",
    summary:
      "The same with a number of lines: streamecho(2, video); the others of that type end, missing ones are added",
    args: [0, 2],
    check: ([count = "", type = ""]) => {
      if (!/^\d{0,2}$/.test(count)) return `"${count}" is no number of lines`;
      return type === "" || mediaType(type) ? undefined : `"${type}" is neither audio nor video`;
    },
    async run(call) {
      const [count = "", type = "video"] = call.args;
      const media = mediaType(type);
      if (await isAnswered(call.channel) && count !== "" && media) {
        await call.channel.renegotiate({ lines: { type: media, count: Number(count) } });
      }
      return await echo(call);
    },
  },
  {
    name: "playback",
    summary: 'Plays sound files: playback(file&file), "demo" and "melody" need no file',
    args: [1, 2],
    async run({ channel, args, signal }, tools) {
      const [names = "", options = ""] = args;
      if (options.includes("skip") && channel.state !== "up") return "next";
      try {
        await playAll(channel, names.split("&"), tools, signal);
        channel.variables.set("PLAYBACKSTATUS", "SUCCESS");
      } catch (error) {
        if (!(error instanceof DialplanError)) throw error;
        tools.host.log.warning(error.message, { call: channel.id }); // a missing file must not cost the call
        channel.variables.set("PLAYBACKSTATUS", "FAILED");
      }
      return "next";
    },
  },
  ...["music", "musiconhold"].map((name): Application => ({
    name,
    summary: "Plays music without end, or for a time: music(name, time)",
    args: [0, 2],
    check: ([, time]) => checkDuration(time),
    async run({ channel, args, signal }, tools) {
      const audio = await audioOf(channel);
      if (audio === undefined) return "hangup";
      const ms = readDuration(args[1], 0);
      const clip = await tools.sounds.music(args[0] || "default");
      if (clip === undefined) throw new DialplanError("there is no music");
      const over = new AbortController();
      if (ms > 0) void sleep(tools.host.world, ms, signal).then(() => over.abort());
      await orAborted(audio.play(clip, { loop: true }), AbortSignal.any([signal, over.signal]));
      if (!signal.aborted) await audio.stopPlaying();
      return "next";
    },
  })),
  ...["conference", "confbridge"].map((name): Application => ({
    name,
    summary: "Joins a conference by name; conference(name, muted) only listens",
    args: [1, 4],
    async run({ channel, args, signal }, tools) {
      const [conference = "", ...options] = args;
      if (!/^[\w.*#+-]{1,64}$/.test(conference)) {
        throw new DialplanError(`${JSON.stringify(conference)} is not the name of a conference`);
      }
      const audio = await audioOf(channel);
      if (audio === undefined) return "hangup";
      await audio.join(conference, { muted: options.includes("muted") });
      const members = tools.conferences.get(conference) ?? new Set<string>();
      tools.conferences.set(conference, members.add(channel.id));
      const tell = (event: "conference.joined" | "conference.left") =>
        tools.host.events.emit(event, { conference, call: channel.id, members: members.size });
      tell("conference.joined");
      await aborted(signal);
      members.delete(channel.id);
      if (members.size === 0) tools.conferences.delete(conference);
      tell("conference.left");
      return "next";
    },
  })),
  {
    name: "read",
    summary: "Collects digits: read(variable, prompt, most, options, attempts, time)",
    args: [1, 6],
    check: (args) => checkDuration(args[5]),
    async run({ channel, args, signal }, tools) {
      const { digits, status } = await read(channel, args, tools, signal);
      await tools.assign(channel, args[0] ?? "", digits);
      channel.variables.set("READSTATUS", status);
      return "next";
    },
  },
  {
    name: "waitexten",
    summary: "Waits for an extension to be dialled and goes there",
    args: [0, 2],
    check: ([time]) => checkDuration(time),
    async run({ channel, args, signal, place }, tools) {
      if (await audioOf(channel) === undefined) return "hangup";
      const wait = readDuration(args[0], 10_000);
      const digits = new Digits(channel);
      try {
        while (await digits.more(tools, digits.text === "" ? wait : 3000, signal)) {
          const state = tools.lookup(place.context, digits.text);
          if (state === "found") return { goto: { extension: digits.text } };
          if (state === "absent") break;
        }
        if (signal.aborted) return "hangup";
        if (digits.text !== "") return { goto: { extension: digits.text } }; // goes to "i" when there is none
        return tools.lookup(place.context, "t") === "found" ? { goto: { extension: "t" } } : "next";
      } finally {
        digits.close();
      }
    },
  },
  {
    name: "senddtmf",
    summary: "Sends digits: senddtmf(digits, gap, duration)",
    args: [1, 4],
    check: ([digits]) =>
      digits === undefined || /^[0-9*#A-Da-dw]+$/.test(digits)
        ? undefined
        : `expected digits 0-9 * # A-D, found ${JSON.stringify(digits)}`,
    async run({ channel, args, signal }, { host }) {
      const count = (text: string | undefined, absent: number) =>
        text === undefined || text === "" ? absent : /^\d+$/.test(text) ? Number(text) : readDuration(text, absent);
      const options = { gapMs: count(args[1], 250), durationMs: count(args[2], 100) };
      for (const part of (args[0] ?? "").split(/(w)/i)) {
        if (part.toLowerCase() === "w") await sleep(host.world, 500, signal);
        else if (part !== "") await orAborted(channel.sendDigits(part.toUpperCase(), options), signal);
      }
      return "next";
    },
  },
  {
    name: "playtones",
    summary: "Plays a tone until stopplaytones: busy, dial, ring, congestion, or a list such as 440/1000,0/4000",
    args: [1, Infinity],
    async run({ channel, text }, { host }) {
      const tones = readTones(text);
      if (tones === undefined) throw new DialplanError(`${JSON.stringify(text)} is not a tone`);
      const audio = await audioOf(channel);
      // the tone runs beside the next steps; it ends with the call or at stopplaytones
      beside(audio?.tone(tones, { loop: true }), channel, host.log);
      return "next";
    },
  },
  {
    name: "stopplaytones",
    summary: "Ends playtones",
    args: [0, 0],
    async run({ channel }) {
      await channel.audio?.stopPlaying();
      return "next";
    },
  },
];
