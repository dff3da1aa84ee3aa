import { basename } from "node:path";
import * as v from "valibot";
import { ConfigError } from "../../kernel/errors.ts";
import type { ApiReply, ApiRoute } from "../../kernel/http.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import { administration, type ModuleState } from "../../kernel/services.ts";

const moduleView = v.object({
  name: v.string(),
  summary: v.string(),
  replaces: v.optional(v.string()),
  requires: v.array(v.string()),
  file: v.optional(v.string()), // name of an external module's file
  state: v.picklist(["running", "disabled"]),
  faults: v.number(),
  loadedAt: v.string(),
});

const change = v.object({
  module: v.string(),
  what: v.string(),
  name: v.string(),
  change: v.picklist(["added", "removed", "changed"]),
  effect: v.picklist(["live", "new calls", "restart"]),
});

/** Modules, and exchanging the configuration of the running server. */
export function configurationRoutes(ctx: Pick<ModuleContext<unknown>, "use">): readonly ApiRoute[] {
  const admin = () => ctx.use(administration);
  const known = (name: string) => admin().modules.find((m) => m.name === name || basename(m.file ?? "") === name);
  return [
    {
      method: "GET",
      path: "/modules",
      summary: "The modules that run, in the order of their set-up",
      scope: "read",
      reply: v.array(moduleView),
      run: () => ({ status: 200, body: admin().modules.map(view) }),
    },
    {
      method: "POST",
      path: "/modules/:name/reload",
      summary: "A fresh copy of one module and of what requires it; an external one is read from its file again",
      scope: "admin",
      reply: v.object({ reloaded: v.string() }),
      async run({ params: { name = "" } }) {
        const module = known(name);
        if (!module) return { status: 404, body: { error: `no module "${name}" is loaded` } };
        return await orFaults(async () => {
          await admin().reloadModule(module.name);
          return { reloaded: module.name };
        });
      },
    },
    {
      method: "POST",
      path: "/reload",
      summary:
        "Reads the manifest again: checked first, then applied whole, or the old stays; `plan` only says what changes",
      scope: "admin",
      body: v.object({ plan: v.optional(v.boolean(), false) }),
      reply: v.object({ applied: v.boolean(), changes: v.array(change) }),
      async run({ body }) {
        const { plan } = v.parse(v.object({ plan: v.boolean() }), body);
        return await orFaults(async () => ({
          applied: !plan,
          changes: plan ? await admin().plan() : await admin().reload(),
        }));
      },
    },
  ];
}

/** Every fault of a configuration at once, with file name, line and column: 422. */
async function orFaults(run: () => Promise<unknown>): Promise<ApiReply> {
  try {
    return { status: 200, body: await run() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, file: basename(fault.file) }));
    return { status: 422, body: { error: "the configuration has faults; the old one stays", faults } };
  }
}

function view(module: ModuleState): v.InferOutput<typeof moduleView> {
  const { name, summary, replaces, requires, file, state, faults, loadedAt } = module;
  return {
    name,
    summary,
    replaces,
    requires: [...requires],
    file: file === undefined ? undefined : basename(file),
    state,
    faults,
    loadedAt: new Date(loadedAt).toISOString(),
  };
}
