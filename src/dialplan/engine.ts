import type { OptionFault } from "../kernel/module.ts";
import type { Channel } from "../kernel/services.ts";
import type {
  App,
  Dialplan,
  DialplanEngine,
  DialplanFunction,
  DialplanHost,
  DialplanOptions,
  DialplanPlace,
} from "../kernel/dialplan.ts";
import { DialplanError } from "../kernel/dialplan.ts";
import type { Application, Tools } from "./application.ts";
import { audioApps } from "./apps/audio.ts";
import { callApps } from "./apps/call.ts";
import { dial } from "./apps/dial.ts";
import { flowApps } from "./apps/flow.ts";
import type { HoldRules } from "./bridge.ts";
import { checkOptions } from "./check.ts";
import { Contexts } from "./contexts.ts";
import { evaluate, ExpressionFault } from "./expression.ts";
import { functions } from "./functions.ts";
import { Run, type Runtime } from "./run.ts";
import { soundsIn } from "./sounds.ts";
import type { Scope } from "./template.ts";

/** Without a channel's own wish: silence while held. */
const holdRules: HoldRules = {
  passes: (channel) => channel.endpoint.values["mohPassthrough"] === true,
  music(channel) {
    const wish = channel.endpoint.values["mohSuggest"];
    return typeof wish === "string" && wish !== "default" ? wish : undefined;
  },
};

const ours: readonly Application[] = [...callApps, ...flowApps, ...audioApps, dial(holdRules)];

/** The `dialplan` room as a service of the host. */
export const engine: DialplanEngine = {
  check(options, known): readonly OptionFault[] {
    const names = functions.map((f) => f.name);
    return checkOptions(options, ours, new Set([...known.functions, ...names].map((n) => n.toUpperCase())), known.apps);
  },
  start: (options, host) => new RunningDialplan(options, host),
};

class RunningDialplan implements Dialplan {
  readonly #contexts: Contexts;
  readonly #apps = new Map<string, { readonly summary: string; readonly run: App }>();
  readonly #functions = new Map<string, DialplanFunction>();
  readonly #globals: Map<string, string>;
  readonly #runtime: Runtime;

  constructor(options: DialplanOptions, readonly host: DialplanHost) {
    this.#contexts = new Contexts(options.contexts, []);
    this.#globals = new Map(Object.entries(options.globals));
    const tools: Tools = {
      host,
      sounds: soundsIn(options.general.sounds, options.general.musicOnHold, host.world.files),
      globals: this.#globals,
      conferences: new Map(),
      assign: (channel, name, value) => this.#assign(channel, name, value),
      lookup: (context, extension) => this.lookup(context, extension),
    };
    for (const app of ours) this.app(app.name, app.summary, (call) => app.run(call, tools));
    for (const one of functions) {
      const { read, write } = one;
      this.func(one.name, one.summary, {
        ...(read ? { read: (channel, args) => read(channel, args, tools) } : {}),
        ...(write ? { write: (channel, args, value) => write(channel, args, value, tools) } : {}),
      });
    }
    this.#runtime = {
      contexts: this.#contexts,
      host,
      maxSteps: options.general.maxSteps,
      app: (name) => this.#apps.get(name)?.run,
      scope: (channel, place, locals) => this.#scope(channel, place, locals),
    };
  }

  app(name: string, summary: string, run: App): void {
    this.#apps.set(name.toLowerCase(), { summary, run });
  }

  func(name: string, _summary: string, func: DialplanFunction): void {
    this.#functions.set(name.toUpperCase(), func);
  }

  get apps(): readonly { readonly name: string; readonly summary: string }[] {
    return [...this.#apps].map(([name, { summary }]) => ({ name, summary }));
  }

  get contexts(): readonly string[] {
    return this.#contexts.names;
  }

  lookup(context: string, extension: string): "found" | "partial" | "absent" {
    if (this.#contexts.find(context, extension)) return "found";
    return this.#contexts.couldMatch(context, extension) ? "partial" : "absent";
  }

  hint(context: string, extension: string): string | undefined {
    return this.#contexts.hint(context, extension);
  }

  async run(channel: Channel, context: string, extension: string): Promise<void> {
    await this.#presets(channel);
    await new Run(this.#runtime, channel, context, extension).run();
  }

  /** `setVar` of the endpoint; the module that owns the field checked that each is name=value. */
  async #presets(channel: Channel): Promise<void> {
    const presets = channel.endpoint.values["setVar"];
    for (const preset of Array.isArray(presets) ? presets : []) {
      const [name = "", ...value] = String(preset).split("=");
      try {
        await this.#assign(channel, name.trim(), value.join("=").trim());
      } catch (error) {
        if (!(error instanceof DialplanError)) throw error;
        this.host.log.warning(`setVar of ${channel.endpoint.id}: ${error.message}`, { call: channel.id });
      }
    }
  }

  async #assign(channel: Channel, name: string, value: string): Promise<void> {
    const called = /^([A-Za-z_]\w*)\((.*)\)$/s.exec(name);
    if (called === null) {
      if (!/^\w[\w.:~-]{0,63}$/.test(name)) throw new DialplanError(`${JSON.stringify(name)} is not a variable's name`);
      channel.variables.set(name.replace(/^_{1,2}/, ""), value);
      return;
    }
    const func = this.#functions.get((called[1] ?? "").toUpperCase());
    if (func?.write === undefined) throw new DialplanError(`${called[1]}() cannot be assigned`);
    await func.write(channel, (called[2] ?? "").split(",").map((a) => a.trim()), value);
  }

  #scope(
    channel: Channel,
    place: () => DialplanPlace,
    locals: () => ReadonlyMap<string, string> | undefined,
  ): Scope {
    const builtin = (name: string): string | undefined => {
      const { context, extension, priority } = place();
      switch (name.toUpperCase()) {
        case "EXTEN":
          return extension;
        case "CONTEXT":
          return context;
        case "PRIORITY":
          return String(priority);
        case "CHANNEL":
          return channel.name;
        case "UNIQUEID":
          return channel.id;
        case "EPOCH":
          return String(Math.floor(this.host.world.wallClock() / 1000));
        default:
          return undefined;
      }
    };
    const value = (name: string): string | undefined =>
      builtin(name) ?? locals()?.get(name) ?? channel.variables.get(name) ?? this.#globals.get(name);
    return {
      variable: value,
      call: async (name, args) => {
        const func = this.#functions.get(name.toUpperCase());
        if (func?.read === undefined) throw new DialplanError(`there is no function ${name}() to read`);
        return await func.read(channel, args);
      },
      evaluate: (text) => this.#evaluate(text),
    };
  }

  #evaluate(text: string): string {
    try {
      return evaluate(text);
    } catch (fault) {
      if (!(fault instanceof ExpressionFault)) throw fault;
      throw new DialplanError(`$[${text}]: ${fault.message}`, { cause: fault });
    }
  }
}
