import { isIP } from "node:net";
import * as v from "valibot";
import { defineModule, type OptionFault } from "../../kernel/module.ts";
import { bool, words } from "../../kernel/schema.ts";
import { httpEngine } from "../../kernel/services.ts";
import { callRoutes } from "./calls.ts";
import { configurationRoutes } from "./configuration.ts";
import { stateRoutes } from "./state.ts";

const LOOPBACK = /^(127\.|::1$)/;

/** "127.0.0.1:8088" or "[::1]:8088"; undefined when it is neither. */
function readBind(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, v6, v4, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? "";
  const port = Number(digits);
  return isIP(host) !== 0 && port <= 65535 ? { host, port } : undefined;
}

const options = v.object({
  /** Address and port of the API. */
  bind: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => readBind(text) !== undefined, 'expected an address and port such as "127.0.0.1:8088"'),
    ),
    "127.0.0.1:8088",
  ),
  /** Allows an address other machines reach without TLS. */
  insecure: bool(false),
  /** PEM files of the certificate and its key. */
  tls: v.optional(v.object({ certFile: v.string(), keyFile: v.string() })),
  /** Further names a request may give in its Host header. */
  hosts: words(),
  /** Further tokens by name. */
  tokens: v.optional(
    v.record(
      v.string(),
      v.object({
        /** SHA-256 of the token in hex: `printf %s "$TOKEN" | sha256sum`. */
        sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i, "expected 64 hexadecimal digits")),
        scope: v.optional(v.picklist(["read", "write", "admin"]), "read"),
      }),
    ),
    {},
  ),
});

/** The HTTP API: what runs, who is registered, which calls are up; events, metrics, health. */
export default defineModule({
  name: "management",
  summary: "HTTP API for operators and programs, on the loopback unless told otherwise",
  requires: ["core"],
  options,
  check({ bind, insecure, tls }): readonly OptionFault[] {
    const host = readBind(bind)?.host ?? "";
    if (LOOPBACK.test(host) || insecure || tls) return [];
    return [{
      path: ["bind"],
      message: `${host} is reached by other machines: give "tls", or "insecure": true where the network is yours`,
    }];
  },
  async setup(ctx) {
    const { bind, insecure, tls, hosts, tokens } = ctx.options;
    for (const route of [...configurationRoutes(ctx), ...stateRoutes(ctx), ...callRoutes(ctx)]) ctx.http.route(route);
    const { host, port } = readBind(bind) ?? { host: "127.0.0.1", port: 0 };
    const server = await ctx.use(httpEngine).start({ host, port, insecure, tls, hosts, tokens }, ctx);
    ctx.onUnload(() => server.stop());
  },
});
