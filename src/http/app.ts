import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { ApiRoute } from "../kernel/http.ts";
import { securityAddress } from "../kernel/security.ts";
import { administration, type HttpHost, type HttpOptions, stack } from "../kernel/services.ts";
import type { World } from "../world/world.ts";
import { parseJson, readBody } from "./body.ts";
import { describe } from "./openapi.ts";
import { FailureLimit, permits, type TokenOwner, type Tokens } from "./tokens.ts";

/** What a request comes with besides itself. */
export interface Connection {
  /** The peer's address; undefined when the platform does not say. */
  readonly remote: { readonly host: string; readonly port: number } | undefined;
  /** Makes the connection a subscriber of events; false when it is no WebSocket request, or there are too many. */
  subscribe(names: readonly string[]): boolean;
}

type Env = { Bindings: Connection; Variables: { owner: TokenOwner } };
type Listed = { readonly module: string; readonly route: ApiRoute };

const PREFIX = "/api/v1";
const HEADERS = { "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" };

/** Checks in this order: Host, token, scope, route, type and size of the body, its schema; then the route runs. */
export class App {
  readonly #limit: FailureLimit;
  readonly #hosts: ReadonlySet<string>;
  #listed: readonly Listed[] = [];
  #routes: Hono<Env>;

  constructor(
    readonly options: HttpOptions,
    readonly host: HttpHost,
    readonly tokens: Tokens,
    readonly world: Pick<World, "now">,
  ) {
    this.#limit = new FailureLimit(world);
    this.#hosts = new Set([
      "localhost",
      "127.0.0.1",
      "::1",
      options.host,
      ...options.hosts.map((h) => h.toLowerCase()),
    ]);
    this.#routes = this.#build();
  }

  async fetch(request: Request, connection: Connection): Promise<Response> {
    const listed = this.host.use(administration).routes;
    const same = listed.length === this.#listed.length && listed.every((entry, i) => entry === this.#listed[i]);
    if (!same) {
      this.#listed = [...listed];
      this.#routes = this.#build();
    }
    const response = await this.#routes.fetch(request, connection);
    this.host.metrics.count("requests", 1, { status: String(response.status) });
    return response;
  }

  #build(): Hono<Env> {
    const app = new Hono<Env>();
    app.use(async (c, next) => {
      await next();
      for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    });
    app.use(async (c, next) => this.#knows(c.req.header("host")) ? await next() : fault(c, 421, "unknown Host"));
    app.get("/healthz", (c) => this.#health(c));
    app.use(async (c, next) => this.#admit(c) ?? await next());
    app.get("/metrics", (c) => c.text(this.host.use(administration).metrics()));
    app.get("/openapi.json", (c) => c.json(describe(this.#listed)));
    app.get(`${PREFIX}/events`, (c) => this.#subscribe(c));
    for (const { route } of this.#listed) app.on(route.method, PREFIX + route.path, (c) => this.#run(c, route));
    for (const path of new Set(this.#listed.map(({ route }) => route.path))) {
      const allowed = this.#listed.filter(({ route }) => route.path === path).map(({ route }) => route.method);
      app.all(PREFIX + path, (c) => {
        c.header("Allow", allowed.join(", "));
        return fault(c, 405, `this path takes ${allowed.join(", ")}`);
      });
    }
    app.notFound((c) => fault(c, 404, "no such path"));
    app.onError((error, c) => {
      this.host.log.error(`${c.req.method} ${c.req.routePath} failed`, { error: error.message });
      return fault(c, 500, "internal error");
    });
    return app;
  }

  /** Host without its port: a page of another site that found its way here names that site. */
  #knows(host: string | undefined): boolean {
    const name = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host?.toLowerCase() ?? "");
    return this.#hosts.has(name?.[1] ?? name?.[2] ?? "");
  }

  #admit(c: Context<Env>): Response | undefined {
    const owner = this.tokens.owner(c.req.header("authorization") ?? null);
    if (owner) {
      c.set("owner", owner);
      const needed = c.req.method === "GET" || c.req.method === "HEAD" ? "read" : "write";
      return permits(owner.scope, needed) ? undefined : fault(c, 403, `this token only has the scope ${owner.scope}`);
    }
    const { remote } = c.env;
    this.host.events.emit("security", {
      event: "ManagementAuthFailed",
      severity: "Error",
      fields: { Service: "HTTP", ...(remote ? { RemoteAddress: securityAddress("tcp", remote) } : {}) },
    });
    const wait = this.#limit.failed(remote?.host ?? "");
    if (wait > 0) {
      c.header("Retry-After", String(wait));
      return fault(c, 429, "too many wrong tokens");
    }
    c.header("WWW-Authenticate", "Bearer");
    return fault(c, 401, "a bearer token is needed");
  }

  async #run(c: Context<Env>, route: ApiRoute): Promise<Response> {
    const owner = c.get("owner");
    if (!permits(owner.scope, route.scope)) return fault(c, 403, `this needs the scope ${route.scope}`);
    const read = await this.#body(c, route);
    if (read instanceof Response) return read;
    const answer = await route.run({ params: c.req.param(), query: c.req.query(), body: read.body });
    if (route.method !== "GET") this.#audit(c, owner, answer.status);
    if (answer.body === null || answer.body === undefined) return new Response(null, { status: answer.status });
    return Response.json(answer.body, { status: answer.status });
  }

  /** The validated body, or the response that refuses it. */
  async #body(c: Context<Env>, route: ApiRoute): Promise<{ readonly body: unknown } | Response> {
    if (route.method === "GET" || (route.method === "DELETE" && !route.body)) return { body: undefined };
    const type = c.req.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    if (type !== "application/json") return fault(c, 415, "Content-Type must be application/json");
    const text = await readBody(c.req.raw);
    if (text === undefined) return fault(c, 413, "the body is too long");
    const parsed = parseJson(text);
    if ("fault" in parsed) return fault(c, 400, parsed.fault);
    if (!route.body) return { body: parsed.value };
    const checked = v.safeParse(route.body, parsed.value);
    if (checked.success) return { body: checked.output };
    // Messages of issues may repeat the input, and that may be a secret: the place and the expectation are enough.
    const faults = checked.issues.map((issue) => ({ path: v.getDotPath(issue) ?? "", expected: issue.expected }));
    return c.json({ error: "the body is not what this path takes", faults }, 400);
  }

  #audit(c: Context<Env>, owner: TokenOwner, status: number): void {
    this.host.events.emit("security", {
      event: "ManagementWrite",
      severity: "Informational",
      fields: {
        Service: "HTTP",
        AccountID: owner.name,
        Method: c.req.method,
        Path: c.req.path,
        Status: String(status),
      },
    });
  }

  #subscribe(c: Context<Env>): Response {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") return fault(c, 426, "this path takes a WebSocket");
    const names = (c.req.query("names") ?? "").split(",").filter((name) => name !== "");
    // When it was taken, the platform has answered 101 already and ignores this.
    return c.env.subscribe(names) ? new Response(null) : fault(c, 503, "too many subscribers");
  }

  /** `?live`: the process answers. Without: it is ready for calls. */
  #health(c: Context<Env>): Response {
    const sip = this.host.find(stack);
    const ready = sip === undefined || (!sip.stopping && sip.transports.transports.length > 0);
    if (c.req.query("live") !== undefined || ready) return c.json({ status: "ok" });
    return c.json({ status: sip?.stopping ? "stopping" : "not ready" }, 503);
  }
}

function fault(
  c: Context<Env>,
  status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 421 | 426 | 429 | 500 | 503,
  error: string,
) {
  return c.json({ error }, status);
}
