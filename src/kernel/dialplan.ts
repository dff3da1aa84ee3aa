// What the dialplan offers to other modules, and asks of the module that runs it.
import type { ModuleContext, OptionFault } from "./module.ts";
import type { Channel } from "./services.ts";
import { token } from "./token.ts";

/** Where a channel is in the dialplan. */
export interface DialplanPlace {
  readonly context: string;
  readonly extension: string;
  readonly priority: number; // from 1
}
/** A place to go to; what is absent stays as it is. */
export interface DialplanTarget {
  readonly context?: string;
  readonly extension?: string;
  /** A label or a priority; absent: the first step. */
  readonly label?: string;
}

export interface AppCall {
  readonly channel: Channel;
  readonly args: readonly string[]; // expanded
  readonly text: string; // all arguments as written, expanded: for "set", "noop", "gotoif"
  readonly place: DialplanPlace;
  readonly signal: AbortSignal; // the channel ended
}
export type AppOutcome =
  | "next"
  | "hangup" // ends the extension and the channel, with the cause that the last `dial` left
  | { readonly hangup: number } // with this Q.850 cause
  | { readonly goto: DialplanTarget }
  | { readonly gosub: DialplanTarget; readonly args: readonly string[] }
  | { readonly returned: string };
/** An application. Throws `DialplanError` for wrong use. */
export type App = (call: AppCall) => Promise<AppOutcome>;
/** Wrong use of an application at run time: logged with the place, ends the call with cause 38. */
export class DialplanError extends Error {}
/** `${NAME(args)}`; `write` for assignment. */
export interface DialplanFunction {
  read?(channel: Channel, args: readonly string[]): string | Promise<string>;
  write?(channel: Channel, args: readonly string[], value: string): void | Promise<void>;
}

export interface Dialplan {
  /** Also declare the name under `app` in the module's `names`. */
  app(name: string, summary: string, app: App): void;
  func(name: string, summary: string, func: DialplanFunction): void;
  /** Runs an extension on a channel until it ends. */
  run(channel: Channel, context: string, extension: string): Promise<void>;
  lookup(context: string, extension: string): "found" | "partial" | "absent";
  /** The hint of an extension ("PJSIP/alice"), if it has one. */
  hint(context: string, extension: string): string | undefined;
  readonly contexts: readonly string[];
  readonly apps: readonly { readonly name: string; readonly summary: string }[];
}
export const dialplan = token<Dialplan>("dialplan");

/** The dialplan's options as the manifest writes them. */
export interface DialplanOptions {
  readonly general: DialplanGeneral;
  readonly globals: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, DialplanContext>>;
}
export interface DialplanGeneral {
  readonly imported: boolean; // unknown applications are answered when they are reached
  readonly sounds: string; // folder
  readonly musicOnHold: string | undefined;
  readonly maxSteps: number;
}
export interface DialplanContext {
  readonly include: readonly string[];
  readonly hints: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, readonly string[]>>;
}

/** What the engine needs of the module that runs it. */
export type DialplanHost = Pick<
  ModuleContext<unknown>,
  "sessions" | "objects" | "use" | "find" | "events" | "log" | "metrics" | "world"
>;

/** The `dialplan` room, offered by the host: the module of that name only holds the options. */
export interface DialplanEngine {
  /** Every fault, with its path below the module's key. `apps` and `functions`: those of other modules. */
  check(
    options: DialplanOptions,
    known: { readonly apps: readonly string[]; readonly functions: readonly string[] },
  ): readonly OptionFault[];
  start(options: DialplanOptions, host: DialplanHost): Dialplan;
}
export const dialplanEngine = token<DialplanEngine>("dialplanEngine"); // provided by the host
