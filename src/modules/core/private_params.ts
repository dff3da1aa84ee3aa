import type { SipHeaders } from "../../sip/message/headers.ts";
import { writeNameAddr } from "../../sip/message/name_addr.ts";
import type { SipUri, Uri } from "../../sip/message/uri.ts";

/** URI parameters of our own: they are kept in memory and in the store, and never seen on the wire. */
const PREFIX = "x-ast-";

/** The URI without our own parameters; the same object when it has none. */
export function withoutPrivate(uri: Uri): Uri {
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return uri;
  return hasPrivate(uri)
    ? { ...uri, params: new Map([...uri.params].filter(([name]) => !name.startsWith(PREFIX))) }
    : uri;
}

function hasPrivate(uri: SipUri): boolean {
  for (const name of uri.params.keys()) if (name.startsWith(PREFIX)) return true;
  return false;
}

/** The same for the URI of To. */
export function cleanTo(headers: SipHeaders): void {
  if (!headers.text("To")?.includes(PREFIX)) return;
  const to = headers.get("To");
  if (to) headers.set("To", writeNameAddr({ ...to, uri: withoutPrivate(to.uri) }));
}
