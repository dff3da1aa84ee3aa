import * as v from "valibot";
import type { ApiRoute } from "../../kernel/http.ts";
import type { ObjectStore } from "../../kernel/objects.ts";
import type { Contact } from "../../kernel/services.ts";
import type { Bindings } from "./bindings.ts";

const contactView = v.object({
  id: v.string(),
  aor: v.string(),
  uri: v.string(),
  endpoint: v.optional(v.string()),
  permanent: v.boolean(),
  expires: v.optional(v.number()), // whole seconds left
  status: v.picklist(["nonQualified", "reachable", "unreachable", "unknown"]),
  roundTripMicros: v.optional(v.number()),
  userAgent: v.string(),
  path: v.array(v.string()),
  callId: v.string(),
  viaAddress: v.string(),
  viaPort: v.number(),
  connectionBound: v.boolean(),
  node: v.string(),
});

const registrationView = v.object({
  endpoint: v.string(),
  aor: v.string(),
  maxContacts: v.number(),
  contacts: v.array(v.string()),
});

export function contactRoutes(
  objects: ObjectStore,
  bindings: Bindings,
  remove: (id: string) => Promise<boolean>,
): readonly ApiRoute[] {
  const view = (contact: Contact): v.InferOutput<typeof contactView> => ({
    id: contact.id,
    aor: contact.aor,
    uri: contact.uri,
    endpoint: contact.endpoint,
    permanent: contact.expiresAt === undefined,
    expires: bindings.secondsLeft(contact.id),
    status: contact.status,
    roundTripMicros: contact.roundTripMicros,
    userAgent: contact.userAgent,
    path: [...contact.path],
    callId: contact.callId,
    viaAddress: contact.viaAddress,
    viaPort: contact.viaPort,
    connectionBound: contact.pruneOnBoot,
    node: contact.node,
  });
  return [
    {
      method: "GET",
      path: "/contacts",
      summary: "Contacts, registered and permanent; `aor` names one aor, `like` is a part of the aor or the URI",
      scope: "read",
      reply: v.array(contactView),
      run({ query: { aor, like = "" } }) {
        const contacts = aor === undefined ? bindings.all : bindings.contacts(aor);
        const wanted = contacts.filter((c) => c.aor.includes(like) || c.uri.includes(like));
        return { status: 200, body: wanted.map(view) };
      },
    },
    {
      method: "DELETE",
      path: "/contacts/:id",
      summary: "Forgets a registered contact",
      scope: "write",
      async run({ params: { id = "" } }) {
        if (!bindings.get(id)) return { status: 404, body: { error: `no registered contact ${id}` } };
        const removed = await remove(id);
        return removed ? { status: 204, body: null } : { status: 503, body: { error: "the store is away" } };
      },
    },
    {
      method: "GET",
      path: "/registrations",
      summary: "Inbound registrations: each endpoint with its aors and their contacts",
      scope: "read",
      reply: v.array(registrationView),
      run() {
        const rows = objects.endpoints().flatMap((endpoint) =>
          endpoint.aors.map((aor) => ({
            endpoint: endpoint.id,
            aor,
            maxContacts: Number(objects.get("aor", aor)?.values.maxContacts ?? 0),
            contacts: bindings.contacts(aor).map((contact) => contact.id),
          }))
        );
        return { status: 200, body: rows };
      },
    },
  ];
}
