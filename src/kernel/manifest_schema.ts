import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { AnyModule } from "./configuration.ts";
import type { SharedObject } from "./module.ts";
import { type AnySchema, entriesOf } from "./validation.ts";

type Json = Record<string, unknown>;

/** JSON Schema of a manifest of these modules: completion and a first check in editors. The kernel's check is the strict one. */
export function manifestSchema(modules: readonly AnyModule[]): Json {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "patchbay modules.json",
    type: "object",
    properties: {
      $schema: { type: "string" },
      ...Object.fromEntries(modules.map((module) => [module.name, moduleSchema(module, modules)])),
    },
    patternProperties: { "^\\.{0,2}/": { type: "object", description: "A module in a file of your own" } },
    additionalProperties: false,
  };
}

function moduleSchema(module: AnyModule, modules: readonly AnyModule[]): Json {
  const options = json(module.options);
  const objects = Object.entries(module.objects ?? {});
  const properties = objects.map(([type, declaration]): [string, Json] => {
    const implied = (declaration.implies ?? []).map((one) => one.type);
    const one = json(v.object(fieldsOf([type, ...implied], modules)));
    const named = { ...one, properties: { use: useSchema, ...propertiesOf(one) }, required: [] };
    return [declaration.at, declaration.singleton ? one : { type: "object", additionalProperties: named }];
  });
  if (objects.length > 0) {
    properties.push(["templates", { type: "object", additionalProperties: { type: "object" } }]);
  }
  return {
    description: module.summary,
    ...options,
    properties: { ...propertiesOf(options), ...Object.fromEntries(properties) },
    ...(options.additionalProperties === undefined ? { additionalProperties: false } : {}),
  };
}

const useSchema: Json = {
  description: "Templates this object takes fields from",
  anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
};

/** All fields of these object types, of every module. */
function fieldsOf(types: readonly string[], modules: readonly AnyModule[]): v.ObjectEntries {
  let entries: v.ObjectEntries = {};
  for (const type of types) {
    for (const module of modules) {
      const base = module.objects?.[type]?.schema;
      entries = { ...entries, ...base && entriesOf(base), ...module.fields?.[type as SharedObject] }; // or undefined
    }
  }
  return entries;
}

function json(schema: AnySchema): Json {
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
  return rest;
}

function propertiesOf(schema: Json): Json {
  return typeof schema.properties === "object" && schema.properties !== null ? schema.properties as Json : {};
}
