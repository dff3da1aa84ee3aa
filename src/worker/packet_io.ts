// The sockets of one worker. Two implementations pass the same tests: linux.ts (the kernel's calls on the core's memory)
// and portable.ts (Bun.udpSocket). Neither throws, awaits or allocates for a packet on Linux.
import type { Core } from "./core.ts";

/** The sockets of a stream on their way to another worker: descriptors, or (-1) ports to bind again. */
export interface DetachedPair {
  readonly host: string;
  readonly port: number;
  readonly rtcpPort: number; // the same as port when muxed
  readonly dscp: number;
  readonly descriptors: readonly [number, number];
}

export interface OpenPair {
  readonly host: string;
  /** First RTP ports to try, in order, even; [0] lets the kernel choose an even one. */
  readonly ports: readonly number[];
  readonly mux: boolean;
  readonly dscp: number; // 0..63
}

export interface PortPair {
  readonly port: number;
  readonly rtcpPort: number;
}

export interface PacketIo {
  /** Opens the sockets of a slot. Undefined: every port was in use. Throws when the host cannot be bound. */
  open(slot: number, pair: OpenPair): PortPair | undefined | Promise<PortPair | undefined>;
  close(slot: number): void;
  /** Waits for packets, at most `timeoutMs`; hands each to the core and sends what it answers. */
  poll(timeoutMs: number): void | Promise<void>;
  /** Sends what is in the outbox. */
  send(): void;
  setDscp(slot: number, dscp: number): void;
  /** Takes the sockets of a slot out of this worker without closing the ports, where the platform can. */
  detach(slot: number): DetachedPair | undefined;
  /** Takes over sockets that another worker detached; false when it could not. */
  attach(slot: number, pair: DetachedPair): boolean | Promise<boolean>;
  /** Datagrams the kernel refused to send, that failed on receipt, or on which the core trapped. */
  readonly errors: { readonly send: number; readonly receive: number; readonly trapped: number };
  stop(): void;
}

const ORIGIN = performance.timeOrigin;

/** Sets the core's clock: microseconds since 1970 that never step back, the same in every worker. */
export function setClock(core: Core): void {
  const micros = (ORIGIN + performance.now()) * 1000;
  core.clockSet(micros, micros);
}

/** The tries of a kernel-chosen port before giving up: it must be even and its neighbour free. */
export const ANY_PORT_TRIES = 64;
