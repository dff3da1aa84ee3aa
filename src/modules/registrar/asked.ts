// What a REGISTER asks for, read and clamped before anything is compared with what is stored.
import type { NameAddr } from "../../sip/message/headers.ts";
import { parseInteger } from "../../sip/message/integer.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import { splitList } from "../../sip/message/params.ts";
import { type SipUri, writeUri } from "../../sip/message/uri.ts";
import type { Aor } from "../../kernel/aor.ts";

export interface AskedContact {
  readonly uri: SipUri;
  readonly text: string; // of `uri`
  readonly expires: number; // seconds, clamped; 0: remove
  readonly q: number;
}

export interface Asked {
  readonly contacts: readonly AskedContact[];
  /** `Contact: *` with expiry 0. */
  readonly removeAll: boolean;
  /** Path values, topmost first; empty when the aor does not support Path. */
  readonly path: readonly string[];
  /** The Expires of the request after clamping; undefined when it had none. */
  readonly expires: number | undefined;
}

/** Why a REGISTER is refused. `acl` is the name the security event gives. */
export interface Refusal {
  readonly kind: "refusal";
  readonly status: number;
  readonly reason: string;
  readonly acl?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const INVALID_CONTACTS: Refusal = {
  kind: "refusal",
  status: 400,
  reason: "Bad Contact",
  acl: "registrar_invalid_contacts_provided",
};
const MAX_URI = 511;
const MAX_HOST = 255;
const MAX_PATH = { octets: 4096, entries: 20 };

export function readAsked(request: SipRequest, aor: Aor): Asked | Refusal {
  const { headers } = request;
  const written = headers.texts("Contact").reduce((count, text) => count + splitList(text).length, 0);
  const values = headers.all("Contact");
  if (values.length !== written) return INVALID_CONTACTS; // one could not be read
  const header = headers.get("Expires");
  const expires = header === undefined ? undefined : clamp(header, aor);
  if (values.some((value) => value.star)) {
    if (values.length > 1 || header !== 0) return INVALID_CONTACTS;
    return { contacts: [], removeAll: true, path: [], expires };
  }
  const path = readPath(request, aor);
  if ("kind" in path) return path;
  const contacts: AskedContact[] = [];
  for (const value of values) {
    if (value.star) continue;
    const wanted = parseInteger(value.params.get("expires") ?? "") ?? header ?? aor.defaultExpiration;
    const contact = readContact(value, clamp(wanted, aor));
    if (!contact) return INVALID_CONTACTS;
    if (wanted > 0 && wanted < aor.minimumExpiration && aor.expirationTooShort === "reject") return tooBrief(aor);
    contacts.push(contact);
  }
  return { contacts, removeAll: false, path, expires };
}

/** 0 stays 0: it removes. */
function clamp(seconds: number, aor: Aor): number {
  if (seconds === 0) return 0;
  return Math.max(aor.minimumExpiration, Math.min(seconds, aor.maximumExpiration));
}

function readContact({ uri, params }: NameAddr, expires: number): AskedContact | undefined {
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return undefined;
  const text = writeUri(uri);
  if (text.length > MAX_URI || uri.host.length > MAX_HOST) return undefined;
  return { uri, text, expires, q: readQ(params.get("q")) };
}

/** RFC 3261 §25.1 qvalue; 1 when absent or unreadable. */
function readQ(text: string | undefined): number {
  return text !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}

function tooBrief(aor: Aor): Refusal {
  return {
    kind: "refusal",
    status: 423,
    reason: "Interval Too Brief",
    headers: { "Min-Expires": String(aor.minimumExpiration) },
  };
}

/** RFC 3327: the proxies between the phone and us. */
function readPath({ headers }: SipRequest, aor: Aor): readonly string[] | Refusal {
  if (!aor.supportPath || !headers.has("Path")) return [];
  if (!headers.all("Supported").some((tag) => tag.toLowerCase() === "path")) {
    return { kind: "refusal", status: 420, reason: "Bad Extension", headers: { Unsupported: "path" } };
  }
  const texts = headers.texts("Path");
  const entries = texts.flatMap((text) => splitList(text));
  const readable = headers.all("Path").length === entries.length;
  if (readable && entries.length <= MAX_PATH.entries && texts.join(",").length <= MAX_PATH.octets) return entries;
  return { kind: "refusal", status: 400, reason: "Bad Path" };
}
