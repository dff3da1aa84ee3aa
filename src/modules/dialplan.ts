import * as v from "valibot";
import { type CheckContext, defineModule } from "../kernel/module.ts";
import { bool, integer } from "../kernel/schema.ts";
import { hostWorld } from "../kernel/services.ts";
import {
  dialplan,
  type DialplanContext,
  dialplanEngine,
  type DialplanHost,
  type DialplanOptions,
} from "../kernel/dialplan.ts";

const step = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const steps = v.union([step, v.pipe(v.array(step), v.minLength(1), v.maxLength(1000))]);

const general = v.strictObject({
  /** The contexts come from Asterisk: an unknown application is an error only when a call reaches it. */
  imported: bool(false),
  /** Folder of sound files. */
  sounds: v.optional(v.string(), "."),
  /** What a held caller hears: a sound file, "melody" (built in); absent: silence. */
  musicOnHold: v.optional(v.string()),
  /** Steps a call may run within one second; more is taken for a loop. */
  maxSteps: integer(1000, 10, 100_000),
});

/** Extensions and patterns by their key; `include` and `hints` are not extensions. */
const context = v.objectWithRest(
  {
    /** Contexts searched after this one, in order. */
    include: v.optional(v.array(v.string()), []),
    /** Device whose state an extension shows: `{ "100": "PJSIP/alice" }`. */
    hints: v.optional(v.record(v.string(), v.string()), {}),
  },
  steps,
);

const options = v.objectWithRest(
  { general: v.optional(general, {}), globals: v.optional(v.record(v.string(), v.string()), {}) },
  context,
);

/** Contexts, extensions and steps: what happens with a call. */
export default defineModule({
  name: "dialplan",
  summary: "Runs calls through contexts, extensions and applications",
  replaces: "pbx_config",
  requires: ["core", "session"],
  options,
  fields: {
    endpoint: {
      /** Music for the peer of this endpoint while it holds: a sound; "default" is `general.musicOnHold`. */
      mohSuggest: v.optional(v.string(), "default"),
      /** Variables and functions set before the first step of its calls: `["CALLERID(num)=100", "GROUP=sales"]`. */
      setVar: v.optional(v.array(v.pipe(v.string(), v.regex(/^[^=]+=/, 'expected "name=value"'))), []),
    },
  },
  names: (options) => ({ context: Object.keys(read(options).contexts) }),
  effect: { general: "new calls", globals: "new calls" },
  check(options, known: CheckContext) {
    return known.use(dialplanEngine).check(read(options), {
      apps: known.names("app"),
      functions: known.names("function"),
    });
  },
  setup(ctx) {
    const { sessions, objects, events, log, metrics } = ctx;
    // Steps that run when the module is reloaded go on: their timers are not the module's.
    const world = ctx.use(hostWorld);
    const host: DialplanHost = { sessions, objects, events, log, metrics, world, use: ctx.use, find: ctx.find };
    const running = ctx.use(dialplanEngine).start(read(ctx.options), host);
    ctx.provide(dialplan, running);
    ctx.sessions.answerer({
      lookup: (context, extension) => running.lookup(context, extension),
      run: (channel, context, extension) => running.run(channel, context, extension),
    });
  },
});

/** The contexts apart from the two keys that are none. */
function read({ general, globals, ...contexts }: v.InferOutput<typeof options>): DialplanOptions {
  const one = ({ include, hints, ...extensions }: v.InferOutput<typeof context>): DialplanContext => ({
    include,
    hints,
    extensions: Object.fromEntries(
      Object.entries(extensions).map(([key, value]) => [key, typeof value === "string" ? [value] : value]),
    ),
  });
  return {
    general: { ...general, musicOnHold: general.musicOnHold },
    globals,
    contexts: Object.fromEntries(Object.entries(contexts).map(([name, value]) => [name, one(value)])),
  };
}
