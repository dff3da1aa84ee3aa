// The injected world: everything that is not a pure function of its input. Production passes the real one
// (real_world.ts), tests pass a virtual one (tests/virtual_world.ts).

/** An IP literal without brackets and a port (0 where unknown). */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** A running timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Random {
  /** `count` unpredictable octets. */
  bytes(count: number): Uint8Array;
  /** Uniform in 0 .. 2^32 - 1. */
  uint32(): number;
  /** Uniform integer in 0 .. bound - 1; `bound` in 1 .. 2^32. */
  below(bound: number): number;
  /** Lower-case hex of `octets` random octets: tags, branches, ids. */
  token(octets: number): string;
}

export interface DatagramOptions {
  readonly host: string; // an IP literal of this machine, or 0.0.0.0 / ::
  readonly port: number; // 0: any
  readonly dscp?: number; // 0..63
}

export interface DatagramListener {
  /** `bytes` is only valid during the call. */
  received(bytes: Uint8Array, from: SocketAddress): void;
  /** The kernel reported an ICMP error; `to` is absent where the platform does not say which peer. */
  unreachable(to: SocketAddress | undefined): void;
}

export interface DatagramSocket {
  readonly local: SocketAddress;
  /** False when the kernel refused it (peer unreachable, buffer full). Never throws. */
  send(bytes: Uint8Array, to: SocketAddress): boolean;
  close(): void;
}

export interface TlsOptions {
  readonly certFile?: string; // PEM paths
  readonly keyFile?: string;
  readonly keyPassword?: string;
  readonly caFiles?: readonly string[];
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
  readonly ciphers?: string; // OpenSSL list
  readonly requestClientCertificate?: boolean;
  readonly requireClientCertificate?: boolean;
  readonly verifyServer?: boolean;
  readonly serverName?: string; // SNI sent by a client
  /** More certificates of a listener, chosen by the name the client asks for (SNI). */
  readonly names?: Readonly<Record<string, { readonly certFile: string; readonly keyFile: string }>>;
}

export interface StreamOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions;
  readonly dscp?: number;
  /** SO_KEEPALIVE: idle seconds before the first probe. */
  readonly keepAliveIdleSeconds?: number;
}

export interface StreamListenerHandlers {
  accepted(connection: StreamConnection): void;
  failed(error: Error): void;
}

/** What a connection tells its owner. Set once by `connection.listen` before the next event-loop turn. */
export interface StreamHandlers {
  received(bytes: Uint8Array): void; // only valid during the call
  drained(): void; // the unsent bytes fell to 0
  closed(error: Error | undefined): void; // exactly once
}

export interface StreamConnection {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Why the peer's TLS certificate does not verify; absent when it does or there is no TLS. */
  readonly tlsError?: string;
  /** DNS names and URIs of the peer's certificate; empty without one. */
  readonly peerNames: readonly string[];
  listen(handlers: StreamHandlers): void;
  /** Queues the bytes; false once the connection is closing. */
  write(bytes: Uint8Array): boolean;
  /** Octets written but not yet taken by the kernel. */
  readonly unsent: number;
  /** Flushes, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface StreamListener {
  readonly local: SocketAddress;
  /** New connections get these certificates; running ones keep theirs. */
  setTls(tls: TlsOptions): void;
  close(): void; // running connections stay
}

export interface Network {
  /** Rejects when the address cannot be bound. */
  bindDatagram(options: DatagramOptions, listener: DatagramListener): Promise<DatagramSocket>;
  listenStream(options: StreamOptions, handlers: StreamListenerHandlers): Promise<StreamListener>;
  /** Rejects when refused, unreachable, or not connected within `timeoutMs`. */
  connectStream(
    options: StreamOptions & { readonly localHost?: string; readonly timeoutMs: number },
  ): Promise<StreamConnection>;
  /** The local IP the kernel would use towards `remote`; undefined when there is no route. */
  localAddressTowards(remote: string): string | undefined;
}

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** The three outcomes of a lookup; "unavailable" (no server answered) is never "absent". */
export type DnsAnswer<T> =
  | { readonly kind: "found"; readonly records: readonly T[]; readonly ttlSeconds: number }
  | { readonly kind: "absent" }
  | { readonly kind: "unavailable"; readonly why: string };

/** Asynchronous, one attempt of at most 2 s, never throws, does not cache (the resolver does). */
export interface Dns {
  a(name: string): Promise<DnsAnswer<string>>;
  aaaa(name: string): Promise<DnsAnswer<string>>;
  srv(name: string): Promise<DnsAnswer<SrvRecord>>;
  naptr(name: string): Promise<DnsAnswer<NaptrRecord>>;
}

export interface Files {
  /** Undefined when there is no such file; rejects on any other error. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Writes beside it, syncs and renames: the file is whole before and after a crash. `mode` such as 0o600. */
  write(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  append(path: string, bytes: Uint8Array): Promise<void>;
}

export interface World {
  /** Monotonic milliseconds, may have a fraction. */
  now(): number;
  /** Milliseconds since 1970-01-01T00:00Z; may jump. */
  wallClock(): number;
  /** Runs `run` once, `ms` (>= 0) from now. */
  after(ms: number, run: () => void): Timer;
  readonly random: Random;
  readonly network: Network;
  readonly dns: Dns;
  readonly files: Files;
}
