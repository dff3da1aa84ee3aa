import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type ServiceUser } from "../../kernel/module.ts";
import {
  hostWorld,
  type Identifiers,
  identifiers,
  lifecycle,
  outboundAuthenticator,
  type SipStack,
  stack,
  stages,
} from "../../kernel/services.ts";
import { parseNameAddr } from "../../sip/message/name_addr.ts";
import { parseUri, type Uri } from "../../sip/message/uri.ts";
import { timerValues } from "../../sip/transaction/timers.ts";
import { Engine, type Preload, type Repair } from "./engine.ts";
import { addDefaults, addProxy } from "./headers.ts";
import { Inbound } from "./inbound.ts";
import { Listeners } from "./listeners.ts";
import {
  aorSchema,
  authSchema,
  domainAliasSchema,
  endpointSchema,
  globalSchema,
  limitsSchema,
  systemSchema,
  transportSchema,
} from "./objects.ts";

type GlobalValues = v.InferOutput<typeof globalSchema>;
type SystemValues = v.InferOutput<typeof systemSchema>;

/** What lives on over a reload. */
class Running {
  constructor(readonly engine: Engine, readonly listeners: Listeners) {}
}

/** Transports, transactions and the way of a request through the stages. Everything that speaks SIP requires it. */
export default defineModule({
  name: "core",
  summary: "SIP transports, endpoints, and who may ask for what",
  replaces: "res_pjsip",
  requires: [],
  options: v.object({
    /** How much strangers may cost. */
    limits: limitsSchema,
  }),
  objects: {
    transport: { at: "transports", schema: transportSchema },
    endpoint: {
      at: "endpoints",
      schema: endpointSchema,
      effect: "new calls",
      implies: [
        { type: "auth", field: "auth", when: ["password"], values: (id) => ({ username: id }) },
        { type: "aor", field: "aors", when: ["password"] },
      ],
    },
    aor: { at: "aors", schema: aorSchema },
    auth: { at: "auths", schema: authSchema },
    domainAlias: { at: "domainAliases", schema: domainAliasSchema },
    global: { at: "global", schema: globalSchema, singleton: true },
    system: { at: "system", schema: systemSchema, singleton: true },
  },
  async setup(ctx) {
    const { limits } = ctx.options;
    // Both are singletons: there is always one, and it was validated by its schema.
    const global = () => ctx.objects.get("global", "")?.values as GlobalValues;
    const system = () => ctx.objects.get("system", "")?.values as SystemValues;
    const world = ctx.use(hostWorld);
    const { engine, listeners } = ctx.restored instanceof Running ? ctx.restored : start();

    function start(): Running {
      const fresh = new Engine(world, limits, global().keepAliveInterval);
      fresh.capabilities.add({ methods: ["OPTIONS"] });
      return new Running(fresh, new Listeners(fresh));
    }

    const proxies = new WeakMap<Endpoint, Uri | undefined>();
    const outboundProxy = (endpoint: Endpoint): Uri | undefined => {
      if (typeof endpoint.values.outboundProxy !== "string") return undefined;
      if (!proxies.has(endpoint)) proxies.set(endpoint, proxyUri(endpoint.values.outboundProxy));
      return proxies.get(endpoint);
    };
    const configure = () => {
      engine.identifiers.setOrder(global().endpointIdentifierOrder);
      const { timerT1, timerB, disableRport } = system();
      engine.transactions.timers = { ...timerValues, T1: timerT1, timeoutMs: Math.max(timerB, 64 * timerT1) };
      engine.transactions.rport = !disableRport;
    };
    configure();

    const inbound = new Inbound(engine, {
      limits,
      events: ctx.events,
      metrics: ctx.metrics,
      log: ctx.log,
      objects: ctx.objects,
      find: (token) => ctx.find(token),
      inbound: (stage, handler, place) => ctx.inbound(stage, handler, place),
    });
    engine.attach(
      {
        stages: ctx.use(stages),
        lifecycle: ctx.use(lifecycle),
        request: (incoming) => inbound.request(incoming),
        malformed: (fault, flow) => inbound.malformed(fault, flow),
        endpoint: (id) => ctx.objects.endpoint(id),
        outboundProxy,
        get credentials() {
          return ctx.find(outboundAuthenticator);
        },
        get tcpSwitch() {
          return !system().disableTcpSwitch;
        },
        count: (name) => ctx.metrics.count(name),
      },
      limits,
      global().keepAliveInterval,
    );
    ctx.outbound("headers", (context) => addDefaults(context, global(), engine.capabilities), "last");
    ctx.outbound("route", (context) => addProxy(context, context.endpoint && outboundProxy(context.endpoint)));

    ctx.provideEach(stack, (user) => stackFor(engine, user));
    ctx.provideEach(identifiers, (user): Identifiers => ({
      add: (name, identify) => user.onRelease(engine.identifiers.add({ name, identify, user })),
      get order() {
        return engine.identifiers.order;
      },
    }));

    for (const type of ["global", "system"]) ctx.objects.onChange(type, configure);
    ctx.objects.onChange("transport", () => {
      listeners.apply(ctx).catch((error: unknown) => ctx.log.error("no transport is open", { reason: String(error) }));
    });
    ctx.events.on("configuration.reloaded", () => listeners.renew(ctx));
    await listeners.apply(ctx);

    ctx.metrics.gauge("server_transactions", () => engine.transactions.counts.server);
    ctx.metrics.gauge("client_transactions", () => engine.transactions.counts.client);
    ctx.metrics.gauge("connections", () => engine.transports.flows.length);
    ctx.metrics.gauge("sources", () => engine.rates.size);
    let handedOver = false;
    ctx.save(() => {
      handedOver = true;
      engine.detach();
      return new Running(engine, listeners);
    });
    ctx.onUnload(() => handedOver ? undefined : engine.stop());
  },
});

/** The stack as one module sees it: what it adds goes when it goes. */
function stackFor(engine: Engine, user: ServiceUser): SipStack {
  const { capabilities } = engine;
  return {
    transports: engine.transports,
    transactions: engine.transactions,
    resolve: async (uri, endpoint) => await engine.candidates(uri, endpoint),
    send: (request, endpoint, handlers, to) => engine.send(request, endpoint, handlers, to),
    claim(owner) {
      engine.owners.add(owner);
      user.onRelease(() => engine.owners.delete(owner));
    },
    repair(run) {
      const guarded: Repair = (message, flow, endpoint) => {
        try {
          run(message, flow, endpoint);
        } catch (error) {
          user.fault("repair", error);
        }
      };
      engine.repairs.add(guarded);
      user.onRelease(() => engine.repairs.delete(guarded));
    },
    preload(run) {
      const guarded: Preload = (request, endpoint) => {
        try {
          run(request, endpoint);
        } catch (error) {
          user.fault("preload", error);
        }
      };
      engine.preloads.add(guarded);
      user.onRelease(() => engine.preloads.delete(guarded));
    },
    localContact: (towards, name) => engine.localContact(towards, name),
    prepare: (message, endpoint, destination, answers) => engine.prepare(message, endpoint, destination, answers),
    capabilities: {
      get methods() {
        return capabilities.methods;
      },
      get optionTags() {
        return capabilities.optionTags;
      },
      get bodyTypes() {
        return capabilities.bodyTypes;
      },
      add: (what) => user.onRelease(capabilities.add(what)),
    },
    queue: (key, work) => engine.queues.run(key, work),
    get stopping() {
      return engine.stopping;
    },
  };
}

function proxyUri(text: string): Uri | undefined {
  return parseNameAddr(text.includes("<") ? text : `<${text}>`)?.uri ?? parseUri(text);
}
