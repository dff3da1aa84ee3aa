import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Contact } from "../../kernel/services.ts";
import type { StoredRow } from "../../kernel/store.ts";
import type { Uri } from "../../sip/message/uri.ts";
import { parseUri } from "../../sip/message/uri.ts";

/** A registered contact as memory holds it. */
export interface Binding {
  readonly contact: Contact;
  readonly uri: Uri; // of `contact.uri`
  /** Monotonic ms: a jump of the wall clock neither drops nor prolongs it. */
  readonly until: number;
}

/** The table of the store; the key is the contact's id. */
export const CONTACTS = "contact";

/** Which node took the registration. One machine is one node; several will get names with the store they share. */
export const NODE = "local";

export const dynamicId = (aor: string, uri: string) => `${aor};@${md5(uri)}`;
export const permanentId = (aor: string, uri: string) => `${aor}@@${md5(uri)}`;

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

const storedContact = v.object({
  aor: v.string(),
  uri: v.string(),
  expiresAt: v.number(), // wall-clock ms
  path: v.array(v.string()),
  userAgent: v.string(),
  endpoint: v.optional(v.string()),
  callId: v.string(),
  cseq: v.number(),
  q: v.number(),
  viaAddress: v.string(),
  viaPort: v.number(),
  node: v.string(),
  pruneOnBoot: v.boolean(),
});

/**
 * The row's text. The store is told no expiry: it would sweep by the wall clock, and a jump of that loses no binding.
 */
export function writeBinding({ contact }: Binding): string {
  const { flow: _flow, status: _status, roundTripMicros: _roundTrip, id: _id, ...kept } = contact;
  return JSON.stringify(kept);
}

/** Undefined when the row is none of ours or cannot be read. */
export function readBinding(row: StoredRow, clock: { now(): number; wallClock(): number }): Binding | undefined {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), storedContact), row.value);
  const uri = read.success ? parseUri(read.output.uri) : undefined;
  if (!read.success || !uri) return undefined;
  const { endpoint, ...rest } = read.output;
  return {
    contact: {
      ...rest,
      id: row.key,
      endpoint,
      flow: undefined,
      status: "nonQualified",
      roundTripMicros: undefined,
    },
    uri,
    until: clock.now() + (read.output.expiresAt - clock.wallClock()),
  };
}

/** A contact from the configuration, not yet qualified. */
export function permanentContact(aor: string, uri: string): Contact {
  return {
    id: permanentId(aor, uri),
    aor,
    uri,
    expiresAt: undefined,
    path: [],
    userAgent: "",
    endpoint: undefined,
    callId: "",
    cseq: 0,
    q: 1,
    viaAddress: "",
    viaPort: 0,
    node: NODE,
    flow: undefined,
    pruneOnBoot: false,
    status: "nonQualified",
    roundTripMicros: undefined,
  };
}
