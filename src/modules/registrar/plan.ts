// What a REGISTER changes: a pure function of what it asks and what is stored (RFC 3261 §10.3).
import { equalUris } from "../../sip/message/uri.ts";
import type { Aor } from "../../kernel/aor.ts";
import type { Asked, AskedContact, Refusal } from "./asked.ts";
import type { Binding } from "./binding.ts";

export interface Removal {
  readonly binding: Binding;
  readonly reason: "request" | "remove existing" | "remove unavailable";
}

export interface Plan {
  readonly kind: "plan";
  readonly added: readonly AskedContact[];
  readonly refreshed: readonly { readonly asked: AskedContact; readonly binding: Binding }[];
  readonly removed: readonly Removal[];
}

/** `bindings` are those of the aor that have not expired; permanent contacts never count. */
export function planChanges(
  asked: Asked,
  order: { readonly callId: string; readonly cseq: number },
  bindings: readonly Binding[],
  aor: Aor,
): Plan | Refusal {
  const { added, refreshed, deleted } = match(asked, bindings);
  const touched = [...refreshed.map((r) => r.binding), ...deleted];
  // An equal CSeq comes from clients that do not count; retransmissions never get here.
  const late = touched.some(({ contact }) => contact.callId === order.callId && contact.cseq > order.cseq);
  if (late) return { kind: "refusal", status: 500, reason: "CSeq Out Of Order" };
  const removed: Removal[] = deleted.map((binding) => ({ binding, reason: "request" }));
  const after = aor.removeExisting
    ? Math.max(0, refreshed.length + added.length - deleted.length)
    : bindings.length + added.length - deleted.length;
  if (after > aor.maxContacts) {
    const room = unreachableFirst(bindings.filter((b) => !touched.includes(b)), after - aor.maxContacts);
    if (!aor.removeUnavailable || !room) return FULL;
    removed.push(...room.map((binding) => ({ binding, reason: "remove unavailable" }) as const));
  }
  if (aor.removeExisting) {
    const untouched = bindings.filter((b) => !touched.includes(b) && !removed.some((r) => r.binding === b));
    const excess = untouched.length + refreshed.length + added.length - aor.maxContacts;
    const leaving = byAge(untouched, aor.removeUnavailable).slice(0, Math.max(0, excess));
    removed.push(...leaving.map((binding) => ({ binding, reason: "remove existing" }) as const));
  }
  return { kind: "plan", added, refreshed, removed };
}

const FULL: Refusal = {
  kind: "refusal",
  status: 403,
  reason: "Too Many Contacts",
  acl: "registrar_attempt_exceeds_maximum_configured_contacts",
};

function match(asked: Asked, bindings: readonly Binding[]) {
  if (asked.removeAll) return { added: [], refreshed: [], deleted: bindings };
  const added = new Map<string, AskedContact>();
  const refreshed = new Map<Binding, AskedContact>();
  const deleted = new Set<Binding>();
  for (const contact of asked.contacts) {
    const binding = bindings.find((b) => equalUris(b.uri, contact.uri));
    if (binding) {
      // Named twice: the last one counts.
      if (contact.expires === 0) deleted.add(binding);
      else deleted.delete(binding);
      if (contact.expires === 0) refreshed.delete(binding);
      else refreshed.set(binding, contact);
      continue;
    }
    const twin = [...added.values()].find((other) => equalUris(other.uri, contact.uri));
    if (twin) added.delete(twin.text);
    if (contact.expires > 0) added.set(contact.text, contact);
  }
  return {
    added: [...added.values()],
    refreshed: [...refreshed].map(([binding, asked]) => ({ asked, binding })),
    deleted: [...deleted],
  };
}

/** The `count` unreachable ones that expire soonest; undefined when there are not as many. */
function unreachableFirst(bindings: readonly Binding[], count: number): readonly Binding[] | undefined {
  const unreachable = bindings.filter((b) => b.contact.status === "unreachable");
  return unreachable.length < count ? undefined : byAge(unreachable, false).slice(0, count);
}

/** Soonest to expire first; with `unreachableFirst`, unreachable ones before all others. */
function byAge(bindings: readonly Binding[], unreachableFirst: boolean): readonly Binding[] {
  const rank = (b: Binding) => (unreachableFirst && b.contact.status === "unreachable" ? 0 : 1);
  return [...bindings].sort((a, b) => rank(a) - rank(b) || a.until - b.until);
}
