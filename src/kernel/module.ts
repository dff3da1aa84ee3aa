import type * as v from "valibot";
import type { World } from "../world/world.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EventBus } from "./events.ts";
import type { HttpRoutes } from "./http.ts";
import type { Logger } from "./log.ts";
import type { ObjectStore } from "./objects.ts";
import type { Metrics } from "./metrics.ts";
import type { Sessions } from "./services.ts";
import type { Dialplan } from "./dialplan.ts";
import type { ServiceToken } from "./token.ts";
import type { InboundHandler, InboundStage, Observer, OutboundHandler, OutboundStage } from "./stages.ts";
import type { Store } from "./store.ts";

/** Any valibot object schema without async parts. */
// deno-lint-ignore no-explicit-any
export type OptionsSchema = v.GenericSchema<any, any>;

/** Object types whose fields belong to several modules. */
export type SharedObject = "endpoint" | "aor" | "auth" | "transport" | "global" | "system";
export type FieldSchemas = Readonly<Partial<Record<SharedObject, v.ObjectEntries>>>;

/** The typed values of this module's own fields of a shared object. */
export type FieldsOf<F extends FieldSchemas, K extends keyof F> = F[K] extends v.ObjectEntries
  ? v.InferOutput<v.StrictObjectSchema<F[K], undefined>>
  : never;

/** Objects stand beside a module's options in the manifest, not inside its `options` schema. */
export interface ObjectDeclaration {
  /** Key below the module's own key in the manifest: `"endpoints"`. */
  readonly at: string;
  /** A plain `v.object`: the fields of other modules are added to it, and unknown keys are faults. */
  readonly schema: OptionsSchema;
  /** The value at `at` is the one object itself (id ""), always there, with its defaults when it is not written. */
  readonly singleton?: true;
  /** Objects that a shorthand stands for. */
  readonly implies?: readonly Implied[];
  /** What a change of such an object means for calls; absent: live. */
  readonly effect?: "new calls" | "restart";
}

/**
 * An endpoint with a password and no `auth` means an auth object of the same id. Fields that are not the endpoint's own
 * but the implied object's go there.
 */
export interface Implied {
  readonly type: SharedObject;
  /** The reference that is filled in; nothing is implied where it is written. */
  readonly field: string;
  /** Any of these fields, or any field that only the implied object has, implies it. */
  readonly when: readonly string[];
  values?(id: string): Readonly<Record<string, unknown>>;
}

/** Who uses a service. */
export interface ServiceUser {
  readonly module: string;
  /** Gives back what this user took from the service; runs at its unload, at once when it is gone already. */
  onRelease(run: () => void): void;
  /** A function this user handed over threw: counted, logged by name; the 5th in a minute disables the module. */
  fault(where: string, error: unknown): void;
}

/** All that a module sees of the host. What is taken through it is given back at unload. */
export interface ModuleContext<Options, F extends FieldSchemas = FieldSchemas> {
  readonly options: Options;
  /** This module's own fields of an endpoint; defaults filled in. */
  fields(endpoint: Endpoint): FieldsOf<F, "endpoint">;
  /** This module's own fields of another shared object by its id ("" for the singletons); undefined when absent. */
  fieldsOf<K extends Exclude<keyof F, "endpoint"> & SharedObject>(type: K, id: string): FieldsOf<F, K> | undefined;
  readonly objects: ObjectStore;
  provide<T>(token: ServiceToken<T>, implementation: T): void;
  /** A service that has to know who uses it, because it hands out what is given back: one face per using module. */
  provideEach<T>(token: ServiceToken<T>, face: (user: ServiceUser) => T): void;
  /** The provider must be required (directly or not) by this module, or be the host. */
  use<T>(token: ServiceToken<T>): T;
  /** Like `use`, undefined when nobody provides it: for a module that works with and without. */
  find<T>(token: ServiceToken<T>): T | undefined;
  inbound(stage: InboundStage, handler: InboundHandler, place?: "first" | "last"): void;
  outbound(stage: OutboundStage, handler: OutboundHandler, place?: "first" | "last"): void;
  observe(observer: Observer): void;
  /** `use(sessions)`, for modules that require "session". */
  readonly sessions: Sessions;
  /** `use(dialplan)`, for modules that require "dialplan". */
  readonly dialplan: Dialplan;
  readonly events: EventBus;
  readonly http: HttpRoutes;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Timers and sockets taken here end at unload. What must outlive a reload takes them from `use(hostWorld)`. */
  readonly world: World;
  /** Runs at unload, before what was taken is given back: for a goodbye on the wire. At most 5 s. */
  onUnload(run: () => void | Promise<void>): void;
  /** State handed over this module's own reload: called before the old one is unloaded, answered by `restored` of the new. */
  save(state: () => unknown): void;
  /** Undefined at the first start. */
  readonly restored: unknown;
}

/** A fault below a module's key. */
export interface OptionFault {
  readonly path: readonly string[];
  readonly message: string;
}

/** What a `check` may look at besides its options. Nothing is set up yet. */
export interface CheckContext {
  /** A service of the host; one of a module is not there yet. */
  use<T>(token: ServiceToken<T>): T;
  /** What all modules of the manifest declare with `names` under this kind, sorted. */
  names(kind: string): readonly string[];
}

export interface ModuleDefinition<S extends OptionsSchema = OptionsSchema, F extends FieldSchemas = FieldSchemas> {
  /** The file, the key in modules.json, the log and metric prefix. */
  readonly name: string;
  readonly summary: string;
  /** The Asterisk module whose job this is. */
  readonly replaces?: string;
  readonly requires: readonly string[];
  readonly options: S;
  /** Further fields of objects that core owns. */
  readonly fields?: F;
  /** Objects this module owns, by type. */
  readonly objects?: Readonly<Record<string, ObjectDeclaration>>;
  /**
   * Names that references may point to and that are not objects: `{ context: [...] }`. A module that adds dialplan
   * applications or functions declares them here as `app` and `function`, so that a dialplan is checked before it runs.
   */
  names?(options: v.InferOutput<S>): Readonly<Record<string, readonly string[]>>;
  /** Checks across fields; each fault names its place below the module's key. */
  check?(options: v.InferOutput<S>, context: CheckContext): readonly OptionFault[];
  /** A changed option takes effect for new calls only, or needs a restart; absent: live, by reload of the module. */
  readonly effect?: Readonly<Record<string, "new calls" | "restart">>;
  setup(ctx: ModuleContext<v.InferOutput<S>, F>): void | Promise<void>;
}

/** Identity function that types a module. */
export function defineModule<const S extends OptionsSchema, const F extends FieldSchemas = Record<never, never>>(
  definition: ModuleDefinition<S, F>,
): ModuleDefinition<S, F> {
  return definition;
}
