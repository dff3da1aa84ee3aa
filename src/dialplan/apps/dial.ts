import { SipError } from "../../kernel/errors.ts";
import type { Channel, ChannelEvent, Party } from "../../kernel/services.ts";
import { type Application, beside, checkDuration, durationMs, readDuration, type Tools } from "../application.ts";
import { Bridge, type HoldRules } from "../bridge.ts";
import { type Leg, legsOf } from "../targets.ts";

const ANSWERED_ELSEWHERE = 26;
const NORMAL = 16;

export interface DialOptions {
  readonly goOn: boolean; // g: the dialplan goes on when the callee hangs up
  readonly ring: boolean; // r
  readonly music: string | undefined; // m(name)
  readonly limitMs: number | undefined; // S(seconds), L(ms)
  readonly digits: string | undefined; // D(digits), sent to the callee after the answer
}

/** Letters with arguments in parentheses; `unknown` are those without a meaning here. */
export function readDialOptions(text: string): DialOptions & { readonly unknown: string } {
  let [goOn, ring, unknown] = [false, false, ""];
  let [music, digits]: (string | undefined)[] = [undefined, undefined];
  let limitMs: number | undefined;
  for (const [, letter = "", argument] of text.matchAll(/([A-Za-z])(?:\(([^)]*)\))?/g)) {
    if (letter === "g") goOn = true;
    else if (letter === "r") ring = true;
    else if (letter === "m") music = argument || "default";
    else if (letter === "S") limitMs = durationMs(argument ?? "");
    else if (letter === "L") limitMs = durationMs(`${(argument ?? "").split(":")[0]}ms`);
    else if (letter === "D") digits = (argument ?? "").split(":")[0];
    else if (!"tTwWkKxXhHio".includes(letter)) unknown += letter;
  }
  return { goOn, ring, music, limitMs, digits, unknown };
}

export const dial = (rules: HoldRules): Application => ({
  name: "dial",
  summary: "Calls endpoints and bridges the first that answers: dial(bob&carol, 20s, options)",
  args: [1, 4],
  check: ([, time, options]) =>
    checkDuration(time) ??
      (options === undefined || readDialOptions(options).unknown === ""
        ? undefined
        : `option "${
          readDialOptions(options).unknown
        }" of dial is not known; known are g r m(name) S(s) L(ms) D(digits)`),
  async run({ channel, args, signal }, tools) {
    const [targets = "", time, options = ""] = args;
    const dialling = new Dialling(channel, readDialOptions(options), tools, rules);
    return await dialling.run(targets.split("&").map((t) => t.trim()), readDuration(time, 0), signal);
  },
});

/** One `dial`: its legs, who answered, and what came of the others. */
class Dialling {
  readonly #legs = new Map<Channel, () => void>();
  readonly #causes: { readonly cause: number; readonly status: number | undefined }[] = [];
  #winner: Channel | undefined;
  #early: Bridge | undefined;
  #told = false; // the caller hears of ringing or progress
  #allCalled = false;
  #settled = false; // somebody answered, or nobody is left
  #wake = () => {};

  constructor(
    readonly channel: Channel,
    readonly options: DialOptions,
    readonly tools: Tools,
    readonly rules: HoldRules,
  ) {}

  async run(targets: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<"next" | "hangup"> {
    const { host } = this.tools;
    const { variables } = this.channel;
    const began = host.world.now();
    for (const name of ["DIALSTATUS", "HANGUPCAUSE", "DIALSIPSTATUS"]) variables.delete(name);
    const legs = this.#resolve(targets);
    await this.#waiting(legs.length > 0);
    await Promise.all(legs.map((leg) => this.#call(leg, legs.length, signal)));
    this.#allCalled = true;
    this.#look();
    await this.#decided(timeoutMs, signal);
    const winner = this.#winner;
    this.#dropOthers(winner ? ANSWERED_ELSEWHERE : NORMAL);
    variables.set("DIALEDTIME", String(Math.round((host.world.now() - began) / 1000)));
    if (signal.aborted) {
      winner?.hangup(NORMAL);
      return this.#status("CANCEL", NORMAL);
    }
    if (winner === undefined) return await this.#failed();
    return await this.#talk(winner, signal);
  }

  /** Resolves when it is settled, after the time, or when the caller has gone. */
  #decided(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#settled || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer?.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = timeoutMs > 0 ? this.tools.host.world.after(timeoutMs, done) : undefined;
      signal.addEventListener("abort", done);
      this.#wake = done;
    });
  }

  #settle(): void {
    this.#settled = true;
    this.#wake();
  }

  #resolve(targets: readonly string[]): readonly Leg[] {
    const all: Leg[] = [];
    for (const target of targets) {
      const legs = legsOf(target, this.tools.host);
      if ("why" in legs) {
        this.tools.host.log.error(`dial ${target}: ${legs.why}`, { call: this.channel.id });
        this.#causes.push({ cause: legs.cause, status: undefined });
      } else all.push(...legs);
    }
    return all.slice(0, 64);
  }

  /** What the caller hears until somebody answers. */
  async #waiting(someone: boolean): Promise<void> {
    if (!someone) return;
    if (this.options.music !== undefined) {
      const clip = await this.tools.sounds.music(this.options.music);
      if (clip === undefined) return;
      this.#told = true;
      await this.channel.indicate("progress");
      this.#beside(this.channel.audio?.play(clip, { loop: true }));
    } else if (this.options.ring) await this.#ringing();
  }

  async #ringing(): Promise<void> {
    if (this.#told || this.channel.state === "up") return;
    this.#told = true;
    await this.channel.indicate("ringing");
  }

  async #call(leg: Leg, count: number, signal: AbortSignal): Promise<void> {
    const { host } = this.tools;
    let callee: Channel;
    try {
      callee = await host.sessions.originate({ ...leg, caller: callerOf(this.channel), caused: this.channel });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      host.log.error(`dial ${leg.endpoint.id}: ${why}`, { call: this.channel.id });
      const status = error instanceof SipError ? error.status : 500;
      this.#causes.push({ cause: status === 486 ? 17 : status === 503 ? 34 : 38, status: undefined });
      return;
    }
    if (signal.aborted || this.#winner) return callee.hangup(this.#winner ? ANSWERED_ELSEWHERE : NORMAL);
    this.#legs.set(callee, callee.on((event) => this.#heard(callee, count, event)));
    if (callee.state === "up") this.#answered(callee);
    else if (callee.state === "ended") this.#ended(callee, 38, undefined);
    else if (callee.state === "ringing") await this.#ringing();
  }

  #heard(callee: Channel, count: number, event: ChannelEvent): void {
    if (this.#winner) return;
    if (event.kind === "answered") this.#answered(callee);
    else if (event.kind === "ended") this.#ended(callee, event.cause, event.status);
    else if (event.kind === "ringing") this.#beside(this.#ringing());
    else if (event.kind === "progress") this.#beside(count === 1 ? this.#progress(callee) : this.#ringing());
  }

  /** Early media of a lone callee reaches the caller; of several, nobody's does. */
  async #progress(callee: Channel): Promise<void> {
    if (this.options.music !== undefined || this.options.ring || this.#early) return;
    this.#told = true;
    this.#early = this.#bridge(callee);
    if (this.channel.state !== "up") await this.channel.indicate("progress");
    await this.#early.join();
  }

  #answered(callee: Channel): void {
    this.#winner ??= callee;
    this.#settle();
  }

  #ended(callee: Channel, cause: number, status: number | undefined): void {
    this.#legs.get(callee)?.();
    this.#legs.delete(callee);
    this.#causes.push({ cause, status });
    this.#look();
  }

  /** Nobody left to wait for? */
  #look(): void {
    if (this.#allCalled && this.#legs.size === 0) this.#settle();
  }

  #beside(work: Promise<unknown> | undefined): void {
    beside(work, this.channel, this.tools.host.log);
  }

  #dropOthers(cause: number): void {
    for (const [callee, stop] of this.#legs) {
      stop();
      if (callee !== this.#winner) callee.hangup(cause);
    }
    this.#legs.clear();
  }

  async #failed(): Promise<"next"> {
    if (this.options.music !== undefined) await this.channel.audio?.stopPlaying();
    const found = this.#causes.map(({ cause, status }) => ({ cause, status, means: meaning(cause) }));
    const worst = found.find((f) => f.means === "BUSY") ?? found.find((f) => f.means === "CONGESTION") ??
      found.find((f) => f.means === "NOANSWER") ?? found[0];
    if (worst === undefined) return this.#status("NOANSWER", 19);
    if (worst.status !== undefined && kept.has(worst.status)) {
      this.channel.variables.set("DIALSIPSTATUS", String(worst.status));
    }
    return this.#status(worst.means, worst.cause);
  }

  #status<T extends string>(status: T, cause: number): "next" {
    this.channel.variables.set("DIALSTATUS", status);
    this.channel.variables.set("HANGUPCAUSE", String(cause));
    return "next";
  }

  async #talk(callee: Channel, signal: AbortSignal): Promise<"next" | "hangup"> {
    const { channel, options, tools } = this;
    const { host } = tools;
    channel.variables.set("DIALEDPEERNAME", callee.name);
    channel.variables.set("DIALEDPEERNUMBER", callee.called);
    channel.variables.set("CONNECTEDLINE(num)", callee.endpoint.callerId?.number || callee.called);
    channel.variables.set("CONNECTEDLINE(name)", callee.endpoint.callerId?.name ?? "");
    if (options.music !== undefined) await channel.audio?.stopPlaying();
    const bridge = this.#early ?? this.#bridge(callee);
    const joined = bridge.join(); // the sound need not wait for the ACK
    if (channel.state !== "up") await channel.answer();
    await joined;
    const began = host.world.now();
    if (options.digits) await callee.sendDigits(options.digits);
    let cause = NORMAL;
    const stop = callee.on((event) => {
      if (event.kind === "ended") cause = event.cause;
    });
    await bridge.run(signal, options.limitMs);
    stop();
    channel.variables.set("ANSWEREDTIME", String(Math.round((host.world.now() - began) / 1000)));
    this.#status("ANSWER", cause);
    callee.hangup(NORMAL);
    if (options.goOn && !signal.aborted) {
      await bridge.leave();
      return "next";
    }
    return "hangup";
  }

  #bridge(callee: Channel): Bridge {
    return new Bridge(this.channel, callee, this.tools.host, this.tools.sounds, this.rules);
  }
}

/** Final answers that say more than their cause does; they reach the caller as they are. */
const kept = new Set([404, 408, 410, 480, 484, 486, 488, 503, 600, 603]);

function meaning(cause: number): "BUSY" | "CONGESTION" | "NOANSWER" | "CHANUNAVAIL" {
  if (cause === 17) return "BUSY";
  if ([34, 38, 42, 44].includes(cause)) return "CONGESTION";
  return [16, 18, 19].includes(cause) ? "NOANSWER" : "CHANUNAVAIL";
}

/** Who calls, after what the dialplan set with `CALLERID`. */
export function callerOf(channel: Channel): Party {
  return {
    ...channel.caller,
    name: channel.variables.get("CALLERID(name)") ?? channel.caller.name,
    number: channel.variables.get("CALLERID(num)") ?? channel.caller.number,
  };
}
