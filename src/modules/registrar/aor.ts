import * as v from "valibot";
import type { FieldsOf } from "../../kernel/module.ts";
import { bool, integer, seconds, words } from "../../kernel/schema.ts";
import { parseUri } from "../../sip/message/uri.ts";

/** What the registrar adds to an aor. */
export const aorFields = {
  /** Permanent contacts: SIP URIs, a list or one string with commas. */
  contact: v.pipe(
    words(),
    v.everyItem((text) => isContactUri(text), 'expected SIP URIs such as "sip:192.0.2.1:5060"'),
  ),
  /** Registered contacts allowed at a time; 0 forbids registration. */
  maxContacts: integer(0, 0, 1000),
  /** A new contact over `maxContacts` displaces an old one instead of being refused. */
  removeExisting: bool(false),
  /** Contacts that qualify found unreachable make room first. */
  removeUnavailable: bool(false),
  /** Shorter intervals are raised to this. */
  minimumExpiration: seconds(60),
  /** Longer intervals are lowered to this. */
  maximumExpiration: seconds(7200),
  /** Used when the phone asks for none. */
  defaultExpiration: seconds(3600),
  /** Answer a too short interval with 423 instead of raising it. */
  expirationTooShort: v.optional(v.picklist(["clamp", "reject"]), "clamp"),
  /** Store the Path header (RFC 3327). */
  supportPath: bool(false),
  /** A refresh without Path: forget the stored one, or keep it. */
  pathRefresh: v.optional(v.picklist(["replace", "keep"]), "replace"),
};

export type AorSettings = FieldsOf<{ readonly aor: typeof aorFields }, "aor">;

function isContactUri(text: string): boolean {
  const uri = parseUri(text);
  return uri?.scheme === "sip" || uri?.scheme === "sips";
}
