import * as v from "valibot";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { hostWorld, identifiers, stack } from "../../kernel/services.ts";
import type { Uri } from "../../sip/message/uri.ts";
import { registrationSchema, type RegistrationValues } from "./fields.ts";
import { Registration, type RegistrationHost } from "./registration.ts";

type Context = ModuleContext<unknown>;
const ALL = "*all";

/** Keeps our bindings at the registrars of others: providers, and servers we are a phone of. */
export default defineModule({
  name: "outbound_registration",
  summary: "Registers at providers and keeps the bindings alive",
  replaces: "res_pjsip_outbound_registration",
  requires: ["core"],
  options: v.object({}),
  objects: { registration: { at: "registrations", schema: registrationSchema } },
  setup(ctx) {
    const registrations = ctx.restored instanceof Registrations ? ctx.restored : new Registrations();
    registrations.attach(ctx);
    ctx.use(identifiers).add(undefined, (request) => {
      const line = lineOf(request.headers.get("To")?.uri) ?? lineOf(request.uri);
      const owner = line === undefined ? undefined : registrations.ofLine(line);
      const endpoint = owner?.values.endpoint === undefined ? undefined : ctx.objects.endpoint(owner.values.endpoint);
      return {
        endpoint,
        looked: line === undefined ? "line" : `line ${line}`,
        result: endpoint ? `registration ${owner?.id}` : line === undefined ? "no line parameter" : "unknown line",
      };
    });
    registrations.load();
    ctx.objects.onChange("registration", () => registrations.load());
    ctx.objects.onChange("auth", () => registrations.retryRejected());
    for (const route of routes(registrations)) ctx.http.route(route);
    ctx.metrics.gauge("registrations", () => registrations.all.length);
    for (const status of ["Registered", "Unregistered", "Rejected"] as const) {
      ctx.metrics.gauge(status.toLowerCase(), () => registrations.all.filter((one) => one.status === status).length);
    }
    let handedOver = false;
    ctx.save(() => {
      handedOver = true;
      return registrations;
    });
    ctx.onUnload(() => handedOver ? undefined : registrations.stop());
  },
});

function lineOf(uri: Uri | undefined): string | undefined {
  return uri?.scheme === "sip" || uri?.scheme === "sips" ? uri.params.get("line") : undefined;
}

/** All registrations by id. Outlives a reload of the module, so that unchanged bindings are left alone. */
class Registrations {
  readonly #byId = new Map<string, Registration>();
  readonly #written = new Map<string, string>(); // configuration as loaded
  #host: RegistrationHost | undefined;
  #ctx: Context | undefined;

  attach(ctx: Context): void {
    this.#ctx = ctx;
    const told = (registration: Registration, cause: string) => ({
      registration: registration.id,
      clientUri: registration.values.clientUri,
      serverUri: registration.values.serverUri,
      status: registration.status,
      ...cause === "" ? {} : { cause },
    });
    this.#host = {
      world: ctx.use(hostWorld),
      stack: ctx.use(stack),
      changed: (registration, cause) => {
        ctx.events.emit("registration.status", told(registration, cause));
        if (registration.status === "Registered") ctx.log.notice("registered", told(registration, cause));
      },
      failed: (registration, cause, next) =>
        ctx.log.warning("a registration failed", {
          registration: registration.id,
          cause,
          next: next === undefined ? "never" : `${Math.round(next / 1000)} s`,
        }),
      answered: (status) => ctx.metrics.count("answers", 1, { status: String(status) }),
      fault: (error) => ctx.log.error("a registration failed", { error: String(error) }),
    };
    for (const registration of this.#byId.values()) registration.host = this.#host;
  }

  get all(): readonly Registration[] {
    return [...this.#byId.values()];
  }

  get(id: string): Registration | undefined {
    return this.#byId.get(id);
  }

  ofLine(line: string): Registration | undefined {
    return this.all.find((registration) => registration.line === line);
  }

  /** What is new starts, what is gone or changed is unregistered, what is unchanged is left alone. */
  load(): void {
    const ctx = this.#ctx;
    const host = this.#host;
    if (!ctx || !host) return;
    const objects = new Map(ctx.objects.all("registration").map((object) => [object.id, object]));
    for (const [id, registration] of this.#byId) {
      const object = objects.get(id);
      if (object && JSON.stringify(object.values) === this.#written.get(id)) continue;
      this.#byId.delete(id);
      registration.unregister();
    }
    for (const [id, object] of objects) {
      if (this.#byId.has(id)) continue;
      const registration = new Registration(id, object.values as RegistrationValues, host); // validated by the schema
      const { line, endpoint } = registration.values;
      if (line !== (endpoint !== undefined)) {
        ctx.log.error(`registration "${id}": line and endpoint go together; it is not used`);
        continue;
      }
      this.#byId.set(id, registration);
      this.#written.set(id, JSON.stringify(object.values));
      registration.start();
    }
  }

  /** Credentials changed: who was refused may be taken now. */
  retryRejected(): void {
    for (const registration of this.all) {
      if (registration.status === "Rejected" && registration.nextAt === undefined) registration.register();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((registration) => registration.stop()));
  }
}

const view = v.object({
  id: v.string(),
  serverUri: v.string(),
  clientUri: v.string(),
  outboundAuth: v.array(v.string()),
  status: v.picklist(["Registered", "Unregistered", "Rejected"]),
  nextSeconds: v.optional(v.number()),
  lastStatus: v.optional(v.number()),
});

const shown = (registration: Registration): v.InferOutput<typeof view> => ({
  id: registration.id,
  serverUri: registration.values.serverUri,
  clientUri: registration.values.clientUri,
  outboundAuth: [...registration.values.outboundAuth],
  status: registration.status,
  ...registration.nextSeconds === undefined ? {} : { nextSeconds: registration.nextSeconds },
  ...registration.lastStatus === undefined ? {} : { lastStatus: registration.lastStatus },
});

function routes(registrations: Registrations): Parameters<Context["http"]["route"]>[0][] {
  const missing = (id: string) => ({ status: 404, body: { error: `there is no registration "${id}"` } });
  const command = (
    name: "register" | "unregister",
    summary: string,
    act: (registration: Registration) => void,
  ) => ({
    method: "POST" as const,
    path: `/outbound-registrations/:id/${name}`,
    summary,
    scope: "write" as const,
    reply: v.object({ told: v.number() }),
    run({ params: { id = "" } }: { readonly params: Readonly<Record<string, string>> }) {
      const one = registrations.get(id);
      const meant = id === ALL ? registrations.all : one ? [one] : [];
      if (id !== ALL && !one) return missing(id);
      meant.forEach(act);
      return { status: 202, body: { told: meant.length } };
    },
  });
  return [
    {
      method: "GET",
      path: "/outbound-registrations",
      summary: "Our registrations at others",
      scope: "read",
      reply: v.array(view),
      run: () => ({ status: 200, body: registrations.all.map(shown) }),
    },
    {
      method: "GET",
      path: "/outbound-registrations/:id",
      summary: "One registration",
      scope: "read",
      reply: view,
      run({ params: { id = "" } }) {
        const one = registrations.get(id);
        return one ? { status: 200, body: shown(one) } : missing(id);
      },
    },
    command("register", "Registers anew, also after a rejection; *all means every one", (one) => one.restart()),
    command("unregister", "Removes the binding until told otherwise; *all means every one", (one) => one.unregister()),
  ];
}
