// A peer behind a NAT: what it writes about itself is replaced by where its packets come from.
import type { ContactValue, NameAddr, SipHeaders } from "../../sip/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.ts";
import { writeContact, writeNameAddr } from "../../sip/message/name_addr.ts";
import type { SipUri } from "../../sip/message/uri.ts";
import type { Flow } from "../../sip/transport/flow.ts";

/** Where a REGISTER's Contact pointed before; kept with the binding, never on the wire. */
export const ORIGINAL = "x-ast-orig-host";

/** Rewrites the one URI that the next request to the peer will use. Answers what it did, for the log. */
export function rewriteContact(message: SipMessage, flow: Flow): string | undefined {
  const { headers } = message;
  const register = message.kind === "request" && message.method === "REGISTER";
  if (!register && headers.has("Record-Route")) return rewriteRoute(message, flow);
  if (message.kind === "request" && !register && isRelayed(message)) return undefined;
  return rewriteContacts(headers, flow, register);
}

/** In a dialog, and by way of a proxy: the dialog has a route set, its target is not the sender of the packet. */
function isRelayed(request: SipRequest): boolean {
  return request.headers.get("To")?.params.has("tag") === true && request.headers.all("Via").length > 1;
}

/** The hop next to us: the top one of a request, the bottom one of a response. */
function rewriteRoute(message: SipMessage, flow: Flow): string | undefined {
  const routes = [...message.headers.all("Record-Route")];
  const at = message.kind === "request" ? 0 : routes.length - 1;
  const route = routes[at];
  const uri = route && moved(route.uri, flow);
  if (!route || !uri) return undefined;
  routes[at] = { ...route, uri };
  message.headers.set("Record-Route", routes.map(writeNameAddr).join(", "));
  return `Record-Route ${flow.remote.host}:${flow.remote.port}`;
}

function rewriteContacts(headers: SipHeaders, flow: Flow, register: boolean): string | undefined {
  const contacts = headers.all("Contact");
  const first = contacts.find(hasSipUri);
  if (!first) return undefined;
  const same = ({ uri }: { readonly uri: SipUri }) => uri.host === first.uri.host && uri.port === first.uri.port;
  let changed = false;
  const written = contacts.map((contact) => {
    const ours = hasSipUri(contact) && (register ? same(contact) : contact === first) ? contact : undefined;
    const uri = ours && moved(ours.uri, flow);
    if (!ours || !uri) return writeContact(contact);
    changed = true;
    return writeContact({ ...ours, uri: register ? remembering(uri, ours.uri) : uri });
  });
  if (!changed) return undefined;
  headers.set("Contact", written.join(", "));
  return `Contact ${first.uri.host}:${first.uri.port ?? ""} -> ${flow.remote.host}:${flow.remote.port}`;
}

type SipContact = NameAddr & { readonly uri: SipUri; readonly star?: undefined };

function hasSipUri(contact: ContactValue): contact is SipContact {
  return !contact.star && (contact.uri.scheme === "sip" || contact.uri.scheme === "sips");
}

/** The URI at the address its packet came from; undefined when it is there already. */
function moved(uri: NameAddr["uri"], flow: Flow): SipUri | undefined {
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return undefined;
  const params = new Map(uri.params);
  if (flow.protocol === "udp") params.delete("transport");
  else if (flow.protocol !== "wss") params.set("transport", flow.protocol);
  const { host, port } = flow.remote;
  const there = uri.host === host && (uri.port ?? (flow.secure ? 5061 : 5060)) === port;
  if (there && params.get("transport") === uri.params.get("transport")?.toLowerCase()) return undefined;
  return { ...uri, host, port, params };
}

function remembering(uri: SipUri, original: SipUri): SipUri {
  if (uri.host === original.host && uri.port === original.port) return uri;
  const host = original.host.includes(":") ? `[${original.host}]` : original.host;
  return { ...uri, params: new Map(uri.params).set(ORIGINAL, `${host}:${original.port ?? 0}`) };
}

/** What a stranger wrote under our own name would lead others astray. */
export function stripOriginal(headers: SipHeaders): void {
  if (!headers.texts("Contact").some((text) => text.toLowerCase().includes(ORIGINAL))) return;
  const contacts = headers.all("Contact").map((contact) =>
    writeContact(hasSipUri(contact) ? { ...contact, uri: withoutOriginal(contact.uri) } : contact)
  );
  headers.set("Contact", contacts.join(", "));
}

function withoutOriginal(uri: SipUri): SipUri {
  const params = new Map(uri.params);
  params.delete(ORIGINAL);
  return { ...uri, params };
}

/** A 200 to REGISTER lists the bindings as their owner wrote them. */
export function restoreOriginal(response: SipResponse): void {
  if (!response.headers.texts("Contact").some((text) => text.includes(ORIGINAL))) return;
  const contacts = response.headers.all("Contact").map((contact) => {
    if (!hasSipUri(contact)) return writeContact(contact);
    const [, host = contact.uri.host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(contact.uri.params.get(ORIGINAL) ?? "") ?? [];
    const restored = port === undefined
      ? contact.uri
      : { ...contact.uri, host, port: port === "0" ? undefined : Number(port) };
    return writeContact({ ...contact, uri: withoutOriginal(restored) });
  });
  response.headers.set("Contact", contacts.join(", "));
}
