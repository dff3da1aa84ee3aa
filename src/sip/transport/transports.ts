import type { SocketAddress, StreamListener, StreamOptions, Timer, World } from "../../world/world.ts";
import { messageLimits } from "../message/limits.ts";
import type { Malformed, SipMessage, SipResponse } from "../message/message.ts";
import { parseMessage } from "../message/parser.ts";
import { writeMessage } from "../message/writer.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type DatagramOwner, DatagramTransport } from "./datagram.ts";
import type { Destination, Flow } from "./flow.ts";
import type { TransportLayer, TransportLimits, TransportListener, TransportOptions, TransportState } from "./layer.ts";
import { markReceived, responseAddress } from "./received.ts";

/** security.md has the reasons. */
export const transportLimits: TransportLimits = {
  messageOctets: 65_535,
  connections: 4096,
  connectionsPerStranger: 32,
  firstMessageSeconds: 10,
  gapSeconds: 10,
  idleStrangerSeconds: 30,
  idleTrustedSeconds: 900,
  unsentOctets: 1024 * 1024,
  keepAliveSeconds: 90,
};

const CONNECT_MS = 5_000;
const SWEEP_MS = 1_000;
const BIND_TRIES = 3;
const BIND_GAP_MS = 100;

interface StreamTransport {
  readonly options: TransportOptions;
  readonly listener: StreamListener;
}

type External = (towards: Destination | Flow, transport: string) => Partial<SocketAddress> | undefined;

/** Every socket of the SIP side of one server. */
export class Transports implements TransportLayer, DatagramOwner, ConnectionOwner {
  readonly #datagrams = new Map<string, DatagramTransport>();
  readonly #streams = new Map<string, StreamTransport>();
  readonly #connections = new Map<string, Connection>(); // by id, oldest first
  readonly #connecting = new Map<string, Promise<Connection>>(); // by peer
  readonly #externals = new Set<External>();
  #sweeper: Timer | undefined;
  #serial = 0;
  #messageLimits = messageLimits;
  #limits: TransportLimits;

  constructor(
    readonly world: Pick<World, "now" | "after" | "network">,
    readonly listener: TransportListener,
    limits: TransportLimits = transportLimits,
  ) {
    this.#limits = limits;
    this.limits = limits;
  }

  get limits(): TransportLimits {
    return this.#limits;
  }

  set limits(limits: TransportLimits) {
    this.#limits = limits;
    this.#messageLimits = { ...messageLimits, messageOctets: limits.messageOctets };
  }

  // ---- opening and closing ----------------------------------------------------------------------------------------

  async open(options: TransportOptions): Promise<void> {
    await this.close(options.id);
    for (let left = BIND_TRIES - 1;; left--) {
      try {
        return await this.#bind(options);
      } catch (error) {
        if (left === 0) throw error;
        await new Promise<void>((resolve) => this.world.after(BIND_GAP_MS, resolve));
      }
    }
  }

  async #bind(options: TransportOptions): Promise<void> {
    if (options.protocol === "udp") {
      this.#datagrams.set(options.id, await DatagramTransport.open(options, this));
      return this.#list();
    }
    const listener = await this.world.network.listenStream(streamOptions(options), {
      accepted: (stream) => this.#accepted(options, stream),
      failed: () => {}, // a handshake that failed is the stranger's own loss; the runtime closed it
    });
    this.#streams.set(options.id, { options, listener });
    this.#list();
  }

  renew(failed: (id: string, error: unknown) => void): void {
    for (const [id, { options, listener }] of this.#streams) {
      if (!options.tls) continue;
      try {
        listener.setTls(options.tls);
      } catch (error) {
        failed(id, error);
      }
    }
  }

  close(id: string): Promise<void> {
    this.#datagrams.get(id)?.close();
    this.#datagrams.delete(id);
    this.#streams.get(id)?.listener.close();
    this.#streams.delete(id);
    this.#list();
    for (const connection of [...this.#connections.values()]) if (connection.transport === id) connection.end();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const { id } of this.transports) await this.close(id);
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }

  /** Made anew when one is opened or closed. */
  transports: readonly TransportState[] = [];

  #list(): void {
    const connections = (id: string) => this.flows.filter((flow) => flow.transport === id).length;
    const state = ({ id, protocol }: TransportOptions, { host, port }: SocketAddress): TransportState => ({
      id,
      protocol,
      host,
      port,
      get connections() {
        return connections(id);
      },
    });
    this.transports = [
      ...[...this.#datagrams.values()].map((transport) => state(transport.options, transport.local)),
      ...[...this.#streams.values()].map(({ options, listener }) => state(options, listener.local)),
    ];
  }

  get flows(): readonly Flow[] {
    return [...this.#connections.values()];
  }

  // ---- coming in --------------------------------------------------------------------------------------------------

  datagram(bytes: Uint8Array, flow: Flow): void {
    if (isKeepAlive(bytes) || !this.listener.admit(flow)) return;
    this.#arrived(parseMessage(bytes, this.#messageLimits), bytes, flow);
  }

  framed(message: SipMessage, bytes: Uint8Array, connection: Connection): void {
    if (this.listener.admit(connection)) this.#arrived(message, bytes, connection);
  }

  broken(fault: Malformed, connection: Connection): void {
    if (fault.reply) markReceived(fault.reply.headers, connection.remote);
    this.listener.malformed(fault, connection);
  }

  #arrived(message: SipMessage | Malformed, bytes: Uint8Array, flow: Flow): void {
    this.listener.observed("in", bytes, flow);
    if (message.kind === "malformed") {
      if (message.reply) markReceived(message.reply.headers, flow.remote);
      this.listener.malformed(message, flow);
      return;
    }
    if (message.kind === "request" && !markReceived(message.headers, flow.remote)) return; // no Via, no way back
    this.listener.message(message, flow);
  }

  unreachable(flow: Flow): void {
    this.listener.unreachable(flow);
  }

  #accepted(options: TransportOptions, stream: Connection["stream"]): void {
    const strangers = this.#strangersFrom(stream.remote.host);
    // Who shows a certificate shows a good one, where we ask for it.
    const forged = options.tls?.requestClientCertificate === true && stream.tlsError !== undefined &&
      stream.peerNames.length > 0;
    const full = this.#connections.size >= this.limits.connections && !this.#evict();
    if (forged || strangers >= this.limits.connectionsPerStranger || full) {
      stream.destroy();
      return;
    }
    const connection = this.#adopt(options, stream, false, undefined);
    if (!this.listener.admit(connection)) connection.destroy();
  }

  #strangersFrom(host: string): number {
    let count = 0;
    for (const connection of this.#connections.values()) {
      if (connection.stranger && connection.remote.host === host) count++;
    }
    return count;
  }

  /** The oldest connection whose peer never proved who it is makes room for a newcomer. */
  #evict(): boolean {
    for (const connection of this.#connections.values()) {
      if (!connection.stranger) continue;
      connection.destroy();
      return true;
    }
    return false;
  }

  #adopt(
    options: TransportOptions,
    stream: Connection["stream"],
    outgoing: boolean,
    serverName: string | undefined,
  ): Connection {
    const id = `${options.id} #${++this.#serial}`;
    const connection = new Connection(id, options.id, options.protocol, outgoing, stream, this, serverName);
    this.#connections.set(id, connection);
    this.#sweeper ??= this.world.after(SWEEP_MS, () => this.#sweep());
    return connection;
  }

  #sweep(): void {
    const now = this.world.now();
    for (const connection of [...this.#connections.values()]) connection.sweep(now);
    this.#sweeper = this.#connections.size > 0 ? this.world.after(SWEEP_MS, () => this.#sweep()) : undefined;
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection.id);
    this.listener.unreachable(connection);
  }

  // ---- going out --------------------------------------------------------------------------------------------------

  flowNow(destination: Destination): Flow | undefined {
    if (destination.flow) return destination.flow.open ? destination.flow : undefined;
    if (destination.protocol === "udp") return this.#datagramFor(destination)?.flow(destination.address);
    for (const connection of this.#connections.values()) {
      if (serves(connection, destination)) return connection;
    }
    return undefined;
  }

  async flowTo(destination: Destination): Promise<Flow> {
    const ready = this.flowNow(destination);
    if (ready) return ready;
    const { address, protocol } = destination;
    if (destination.flow) throw new Error(`the connection to ${address.host}:${address.port} is closed`);
    const transport = this.#streamFor(destination);
    if (!transport) throw new Error(`no ${protocol} transport towards ${address.host}`);
    const peer = `${transport.options.id} ${address.host} ${address.port} ${destination.serverName ?? ""}`;
    const running = this.#connecting.get(peer) ?? this.#connect(transport.options, destination);
    this.#connecting.set(peer, running);
    try {
      return await running;
    } finally {
      this.#connecting.delete(peer);
    }
  }

  async #connect(options: TransportOptions, destination: Destination): Promise<Connection> {
    const anywhere = options.host === "0.0.0.0" || options.host === "::";
    const stream = await this.world.network.connectStream({
      ...streamOptions(options),
      host: destination.address.host,
      port: destination.address.port,
      ...(anywhere ? {} : { localHost: options.host }),
      ...(options.tls
        ? { tls: { ...options.tls, ...(destination.serverName ? { serverName: destination.serverName } : {}) } }
        : {}),
      timeoutMs: CONNECT_MS,
    });
    return this.#adopt(options, stream, true, destination.serverName);
  }

  #datagramFor(destination: Destination): DatagramTransport | undefined {
    if (destination.transport !== undefined) return this.#datagrams.get(destination.transport);
    for (const transport of this.#datagrams.values()) {
      if (sameFamily(transport.options.host, destination.address.host)) return transport;
    }
    return undefined;
  }

  #streamFor(destination: Destination): StreamTransport | undefined {
    for (const transport of this.#streams.values()) {
      const { options } = transport;
      if (options.protocol !== destination.protocol) continue;
      if (destination.transport !== undefined && destination.transport !== options.id) continue;
      if (sameFamily(options.host, destination.address.host)) return transport;
    }
    return undefined;
  }

  send(message: SipMessage, flow: Flow): boolean {
    return this.sendBytes(writeMessage(message), flow);
  }

  sendBytes(bytes: Uint8Array, flow: Flow): boolean {
    this.listener.observed("out", bytes, flow);
    return flow.send(bytes);
  }

  respond(response: SipResponse, flow: Flow): { readonly bytes: Uint8Array; readonly flow: Flow } | undefined {
    if (!flow.open && !flow.reliable) return undefined;
    const bytes = writeMessage(response);
    if (flow.open) {
      const datagrams = flow.reliable ? undefined : this.#datagrams.get(flow.transport);
      const address = datagrams ? responseAddress(response, flow.remote) : flow.remote;
      const back = datagrams && address !== flow.remote ? datagrams.flow(address) : flow;
      return this.sendBytes(bytes, back) ? { bytes, flow: back } : undefined;
    }
    const address = responseAddress(response, flow.remote);
    this.flowTo({ protocol: flow.protocol, address, transport: flow.transport })
      .then((anew) => this.sendBytes(bytes, anew), () => this.listener.unreachable(flow));
    return { bytes, flow };
  }

  // ---- our own address --------------------------------------------------------------------------------------------

  sentBy(towards: Destination | Flow): SocketAddress | undefined {
    const local = this.#localAddress(towards);
    if (!local) return undefined;
    for (const external of this.#externals) {
      const seen = external(towards, local.transport);
      if (seen) return { host: seen.host ?? local.host, port: seen.port ?? local.port };
    }
    return local;
  }

  transportFor(towards: Destination | Flow): string | undefined {
    if ("id" in towards) return towards.transport;
    if (towards.flow) return towards.flow.transport;
    return (towards.protocol === "udp" ? this.#datagramFor(towards) : this.#streamFor(towards))?.options.id;
  }

  #localAddress(towards: Destination | Flow): (SocketAddress & { readonly transport: string }) | undefined {
    if ("id" in towards) {
      const { host } = towards.local;
      const port = towards.reliable ? this.#streams.get(towards.transport)?.listener.local.port : undefined;
      return { host, port: port ?? towards.local.port, transport: towards.transport };
    }
    if (towards.flow) return this.#localAddress(towards.flow);
    if (towards.protocol === "udp") {
      const transport = this.#datagramFor(towards);
      return transport && { ...transport.flow(towards.address).local, transport: transport.options.id };
    }
    const stream = this.#streamFor(towards);
    if (!stream) return undefined;
    const { host, port } = stream.listener.local;
    const anywhere = host === "0.0.0.0" || host === "::";
    const chosen = anywhere ? this.world.network.localAddressTowards(towards.address.host) ?? host : host;
    return { host: chosen, port, transport: stream.options.id };
  }

  advertise(external: External): () => void {
    this.#externals.add(external);
    return () => void this.#externals.delete(external);
  }
}

const streamOptions = (options: TransportOptions): StreamOptions => ({
  host: options.host,
  port: options.port,
  ...(options.tls ? { tls: options.tls } : {}),
  ...(options.dscp ? { dscp: options.dscp } : {}),
  ...(options.keepAliveIdleSeconds ? { keepAliveIdleSeconds: options.keepAliveIdleSeconds } : {}),
});

/** A connection may be used again by anyone who would have opened the same one (RFC 3261 §18.1.1). */
function serves(connection: Connection, destination: Destination): boolean {
  return connection.open && connection.protocol === destination.protocol &&
    connection.remote.port === destination.address.port && connection.remote.host === destination.address.host &&
    (destination.transport === undefined || destination.transport === connection.transport) &&
    (!connection.secure || (connection.outgoing && connection.serverName === destination.serverName));
}

const sameFamily = (one: string, other: string) => one.includes(":") === other.includes(":");

/** Empty, CRLF or NUL datagrams keep a NAT binding open; nobody answers them. */
function isKeepAlive(bytes: Uint8Array): boolean {
  if (bytes.length > 4) return false;
  return bytes.every((octet) => octet === 0 || octet === 13 || octet === 10);
}
