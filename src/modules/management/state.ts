import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { ApiRoute } from "../../kernel/http.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import { locations, sessions, stack } from "../../kernel/services.ts";

const endpointView = v.object({
  id: v.string(),
  context: v.string(),
  aors: v.array(v.string()),
  online: v.boolean(), // a contact may be reached
  contacts: v.array(v.string()), // URIs
  calls: v.number(),
});

const transportView = v.object({
  id: v.string(),
  protocol: v.string(),
  address: v.string(),
  connections: v.number(),
});

type Host = Pick<ModuleContext<unknown>, "find" | "use" | "objects">;

/** Endpoints and transports as they are now. No secret is among what is shown. */
export function stateRoutes(ctx: Host): readonly ApiRoute[] {
  const view = (endpoint: Endpoint): v.InferOutput<typeof endpointView> => {
    const contacts = endpoint.aors.flatMap((aor) => ctx.find(locations)?.contacts(aor) ?? []);
    return {
      id: endpoint.id,
      context: endpoint.context,
      aors: [...endpoint.aors],
      online: contacts.some((contact) => contact.status !== "unreachable"),
      contacts: contacts.map((contact) => contact.uri),
      calls: (ctx.find(sessions)?.channels ?? []).filter((channel) => channel.endpoint.id === endpoint.id).length,
    };
  };
  return [
    {
      method: "GET",
      path: "/endpoints",
      summary: "Endpoints, where they can be reached and how many calls they are in",
      scope: "read",
      reply: v.array(endpointView),
      run: () => ({ status: 200, body: ctx.objects.endpoints().map(view) }),
    },
    {
      method: "GET",
      path: "/endpoints/:id",
      summary: "One endpoint",
      scope: "read",
      reply: endpointView,
      run({ params: { id = "" } }) {
        const endpoint = ctx.objects.endpoint(id);
        return endpoint
          ? { status: 200, body: view(endpoint) }
          : { status: 404, body: { error: `there is no endpoint "${id}"` } };
      },
    },
    {
      method: "GET",
      path: "/transports",
      summary: "What listens, and how many connections it has",
      scope: "read",
      reply: v.array(transportView),
      run() {
        const transports = ctx.use(stack).transports.transports.map(({ id, protocol, host, port, connections }) => ({
          id,
          protocol,
          address: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
          connections,
        }));
        return { status: 200, body: transports };
      },
    },
  ];
}
