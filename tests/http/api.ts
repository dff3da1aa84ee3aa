// A kernel with the management API on a free port of the loopback.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { httpEngine as startEngine, TOKEN_FILE } from "../../src/http/server.ts";
import type { ApiRoute } from "../../src/kernel/http.ts";
import { bootKernel, type Kernel, offer } from "../../src/kernel/kernel.ts";
import { defineModule } from "../../src/kernel/module.ts";
import { httpEngine, type HttpOptions } from "../../src/kernel/services.ts";
import { realWorld } from "../../src/world/real_world.ts";

export class Api {
  url = "";

  private constructor(
    readonly folder: string,
    readonly token: string,
    readonly kernel: Kernel,
    /** `ms`: what the engine's clock shows on top of the real one. */
    readonly later: { ms: number },
    /** What the next start of the module is given. */
    readonly setTokens: (tokens: HttpOptions["tokens"]) => void,
  ) {}

  /** Modules: one that starts the engine, one that hangs in `routes`. */
  static async start(routes: readonly ApiRoute[], more: Partial<HttpOptions> = {}): Promise<Api> {
    const folder = mkdtempSync(join(tmpdir(), "patchbay-http-"));
    const real = realWorld();
    const later = { ms: 0 };
    const world = {
      files: real.files,
      random: real.random,
      after: real.after,
      now: () => real.now() + later.ms,
    };
    const plain: HttpOptions = { host: "127.0.0.1", port: 0, insecure: false, tls: undefined, hosts: [], tokens: {} };
    const options: { -readonly [K in keyof HttpOptions]: HttpOptions[K] } = { ...plain, ...more };
    let url = "";
    const server = defineModule({
      name: "server",
      summary: "",
      requires: [],
      options: v.object({}),
      async setup(ctx) {
        const running = await ctx.use(httpEngine).start({ ...options }, ctx);
        url = running.url;
        ctx.onUnload(() => running.stop());
      },
    });
    const things = defineModule({
      name: "things",
      summary: "",
      requires: [],
      options: v.object({}),
      setup(ctx) {
        routes.forEach((route) => ctx.http.route(route));
      },
    });
    const kernel = await bootKernel({
      world: real,
      manifest: { server: {}, things: {} },
      modules: [server, things],
      services: [offer(httpEngine, startEngine(folder, world))],
    });
    const token = readFileSync(join(folder, TOKEN_FILE), "utf8").trim();
    const api = new Api(folder, token, kernel, later, (tokens) => options.tokens = tokens);
    api.url = url;
    return api;
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return await fetch(this.url + path, { headers: { Authorization: `Bearer ${this.token}`, ...headers } });
  }

  async send(method: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    return await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  async stop(): Promise<void> {
    await this.kernel.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
