// What `dial` is given, resolved into legs: an endpoint, where it is reached, and over which connection.
import type { Endpoint } from "../kernel/endpoint.ts";
import { type Contact, locations, type OriginateOptions, stack } from "../kernel/services.ts";
import { type DialplanHost } from "../kernel/dialplan.ts";
import { parseUri, type Uri } from "../sip/message/uri.ts";

export type Leg = Pick<OriginateOptions, "endpoint" | "uri" | "flow" | "path">;

/** No leg: why, for the log, and the Q.850 cause. */
export interface NoLeg {
  readonly why: string;
  readonly cause: number;
}

const UNALLOCATED = 3; // no route
const ABSENT = 20; // known, not registered
const INVALID = 28;

/**
 * Legs of one target. `PJSIP/bob` is one leg to the first reachable contact, as Asterisk has it; `bob` is a leg to each of
 * bob's contacts. Both take `/aor`, `/sip:uri`, and `user@` before the endpoint.
 */
export function legsOf(target: string, host: Pick<DialplanHost, "objects" | "find">): readonly Leg[] | NoLeg {
  const technology = /^PJSIP\//i.exec(target);
  const rest = technology ? target.slice(technology[0].length) : target;
  const slash = rest.indexOf("/");
  const head = slash < 0 ? rest : rest.slice(0, slash);
  const tail = slash < 0 ? undefined : rest.slice(slash + 1);
  if (head === "") return { why: "no endpoint is named", cause: 6 };
  const named = readHead(head, host);
  if (named === undefined) return { why: `there is no endpoint "${head}"`, cause: UNALLOCATED };
  const { endpoint, user } = named;
  if (tail !== undefined && /^sips?:/i.test(tail)) {
    const uri = parseUri(tail);
    if (uri === undefined || uri.scheme === "other") return { why: `"${tail}" is not a URI`, cause: INVALID };
    return [{ endpoint, uri: withUser(uri, user) }];
  }
  const aors = tail === undefined ? endpoint.aors : tail.split(",").map((a) => a.trim());
  const legs = contactsOf(aors, host).flatMap((contact) => legTo(endpoint, user, contact, host));
  if (legs.length === 0) {
    return { why: `endpoint "${endpoint.id}" has no reachable contact: is it registered?`, cause: ABSENT };
  }
  return technology ? legs.slice(0, 1) : legs;
}

/** The endpoint, and the user part to ask it for. An endpoint named `user@endpoint` comes first. */
function readHead(
  head: string,
  { objects }: Pick<DialplanHost, "objects">,
): { readonly endpoint: Endpoint; readonly user: string | undefined } | undefined {
  const whole = objects.endpoint(head);
  if (whole) return { endpoint: whole, user: undefined };
  const at = head.lastIndexOf("@");
  const endpoint = at < 0 ? undefined : objects.endpoint(head.slice(at + 1));
  return endpoint && { endpoint, user: head.slice(0, at) || undefined };
}

/** Reachable contacts in the order of the AORs; the same URI once. */
export function contactsOf(aors: readonly string[], { find }: Pick<DialplanHost, "find">): readonly Contact[] {
  const where = find(locations);
  const all = new Map<string, Contact>();
  for (const aor of aors) {
    const sorted = [...where?.contacts(aor, "reachable") ?? []].sort((a, b) => b.q - a.q);
    for (const contact of sorted) if (!all.has(contact.uri)) all.set(contact.uri, contact);
  }
  return [...all.values()];
}

function legTo(
  endpoint: Endpoint,
  user: string | undefined,
  contact: Contact,
  { find }: Pick<DialplanHost, "find">,
): readonly Leg[] {
  const uri = parseUri(contact.uri);
  if (uri === undefined || uri.scheme === "other") return [];
  const flow = contact.flow === undefined
    ? undefined
    : find(stack)?.transports.flows.find((f) => f.id === contact.flow && f.open);
  return [{ endpoint, uri: withUser(uri, user), path: contact.path, ...(flow ? { flow } : {}) }];
}

const withUser = (uri: Uri, user: string | undefined): Uri =>
  user !== undefined && (uri.scheme === "sip" || uri.scheme === "sips") ? { ...uri, user } : uri;
