// Where a request came from, written into its top Via, and the way back read from it (RFC 3261 §18.2, RFC 3581 §4).
import type { SocketAddress } from "../../world/world.ts";
import type { SipHeaders } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { writeVia } from "../message/via.ts";

/** Port of a sent-by without one (RFC 3261 §18.2.2). */
export const defaultPort = (transport: string): number => transport === "TLS" || transport === "WSS" ? 5061 : 5060;

/** Adds `received` (always when the sent-by differs) and fills in an empty `rport`. False: the Via cannot be read. */
export function markReceived(headers: SipHeaders, source: SocketAddress): boolean {
  const via = headers.get("Via");
  if (!via) return false;
  const wantsPort = via.params.has("rport");
  if (!wantsPort && via.host === source.host && !via.params.has("received")) return true;
  const params = new Map(via.params);
  params.delete("received"); // what a stranger wrote there must not lead our answer elsewhere
  if (wantsPort) params.set("rport", String(source.port));
  if (wantsPort || via.host !== source.host) params.set("received", source.host);
  headers.removeFirst("Via");
  headers.prepend("Via", writeVia({ ...via, params }));
  return true;
}

/** As if the client had asked for `rport`: the answer goes to the source port. */
export function forceRport(request: SipRequest, source: SocketAddress): void {
  const via = request.headers.get("Via");
  if (!via || via.params.has("rport")) return;
  const params = new Map(via.params).set("rport", String(source.port)).set("received", source.host);
  request.headers.removeFirst("Via");
  request.headers.prepend("Via", writeVia({ ...via, params }));
}

/**
 * The address a response goes to when it cannot simply go back over its connection. Only the source's own address is
 * ever used, never a name or `maddr`: an answer is no means to reach third parties.
 */
export function responseAddress(response: SipResponse, source: SocketAddress): SocketAddress {
  const via = response.headers.get("Via");
  if (!via) return source;
  if (via.params.has("rport")) return source;
  return { host: source.host, port: via.port ?? defaultPort(via.transport) };
}
