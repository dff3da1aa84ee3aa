import type { Flow } from "../sip/transport/flow.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ObjectStore } from "./objects.ts";

/** What was found of a user and a domain, and what was asked for, for the event that explains a refusal. */
export interface NameLookup {
  readonly endpoint: Endpoint | undefined;
  readonly looked: string; // "alice@example.org, alice"
}

const MOST_CHARACTERS = 255;

/**
 * The endpoint `user@domain`; the same with the domain that `domain` is an alias of; with the domain of the receiving
 * transport; `user` alone. With `global.disableMultiDomain` only the last. One step of aliases, so no loop.
 */
export function lookUpName(
  objects: Pick<ObjectStore, "get" | "endpoint">,
  user: string,
  domain: string,
  flow: Flow,
): NameLookup {
  const looked: string[] = [];
  if (user === "" || user.length > MOST_CHARACTERS) return { endpoint: undefined, looked: "" };
  for (const id of names(objects, user, domain.length > MOST_CHARACTERS ? "" : domain, flow)) {
    looked.push(id);
    const endpoint = objects.endpoint(id);
    if (endpoint) return { endpoint, looked: looked.join(", ") };
  }
  return { endpoint: undefined, looked: looked.join(", ") };
}

function names(objects: Pick<ObjectStore, "get">, user: string, domain: string, flow: Flow): readonly string[] {
  if (objects.get("global", "")?.values["disableMultiDomain"] === true) return [user];
  const domains = [
    domain,
    domain === "" ? undefined : objects.get("domainAlias", domain)?.values["domain"],
    objects.get("transport", flow.transport)?.values["domain"],
  ];
  const qualified = domains.filter((name) => typeof name === "string" && name !== "").map((name) => `${user}@${name}`);
  return [...new Set([...qualified, user])];
}
