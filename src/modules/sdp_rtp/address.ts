// Where the sockets of a line are bound, and which address its SDP shows.
import type { MediaLine } from "../../kernel/services.ts";
import type { TransportState } from "../../sip/transport/layer.ts";
import { parseUri } from "../../sip/message/uri.ts";
import type { Network } from "../../world/world.ts";
import type { EndpointFields } from "./module.ts";
import { isNowhere } from "./negotiate.ts";

type Asked = Pick<EndpointFields, "mediaAddress" | "bindRtpToMediaAddress">;

/** The address of the transport the call uses, when it is bound to one. */
function transportHost(line: MediaLine, transports: readonly TransportState[], v6: boolean): string | undefined {
  const id = line.flow?.transport ?? line.endpoint.transport;
  const one = transports.find((t) => t.id === id) ?? (transports.length === 1 ? transports[0] : undefined);
  const host = line.flow?.local.host ?? one?.host;
  const bound = one?.host ?? host;
  if (bound === undefined || isNowhere(bound) || bound.includes(":") !== v6) return undefined;
  return bound;
}

/** Where RTP sockets are bound. */
export function boundHost(line: MediaLine, fields: Asked, transports: readonly TransportState[], v6: boolean): string {
  if (fields.mediaAddress !== undefined && fields.bindRtpToMediaAddress) return fields.mediaAddress;
  return transportHost(line, transports, v6) ?? (v6 ? "::" : "0.0.0.0");
}

/** What c= shows: the configured address, else that of the transport, else that of the route to the peer. */
export function advertisedHost(
  line: MediaLine,
  fields: Asked,
  transports: readonly TransportState[],
  network: Pick<Network, "localAddressTowards">,
  v6: boolean,
): string {
  if (fields.mediaAddress !== undefined) return fields.mediaAddress;
  const local = line.flow?.local.host;
  if (local !== undefined && !isNowhere(local) && local.includes(":") === v6) return local;
  const bound = transportHost(line, transports, v6);
  if (bound !== undefined) return bound;
  const target = line.flow?.remote.host ?? hostOf(line.channel.sip.target) ?? (v6 ? "2001:db8::1" : "192.0.2.1");
  return network.localAddressTowards(target) ?? (v6 ? "::1" : "127.0.0.1");
}

/** The host of a URI when it is an address. */
function hostOf(text: string): string | undefined {
  const uri = parseUri(text);
  if (uri === undefined || (uri.scheme !== "sip" && uri.scheme !== "sips")) return undefined;
  return /^[\d.]+$/.test(uri.host) || uri.host.includes(":") ? uri.host : undefined;
}
