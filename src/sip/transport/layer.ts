import type { SocketAddress, TlsOptions } from "../../world/world.ts";
import type { Malformed, SipMessage, SipResponse } from "../message/message.ts";
import type { Destination, Flow, Protocol } from "./flow.ts";

/** One listening transport. */
export interface TransportOptions {
  readonly id: string;
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions;
  readonly dscp?: number;
  readonly keepAliveIdleSeconds?: number;
}

export interface TransportLimits {
  readonly messageOctets: number; // 65535
  readonly connections: number; // 4096
  readonly connectionsPerStranger: number; // 32
  readonly firstMessageSeconds: number; // 10
  readonly gapSeconds: number; // 10
  readonly idleStrangerSeconds: number; // 30
  readonly idleTrustedSeconds: number; // 900
  readonly unsentOctets: number; // 1 MiB
  readonly keepAliveSeconds: number; // 90, 0: off; CRLFCRLF on streams
}

/** Who listens to a transport layer. All calls are synchronous and may not throw. */
export interface TransportListener {
  /** A well-formed message. `bytes` are its exact octets, valid during the call only. */
  message(message: SipMessage, flow: Flow): void;
  /** Raw observation of everything that came in or went out, before and after everything else (logger, hep). */
  observed(direction: "in" | "out", bytes: Uint8Array, flow: Flow): void;
  malformed(fault: Malformed, flow: Flow): void;
  /** A datagram to this peer was refused (ICMP) or the connection broke: pending requests to it fail over. */
  unreachable(flow: Flow): void;
  /** May the source send at all? Before parsing; false drops the datagram or connection unseen (block list, rate). */
  admit(flow: Flow): boolean;
}

/** Sockets, framing, connection reuse and keep-alive (RFC 3261 §18, RFC 5626 §4.4.1). */
export interface TransportLayer {
  /** Binds; rejects with the reason. Replaces a transport of the same id whose options differ. */
  open(options: TransportOptions): Promise<void>;
  close(id: string): Promise<void>;
  /** Reads certificates and keys again: new connections get them, running ones stay. A file that is broken changes nothing. */
  renew(failed: (id: string, error: unknown) => void): void;
  /** A flow to the destination: a live connection is reused, otherwise one is opened. Rejects when it fails. */
  flowTo(destination: Destination): Promise<Flow>;
  /** The same without waiting: UDP, or a connection that is there already; undefined: `flowTo` has to open one. */
  flowNow(destination: Destination): Flow | undefined;
  /** Sends a message over a flow; false when the flow refused it. */
  send(message: SipMessage, flow: Flow): boolean;
  /** The same with octets that were written before: retransmissions. */
  sendBytes(bytes: Uint8Array, flow: Flow): boolean;
  /**
   * Answers a request that came on `flow`: back over its connection, or where the top Via says (RFC 3261 §18.2.2, RFC
   * 3581 §4). Answers what left and by which way; undefined when it could not be handed to the kernel. A broken
   * connection is opened anew behind the scenes.
   */
  respond(response: SipResponse, flow: Flow): { readonly bytes: Uint8Array; readonly flow: Flow } | undefined;
  /** The address peers over there reach us at: Via sent-by, Contact. The listening port, also of outgoing connections. */
  sentBy(towards: Destination | Flow): SocketAddress | undefined;
  /** Id of the transport object that would carry it; undefined: none fits. */
  transportFor(towards: Destination | Flow): string | undefined;
  /** Who knows our address as seen from outside (NAT): asked before every `sentBy`. Returns the way to stop. */
  advertise(
    external: (towards: Destination | Flow, transport: string) => Partial<SocketAddress> | undefined,
  ): () => void;
  readonly transports: readonly TransportState[];
  readonly flows: readonly Flow[]; // open connections
  stop(): Promise<void>;
}

export interface TransportState {
  readonly id: string;
  readonly protocol: Protocol;
  readonly host: string; // as bound
  readonly port: number; // the real one when 0 was asked
  readonly connections: number;
}
