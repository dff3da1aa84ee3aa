import type { Channel } from "../kernel/services.ts";
import type { App, AppOutcome, DialplanHost, DialplanPlace, DialplanTarget } from "../kernel/dialplan.ts";
import { DialplanError } from "../kernel/dialplan.ts";
import { orAborted } from "./application.ts";
import type { Contexts, Extension, Found } from "./contexts.ts";
import { expand, type Scope } from "./template.ts";

/** What a run needs of the engine. */
export interface Runtime {
  readonly contexts: Contexts;
  readonly host: DialplanHost;
  readonly maxSteps: number; // without a second passing
  app(name: string): App | undefined;
  scope(channel: Channel, place: () => DialplanPlace, locals: () => ReadonlyMap<string, string> | undefined): Scope;
}

interface Frame {
  readonly context: string;
  readonly dialled: string;
  readonly extension: Extension;
  readonly index: number;
  readonly locals: Map<string, string>;
}

/** One channel on its way through the dialplan. Ends when the channel ends, at `hangup`, or after the last step. */
export class Run {
  #context: string;
  #dialled: string;
  #extension: Extension | undefined;
  #index = 0;
  #locals: Map<string, string> | undefined;
  readonly #frames: Frame[] = [];
  readonly #scope: Scope;
  #steps = 0;
  #since: number;

  constructor(readonly runtime: Runtime, readonly channel: Channel, context: string, extension: string) {
    this.#context = context;
    this.#dialled = extension;
    this.#since = runtime.host.world.now();
    this.#scope = runtime.scope(channel, () => this.#place, () => this.#locals);
  }

  get #place(): DialplanPlace {
    return { context: this.#context, extension: this.#dialled, priority: this.#index + 1 };
  }

  async run(): Promise<void> {
    const { channel } = this;
    if (!this.#enter(this.#context, this.#dialled, undefined)) {
      channel.hangup(1);
      return;
    }
    if (await this.#walk(channel.ended) === "finished") fallThrough(channel);
    await this.#atHangup();
  }

  /** "finished": no step is left; "over": the call was ended, or ended itself. */
  async #walk(signal: AbortSignal): Promise<"finished" | "over"> {
    for (;;) {
      if (this.#extension?.steps[this.#index] === undefined) return "finished";
      if (!this.#count()) {
        this.#end(`more than ${this.runtime.maxSteps} steps within a second: a loop?`);
        return "over";
      }
      const outcome = await this.#step(signal);
      if (signal.aborted) return "over";
      if (outcome === "hangup") return "finished";
      if (typeof outcome === "object" && "hangup" in outcome) {
        this.channel.hangup(outcome.hangup);
        return "over";
      }
      if (!this.#follow(outcome)) return "over";
    }
  }

  async #step(signal: AbortSignal): Promise<AppOutcome> {
    const step = this.#extension?.steps[this.#index];
    if (step === undefined) return "hangup";
    const { host } = this.runtime;
    const place = this.#place;
    host.events.emit("dialplan.step", {
      call: this.channel.id,
      context: place.context,
      extension: place.extension,
      step: step.source,
    });
    const app = this.runtime.app(step.app);
    if (app === undefined) return this.#fault(`there is no application "${step.app}"`);
    try {
      const args: string[] = [];
      for (const arg of step.args) args.push(await expand(arg, this.#scope));
      const text = await expand(step.text, this.#scope);
      const outcome = app({ channel: this.channel, args, text, place, signal });
      return await orAborted(outcome, signal) ?? "hangup";
    } catch (error) {
      if (signal.aborted) return "hangup"; // what it worked on is gone with the channel
      if (error instanceof DialplanError) return this.#fault(error.message);
      const text = error instanceof Error ? error.message : String(error);
      host.events.emit("module.fault", { module: "dialplan", where: step.source, error: text });
      return this.#fault(text);
    }
  }

  /** False when the run is over. */
  #follow(outcome: Exclude<AppOutcome, "hangup" | { readonly hangup: number }>): boolean {
    if (outcome === "next") {
      this.#index++;
      return true;
    }
    if ("goto" in outcome) return this.#goto(outcome.goto);
    if ("gosub" in outcome) {
      if (this.#frames.length >= 64) return this.#end("more than 64 nested gosub");
      const frame = this.#frame();
      if (!this.#goto(outcome.gosub)) return false;
      this.#frames.push(frame);
      this.#locals = new Map(outcome.args.map((value, at) => [`ARG${at + 1}`, value]));
      this.#locals.set("ARGC", String(outcome.args.length));
      return true;
    }
    const frame = this.#frames.pop();
    if (frame === undefined) return this.#end("return without gosub");
    this.#context = frame.context;
    this.#dialled = frame.dialled;
    this.#extension = frame.extension;
    this.#index = frame.index + 1;
    this.#locals = frame.locals;
    this.channel.variables.set("GOSUB_RETVAL", outcome.returned);
    return true;
  }

  #frame(): Frame {
    if (this.#extension === undefined) throw new DialplanError("gosub outside of an extension");
    return {
      context: this.#context,
      dialled: this.#dialled,
      extension: this.#extension,
      index: this.#index,
      locals: this.#locals ?? new Map(),
    };
  }

  #goto(target: DialplanTarget): boolean {
    const context = target.context ?? this.#context;
    const extension = target.extension ?? this.#dialled;
    if (this.#enter(context, extension, target.label)) return true;
    const invalid = this.runtime.contexts.find(context, "i");
    if (invalid && !this.runtime.contexts.find(context, extension)) {
      this.channel.variables.set("INVALID_EXTEN", extension);
      return this.#enter(context, "i", undefined);
    }
    return this.#end(`there is no ${extension}${target.label ? `,${target.label}` : ""} in context "${context}"`);
  }

  #enter(context: string, extension: string, label: string | undefined): boolean {
    const same = context === this.#context && extension === this.#dialled ? this.#extension : undefined;
    const found: Found | undefined = same
      ? { context, extension: same }
      : this.runtime.contexts.find(context, extension);
    if (found === undefined) return false;
    const index = label === undefined ? 0 : indexOf(found.extension, label, this.#index);
    if (index === undefined) return false;
    this.#context = context;
    this.#dialled = extension;
    this.#extension = found.extension;
    this.#index = index;
    return true;
  }

  /** Ends the call because of a fault in the dialplan. */
  #end(why: string): false {
    this.channel.hangup(this.#fault(why).hangup);
    return false;
  }

  #fault(why: string): { readonly hangup: number } {
    const { context, extension, priority } = this.#place;
    this.runtime.host.log.error(`${context},${extension},${priority}: ${why}`, { call: this.channel.id });
    this.runtime.host.metrics.count("faults");
    return { hangup: 38 };
  }

  /** False when too many steps ran without time passing. */
  #count(): boolean {
    const now = this.runtime.host.world.now();
    if (now - this.#since >= 1000) {
      this.#since = now;
      this.#steps = 0;
    }
    return ++this.#steps <= this.runtime.maxSteps;
  }

  /** The extension `h` of the context runs after the end; it can log and set, not speak. */
  async #atHangup(): Promise<void> {
    const found = this.runtime.contexts.find(this.#context, "h");
    if (found === undefined || this.#dialled === "h") return;
    this.#dialled = "h";
    this.#extension = found.extension;
    this.#index = 0;
    await this.#walk(new AbortController().signal);
  }
}

/** A label, a priority from 1, "n" (the next), or one of these with "+2". */
function indexOf(extension: Extension, label: string, current: number): number | undefined {
  const plus = /^(.+?)\+(\d+)$/.exec(label);
  const base = plus?.[1] ?? label;
  const more = Number(plus?.[2] ?? 0);
  const at = base === "n" ? current + 1 : /^\d+$/.test(base) ? Number(base) - 1 : extension.labels.get(base);
  if (at === undefined) return undefined;
  const index = at + more;
  return index >= 0 && index < extension.steps.length ? index : undefined;
}

/** What the last `dial` found out decides how an unanswered call ends. */
const causeOf = (channel: Channel): number => {
  const cause = Number(channel.variables.get("HANGUPCAUSE"));
  return channel.state !== "up" && Number.isInteger(cause) && cause > 0 && cause < 128 ? cause : 16;
};

function fallThrough(channel: Channel): void {
  const status = Number(channel.variables.get("DIALSIPSTATUS"));
  channel.hangup(causeOf(channel), channel.state !== "up" && status >= 400 && status < 700 ? status : undefined);
}
