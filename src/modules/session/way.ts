// Where messages of a call go: over the connection it has, or to an address of its own.
import type { Uri } from "../../sip/message/uri.ts";
import type { Destination, Flow } from "../../sip/transport/flow.ts";

/** The URI names the far end of the connection, or nothing that could be looked up (WebSocket clients). */
export function isAt(uri: Uri, flow: Pick<Flow, "remote">): boolean {
  return (uri.scheme === "sip" || uri.scheme === "sips") &&
    (uri.host === flow.remote.host || uri.host.endsWith(".invalid"));
}

export function destinationOf(flow: Flow): Destination {
  return { protocol: flow.protocol, address: flow.remote, transport: flow.transport, flow };
}

/** Nobody on the way there can read what is sent. */
export function isSecure({ protocol }: Pick<Destination, "protocol">): boolean {
  return protocol === "tls" || protocol === "wss";
}

/** The same of a request to `hop`, which may be another than the connection that the call began on. */
export function isSecureTo(hop: Uri, flow: Pick<Flow, "secure" | "open" | "remote"> | undefined): boolean {
  if (hop.scheme !== "sip" && hop.scheme !== "sips") return false;
  const transport = hop.params.get("transport")?.toLowerCase() ?? "";
  return hop.scheme === "sips" || transport === "tls" || transport === "wss" ||
    (flow !== undefined && flow.secure && flow.open && isAt(hop, flow));
}
