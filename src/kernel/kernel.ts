// The kernel of a running server: which modules run, and the exchange of one set for another.
import * as v from "valibot";
import type { World } from "../world/world.ts";
import { changesBetween, withoutRestarts } from "./changes.ts";
import {
  type AnyModule,
  type Configuration,
  configure,
  configureValue,
  type ModuleConfig,
  type Override,
  type Surroundings,
} from "./configuration.ts";
import { type Host, moduleContext } from "./context.ts";
import { ConfigError, type ConfigFault } from "./errors.ts";
import { Bus } from "./events.ts";
import { closure } from "./graph.ts";
import { KeyedQueue } from "./keyed_queue.ts";
import { LoadedModule } from "./loaded_module.ts";
import { type LogRecord, moduleLogger } from "./log.ts";
import { MetricsRegistry } from "./metrics.ts";
import { ObjectTable } from "./object_table.ts";
import { ServiceTable } from "./service_table.ts";
import {
  type Administration,
  administration,
  type ConfigChange,
  generatedSecrets,
  hostWorld,
  type Lifecycle,
  lifecycle,
  type ModuleState,
  stages,
} from "./services.ts";
import { type ServiceToken } from "./token.ts";
import { StageTable } from "./stage_table.ts";
import type { Store } from "./store.ts";

/** A service of the host. */
export interface Offer {
  readonly token: ServiceToken<unknown>;
  readonly implementation: unknown;
}
export const offer = <T>(token: ServiceToken<T>, implementation: T): Offer => ({ token, implementation });

export interface KernelOptions {
  readonly world: World;
  /** The text of a manifest, or its value. */
  readonly manifest: string | Readonly<Record<string, unknown>>;
  /** The modules a manifest may name. */
  readonly modules: readonly AnyModule[];
  readonly services?: readonly Offer[];
  readonly store?: Store;
  /** Opens further services and the store when the manifest was found good, before the first module is set up. */
  open?(): Promise<{ readonly store: Store; readonly services: readonly Offer[] }>;
  /** The name in faults ("modules.json"), and the folder of relative paths ("."). */
  readonly file?: string;
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Kept random secrets; absent: `generated-<name>`, for checks and tests. */
  generated?(name: string): Promise<string>;
  /** Reads a module's file; `fresh`: again, although it did not change. */
  importModule?(path: string, fresh: boolean): Promise<AnyModule>;
  /** The text of the manifest as it is now, for reload. */
  readManifest?(): Promise<string>;
  log?(record: LogRecord): void;
}

/** Checks the manifest and sets all modules up. Rejects with a ConfigError; then nothing runs. */
export async function bootKernel(options: KernelOptions): Promise<Kernel> {
  const kernel = new Kernel(options);
  await kernel.start();
  return kernel;
}

/** Only checks: no module is set up. Rejects with a ConfigError. */
export async function checkManifest(options: KernelOptions): Promise<Configuration> {
  return await new Kernel(options).read(options.manifest, new Map());
}

const GOODBYE_MS = 5000;

const noStore: Store = {
  get: async () => ({ kind: "unavailable", why: "this server has no store" }),
  list: async () => ({ kind: "unavailable", why: "this server has no store" }),
  write: async () => ({ kind: "unavailable", why: "this server has no store" }),
};

/** The host as a user of services. */
const hostConfig: ModuleConfig = {
  definition: { name: "kernel", summary: "", requires: [], options: v.object({}), setup() {} },
  key: "kernel",
  place: { file: "", line: 1, column: 1 },
  file: undefined,
  options: {},
  written: {},
};

export class Kernel implements Administration, Lifecycle {
  /** Set by the host at the begin of a graceful shutdown. */
  stopping = false;
  readonly host: Host;
  readonly #options: KernelOptions;
  readonly #work = new KeyedQueue();
  readonly #self: LoadedModule;
  #running: Configuration = { modules: [], objects: [] };
  /** Modules in the order of their set-up. */
  #loaded = new Map<string, LoadedModule>();
  #manifest: KernelOptions["manifest"];
  /** Modules loaded and unloaded at run time, by key. */
  #overrides: ReadonlyMap<string, Override> = new Map();

  constructor(options: KernelOptions) {
    const { world } = options;
    this.#options = options;
    this.#manifest = options.manifest;
    this.host = {
      world,
      stages: new StageTable(),
      objects: new ObjectTable(),
      services: new ServiceTable(),
      events: new Bus(() => world.wallClock()),
      metrics: new MetricsRegistry(),
      store: options.store ?? noStore,
      routes: new Set(),
      writeLog: (record) => options.log?.(record),
    };
    this.#self = this.#holder(hostConfig, new Set());
    this.#provide([
      offer(stages, this.host.stages),
      offer(hostWorld, world),
      offer(administration, this),
      offer(lifecycle, this),
      offer(generatedSecrets, { get: (name) => this.#generated(name) }),
      ...options.services ?? [],
    ]);
  }

  #provide(offers: readonly Offer[]): void {
    for (const { token, implementation } of offers) {
      this.host.services.provide(token, () => implementation, undefined);
    }
  }

  /** A service, as the host sees it; undefined when no module offers it. */
  find<T>(token: ServiceToken<T>): T | undefined {
    return this.host.services.look(token, this.#self);
  }

  async start(): Promise<void> {
    const next = await this.read(this.#manifest, this.#overrides);
    const opened = await this.#options.open?.();
    if (opened) {
      this.host.store = opened.store;
      this.#provide(opened.services);
    }
    await this.#work.run("", () => this.#exchange(next, new Set()));
  }

  /** Unloads every module, the last set up first. */
  async stop(): Promise<void> {
    await this.#work.run("", () => this.#unload([...this.#loaded.values()]));
  }

  /** Reads and checks a manifest without setting anything up. */
  async read(
    manifest: KernelOptions["manifest"],
    overrides: ReadonlyMap<string, Override>,
    fresh?: string,
  ): Promise<Configuration> {
    const around = this.#surroundings(fresh);
    const file = this.#options.file ?? "modules.json";
    return typeof manifest === "string"
      ? await configure(manifest, file, around, overrides)
      : await configureValue(manifest, file, around, overrides);
  }

  #generated(name: string): Promise<string> {
    return this.#options.generated?.(name) ?? Promise.resolve(`generated-${name}`);
  }

  #surroundings(fresh: string | undefined): Surroundings {
    const { modules, environment = {}, folder = ".", world, importModule } = this.#options;
    return {
      catalog: modules,
      sources: { environment, folder, files: world.files, generated: (name) => this.#generated(name) },
      use: (token) => {
        const service = this.find(token);
        if (service === undefined) throw new Error(`the host does not offer the service "${token.name}"`);
        return service;
      },
      async importModule(path) {
        if (!importModule) throw new Error("this server reads no modules from files");
        return await importModule(path, path === fresh);
      },
    };
  }

  get modules(): readonly ModuleState[] {
    return [...this.#loaded.values()].map(state);
  }

  /** What runs, checked and in the order of set-up. */
  get configuration(): Configuration {
    return this.#running;
  }

  get routes(): Administration["routes"] {
    return [...this.host.routes];
  }

  async plan(): Promise<readonly ConfigChange[]> {
    return changesBetween(this.#running, await this.read(await this.#current(), new Map()));
  }

  async reload(): Promise<readonly ConfigChange[]> {
    return await this.#work.run("", () => this.#reload());
  }

  async reloadModule(name: string): Promise<void> {
    await this.#work.run("", () => this.#reloadModule(name));
  }

  async loadModule(key: string, options: unknown): Promise<void> {
    await this.#work.run("", () => this.#override(key, { options }));
  }

  async unloadModule(name: string): Promise<void> {
    await this.#work.run("", () => {
      const key = this.#loaded.get(name)?.config.key;
      if (key === undefined) throw new UnknownModule(name);
      return this.#override(key, "unload");
    });
  }

  metrics(): string {
    return this.host.metrics.prometheus();
  }

  async #current(): Promise<KernelOptions["manifest"]> {
    return await this.#options.readManifest?.() ?? this.#manifest;
  }

  async #reload(): Promise<readonly ConfigChange[]> {
    const manifest = await this.#current();
    const next = await this.read(manifest, new Map());
    const changes = changesBetween(this.#running, next);
    await this.#exchange(next, new Set());
    this.#manifest = manifest;
    this.#overrides = new Map();
    this.host.events.emit("configuration.reloaded", { changes: changes.length });
    return changes;
  }

  async #reloadModule(name: string): Promise<void> {
    const loaded = this.#loaded.get(name);
    if (!loaded) throw new UnknownModule(name);
    const next = await this.read(this.#manifest, this.#overrides, loaded.config.file);
    await this.#exchange(next, new Set([name]));
  }

  async #override(key: string, override: Override): Promise<void> {
    const overrides = new Map(this.#overrides).set(key, override);
    await this.#exchange(await this.read(this.#manifest, overrides), new Set());
    this.#overrides = overrides;
  }

  /** Puts a checked configuration in the place of the running one, or leaves that and rejects. */
  async #exchange(checked: Configuration, forced: ReadonlySet<string>): Promise<void> {
    const old = this.#running;
    const next = withoutRestarts(old, checked);
    const fresh = this.#fresh(old, next, forced);
    const { stages } = this.host;
    const { promise, resolve } = Promise.withResolvers<void>();
    stages.changing = promise;
    try {
      await this.#swap(old, next, fresh);
    } finally {
      stages.changing = undefined;
      resolve();
    }
  }

  /** Names of the modules that have to be set up anew: changed ones, and all that require them. */
  #fresh(old: Configuration, next: Configuration, forced: ReadonlySet<string>): ReadonlySet<string> {
    const changed = new Set(forced);
    for (const { module, what } of changesBetween(old, next)) {
      if (what === "module" || what === "option") changed.add(module);
    }
    const byName = new Map(next.modules.map((module) => [module.definition.name, module]));
    const definitions = new Map([...byName].map(([name, module]) => [name, module.definition]));
    for (const name of byName.keys()) {
      if (!this.#loaded.has(name)) changed.add(name);
      else if ([...closure(name, definitions)].some((needed) => changed.has(needed) || !this.#loaded.has(needed))) {
        changed.add(name);
      }
    }
    return changed;
  }

  async #swap(old: Configuration, next: Configuration, fresh: ReadonlySet<string>): Promise<void> {
    const leaving = [...this.#loaded.values()].filter((module) => fresh.has(module.name));
    const staying = new Set(next.modules.map(({ definition }) => definition.name));
    const saved = this.#saveAll(leaving.filter((module) => staying.has(module.name)));
    await this.#unload(leaving);
    const notify = this.host.objects.replace(next.objects);
    const faults = await this.#setUp(next, saved, "stop");
    if (faults.length > 0) {
      faults.push(...await this.#goBack(old, saved, fresh));
      throw new SetupError(faults);
    }
    this.#running = next;
    notify();
  }

  /** The old modules again, with the state the new ones had taken over. Answers the faults of those that do not come back. */
  async #goBack(
    old: Configuration,
    saved: ReadonlyMap<string, unknown>,
    fresh: ReadonlySet<string>,
  ): Promise<ConfigFault[]> {
    const leaving = [...this.#loaded.values()].filter((module) => fresh.has(module.name));
    const definitions = new Map(old.modules.map(({ definition }) => [definition.name, definition]));
    const heirs = leaving.filter((module) => definitions.get(module.name) === module.config.definition);
    const back = new Map([...saved, ...this.#saveAll(heirs)]);
    await this.#unload(leaving);
    this.host.objects.replace(old.objects);
    return await this.#setUp(old, back, "go on");
  }

  #saveAll(modules: readonly LoadedModule[]): ReadonlyMap<string, unknown> {
    return new Map(modules.map((module) => [module.name, this.#saved(module)]));
  }

  #saved(module: LoadedModule): unknown {
    try {
      return module.save?.();
    } catch (error) {
      module.fault("save", error);
      return undefined;
    }
  }

  /** Sets up what does not run yet, in the order of needs. After a fault: stops, or goes on with what does not need it. */
  async #setUp(
    configuration: Configuration,
    saved: ReadonlyMap<string, unknown>,
    afterFault: "stop" | "go on",
  ): Promise<ConfigFault[]> {
    const definitions = new Map(configuration.modules.map(({ definition }) => [definition.name, definition]));
    const faults: ConfigFault[] = [];
    const loaded = new Map<string, LoadedModule>();
    for (const config of configuration.modules) {
      const { name } = config.definition;
      const needs = closure(name, definitions);
      const runs = this.#loaded.get(name);
      if (runs) loaded.set(name, runs);
      if (runs || [...needs].some((needed) => !this.#loaded.has(needed))) continue;
      const module = this.#holder(config, needs);
      try {
        await config.definition.setup(moduleContext(module, this.host, saved.get(name)));
      } catch (error) {
        module.release();
        faults.push(setupFault(config, error));
        if (afterFault === "stop") return faults;
        continue;
      }
      loaded.set(name, module);
      this.#loaded.set(name, module);
      this.host.events.emit("module.loaded", { module: name });
    }
    this.#loaded = loaded; // in the order of set-up
    return faults;
  }

  async #unload(modules: readonly LoadedModule[]): Promise<void> {
    for (const module of [...modules].reverse()) {
      const late = Promise.withResolvers<void>();
      const deadline = this.host.world.after(GOODBYE_MS, late.resolve);
      for (const goodbye of module.goodbyes) {
        try {
          await Promise.race([goodbye(), late.promise]);
        } catch (error) {
          module.fault("unload", error);
        }
      }
      deadline.cancel();
      module.release();
      this.#loaded.delete(module.name);
      this.host.events.emit("module.unloaded", { module: module.name });
    }
  }

  #holder(config: ModuleConfig, needs: ReadonlySet<string>): LoadedModule {
    const { world } = this.host;
    return new LoadedModule(config, needs, world.wallClock(), () => world.now(), (module, where, error) => {
      const text = error instanceof Error ? error.message : String(error);
      const log = moduleLogger(module.name, (record) => this.host.writeLog(record));
      log.error(`${where} failed: ${text}`, { stack: error instanceof Error ? firstFrame(error) : undefined });
      if (module.disabled) log.error("disabled after repeated faults, until it is reloaded");
      this.host.metrics.count(`${module.name}.faults`);
      this.host.events.emit("module.fault", { module: module.name, where, error: text });
      this.host.events.emit("security", {
        event: "ModuleFault",
        severity: "Error",
        fields: { Module: module.name, Disabled: String(module.disabled) },
      });
    });
  }
}

/** No module of this name runs. */
export class UnknownModule extends Error {
  constructor(readonly module: string) {
    super(`no module "${module}" is loaded`);
  }
}

/** A module refused to start: its name, the reason, and its place in the manifest. */
export class SetupError extends ConfigError {}

function setupFault(config: ModuleConfig, cause: unknown): ConfigFault {
  const { file, line, column } = config.place;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return { file, line, column, module: config.definition.name, message: `${config.key} could not start: ${reason}` };
}

function firstFrame(error: Error): string | undefined {
  return error.stack?.split("\n").find((line) => line.trim().startsWith("at "))?.trim();
}

function state(module: LoadedModule): ModuleState {
  const { definition, file } = module.config;
  return {
    name: definition.name,
    summary: definition.summary,
    replaces: definition.replaces,
    requires: definition.requires,
    file,
    state: module.disabled ? "disabled" : "running",
    faults: module.faults,
    loadedAt: module.loadedAt,
  };
}
