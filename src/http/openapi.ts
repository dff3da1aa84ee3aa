// The API's description (OpenAPI 3.1), made of the schemas that validate.
import { toJsonSchema } from "@valibot/to-json-schema";
import type { ApiRoute } from "../kernel/http.ts";
import type { OptionsSchema } from "../kernel/module.ts";

const API_VERSION = "1.0.0";

type Json = Readonly<Record<string, unknown>>;

/** A schema without what depends on the place it stands in. */
function jsonSchema(schema: OptionsSchema): Json {
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
  return rest;
}

function operation(module: string, route: ApiRoute): Json {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
  const json = (schema: OptionsSchema) => ({ content: { "application/json": { schema: jsonSchema(schema) } } });
  return {
    summary: route.summary,
    tags: [module],
    security: [{ bearer: [route.scope] }],
    ...(names.length > 0
      ? { parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })) }
      : {}),
    ...(route.body ? { requestBody: { required: true, ...json(route.body) } } : {}),
    responses: {
      "2XX": { description: "Done", ...(route.reply ? json(route.reply) : {}) },
      default: { $ref: "#/components/responses/Fault" },
    },
  };
}

/** What `/openapi.json` answers. */
export function describe(routes: readonly { readonly module: string; readonly route: ApiRoute }[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const { module, route } of routes) {
    const path = `/api/v1${route.path.replace(/:(\w+)/g, "{$1}")}`;
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(module, route);
  }
  const text = (description: string, type: string) => ({
    responses: { 200: { description, content: { [type]: { schema: { type: "string" } } } } },
  });
  paths["/api/v1/events"] = {
    get: {
      summary: "WebSocket: every event as one JSON object per message; `names` is a comma list of beginnings of names",
      responses: { 101: { description: "Switched to WebSocket" } },
    },
  };
  paths["/metrics"] = { get: { summary: "Metrics of all modules", ...text("Prometheus text", "text/plain") } };
  paths["/healthz"] = {
    get: { summary: "Is it ready to serve? Needs no token", security: [], ...text("It is", "application/json") },
  };
  return {
    openapi: "3.1.0",
    info: { title: "patchbay", version: API_VERSION },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      responses: {
        Fault: {
          description: "What went wrong",
          content: {
            "application/json": {
              schema: {
                type: "object",
                required: ["error"],
                properties: { error: { type: "string" }, faults: { type: "array", items: { type: "object" } } },
              },
            },
          },
        },
      },
    },
  };
}
