import type { World } from "../world/world.ts";
import type { FieldSchemas, ModuleContext, SharedObject } from "./module.ts";
import type { Bus } from "./events.ts";
import { heldWorld } from "./held_world.ts";
import type { ApiRoute } from "./http.ts";
import type { LoadedModule } from "./loaded_module.ts";
import { type LogRecord, moduleLogger } from "./log.ts";
import type { MetricsRegistry } from "./metrics.ts";
import type { ObjectTable } from "./object_table.ts";
import type { ServiceTable } from "./service_table.ts";
import { sessions } from "./services.ts";
import { dialplan } from "./dialplan.ts";
import type { StageTable } from "./stage_table.ts";
import type { Store } from "./store.ts";

/** What the modules of one server share. */
export interface Host {
  readonly world: World;
  readonly stages: StageTable;
  readonly objects: ObjectTable;
  readonly services: ServiceTable;
  readonly events: Bus;
  readonly metrics: MetricsRegistry;
  /** Set once, before the first module is set up. */
  store: Store;
  readonly routes: Set<{ readonly module: string; readonly route: ApiRoute }>;
  writeLog(record: LogRecord): void;
}

/** The `ctx` of a module: every registration is held, and given back at its unload. */
export function moduleContext(
  module: LoadedModule,
  host: Host,
  restored: unknown,
): ModuleContext<unknown, FieldSchemas> {
  const { stages, objects, services, events, metrics } = host;
  const { definition, options } = module.config;
  const fields = new FieldPicker(definition.fields ?? {});
  return {
    options,
    fields: (endpoint) => fields.pick("endpoint", endpoint, endpoint.values) as never, // typed by the module's own schemas
    fieldsOf(type, id) {
      const object = objects.get(type, id);
      return object && fields.pick(type, object, object.values) as never; // as above
    },
    objects: {
      get: (type, id) => objects.get(type, id),
      all: (type) => objects.all(type),
      endpoint: (id) => objects.endpoint(id),
      endpoints: () => objects.endpoints(),
      onChange(type, listener) {
        module.hold(objects.onChange(type, (ids) => module.guard(`change of ${type}`, () => listener(ids))));
      },
    },
    provide: (token, implementation) => void module.hold(services.provide(token, () => implementation, module)),
    provideEach: (token, face) => void module.hold(services.provide(token, face, module)),
    use: (token) => services.use(token, module),
    find: (token) => services.find(token, module),
    inbound: (stage, handler, place) => void module.hold(stages.addInbound(stage, handler, place, module)),
    outbound: (stage, handler, place) => void module.hold(stages.addOutbound(stage, handler, place, module)),
    observe: (observer) => void module.hold(stages.addObserver(observer, module)),
    get sessions() {
      return services.use(sessions, module);
    },
    get dialplan() {
      return services.use(dialplan, module);
    },
    events: {
      emit: (name, data) => events.emit(name, data),
      on(name, listener) {
        module.hold(events.on(name, listener, module));
      },
      all(listener) {
        const stop = events.all((name, data, at) => module.guard(`event ${name}`, () => listener(name, data, at)));
        const forget = module.hold(stop);
        return () => {
          forget();
          stop();
        };
      },
    },
    http: {
      route(route) {
        for (const { module: owner, route: taken } of host.routes) {
          if (owner !== module.name && taken.method === route.method && shapeOf(taken.path) === shapeOf(route.path)) {
            throw new Error(`${route.method} ${route.path} belongs to module "${owner}"`);
          }
        }
        const entry = { module: module.name, route: guarded(route, module) };
        host.routes.add(entry);
        module.hold(() => host.routes.delete(entry));
      },
    },
    store: host.store,
    metrics: {
      count: (name, by, labels) => metrics.count(`${module.name}.${name}`, by, labels),
      gauge: (name, read) => void module.hold(metrics.gauge(`${module.name}.${name}`, read)),
    },
    log: moduleLogger(module.name, (record) => host.writeLog(record)),
    world: heldWorld(host.world, module),
    onUnload: (run) => void module.goodbyes.push(run),
    save(state) {
      module.save = state;
    },
    restored,
  };
}

function guarded(route: ApiRoute, module: LoadedModule): ApiRoute {
  return {
    ...route,
    async run(request) {
      try {
        return await route.run(request);
      } catch (error) {
        module.fault(`${route.method} ${route.path}`, error);
        throw error;
      }
    },
  };
}

/** A path whatever its parameters are called: two of one shape would shadow each other. */
function shapeOf(path: string): string {
  return path.replace(/:[^/]+/g, ":");
}

/** The module's own fields out of all fields of an object. */
class FieldPicker {
  readonly #picked = new WeakMap<object, Record<string, unknown>>();

  constructor(readonly schemas: FieldSchemas) {}

  pick(type: SharedObject, object: object, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const known = this.#picked.get(object);
    if (known) return known;
    const own = Object.keys(this.schemas[type] ?? {}).filter((name) => name in values);
    const picked = Object.fromEntries(own.map((name) => [name, values[name]]));
    this.#picked.set(object, picked);
    return picked;
  }
}
