import type { ConfigObject } from "./objects.ts";

/**
 * The configured peers, as every module sees them. `core` owns the objects; a module that owns further fields of an
 * endpoint (nat, sdp_rtp, session ...) declares them with `fields` in its definition and reads them with
 * `ctx.fields(endpoint)`, typed by its own schema.
 */
export interface Endpoint {
  readonly id: string;
  /** All validated fields by name; read through `ctx.fields`. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly context: string;
  readonly aors: readonly string[];
  readonly auth: readonly string[];
  readonly outboundAuth: readonly string[];
  readonly identifyBy: readonly string[];
  readonly transport: string | undefined;
  readonly fromUser: string | undefined;
  readonly fromDomain: string | undefined;
  readonly callerId: { readonly name: string; readonly number: string } | undefined;
}

/** The endpoint an object of that type describes. The fields are those that `core` declares. */
export function toEndpoint(object: ConfigObject): Endpoint {
  const { id, values } = object;
  const text = (name: string) => typeof values[name] === "string" ? values[name] : undefined;
  const list = (name: string) => {
    const value = values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  };
  return {
    id,
    values,
    context: text("context") ?? "default",
    aors: list("aors"),
    auth: list("auth"),
    outboundAuth: list("outboundAuth"),
    identifyBy: list("identifyBy"),
    transport: text("transport"),
    fromUser: text("fromUser"),
    fromDomain: text("fromDomain"),
    callerId: callerId(values.callerId),
  };
}

function callerId(value: unknown): Endpoint["callerId"] {
  if (typeof value !== "object" || value === null || !("name" in value) || !("number" in value)) return undefined;
  return { name: String(value.name), number: String(value.number) };
}
