import type { SocketAddress } from "../../world/world.ts";

export type Protocol = "udp" | "tcp" | "tls" | "ws" | "wss";

/** The way a message came, and the way back: one UDP socket and peer, or one connection. */
export interface Flow {
  /** Unique while the process lives. Same peer on the same UDP socket: same id. */
  readonly id: string;
  /** Id of the transport object that owns the socket. */
  readonly transport: string;
  readonly protocol: Protocol;
  readonly reliable: boolean; // not UDP
  readonly secure: boolean; // TLS or WSS
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly open: boolean;
  /** Who was last recognised on it; whoever identifies senders writes it. */
  peer?: string | undefined;
  /** False when it could not be handed to the kernel (closed, peer unreachable, over the unsent limit). */
  send(bytes: Uint8Array): boolean;
  /** Called once when the connection closed; never for UDP. Returns the way to stop listening. */
  onClose(run: () => void): () => void;
  /** The peer proved who it is: the limits for strangers (idle time, eviction) no longer apply. */
  trust(): void;
}

/** Where the next hop is, after resolution (RFC 3263). */
export interface Destination {
  readonly protocol: Protocol;
  readonly address: SocketAddress;
  /** Name to verify in the peer's certificate and to send as SNI. */
  readonly serverName?: string;
  /** Only through this transport object; otherwise any that fits. */
  readonly transport?: string;
  /** Only over this flow (RFC 5626, connection-bound contacts). */
  readonly flow?: Flow;
}
