import type { DatagramSocket, SocketAddress, World } from "../../world/world.ts";
import type { Flow } from "./flow.ts";
import type { TransportOptions } from "./layer.ts";

const PEERS = 16_384; // remembered per socket; the least recent goes
const RECENT_MS = 5_000;
const MOST_SILENT = 64; // before those of long ago are forgotten
const SUSPECT_MS = 2_000; // an ICMP error comes sooner
const HEARD_MS = 32_000; // who spoke so short a time ago listens

/** What a socket tells the layer. */
export interface DatagramOwner {
  readonly world: Pick<World, "network" | "now">;
  datagram(bytes: Uint8Array, flow: Flow): void;
  unreachable(flow: Flow): void;
}

/** One bound UDP socket and the peers it has met. */
export class DatagramTransport {
  readonly #peers = new Map<string, DatagramFlow>();
  /** Peers we sent to lately and that did not speak since. */
  readonly #silent = new Set<DatagramFlow>();
  #socket: DatagramSocket | undefined;

  private constructor(readonly options: TransportOptions, readonly owner: DatagramOwner) {}

  static async open(options: TransportOptions, owner: DatagramOwner): Promise<DatagramTransport> {
    const transport = new DatagramTransport(options, owner);
    transport.#socket = await owner.world.network.bindDatagram(
      { host: options.host, port: options.port, ...(options.dscp ? { dscp: options.dscp } : {}) },
      {
        received: (bytes, from) => {
          const flow = transport.flow(from);
          flow.heardAt = owner.world.now();
          transport.#silent.delete(flow);
          owner.datagram(bytes, flow);
        },
        unreachable: (to) => {
          const flow = to ? transport.#peers.get(`${to.host} ${to.port}`) : transport.#suspect();
          if (flow) owner.unreachable(flow);
        },
      },
    );
    return transport;
  }

  get open(): boolean {
    return this.#socket !== undefined;
  }

  get local(): SocketAddress {
    return this.#socket?.local ?? this.options;
  }

  flow(peer: SocketAddress): DatagramFlow {
    const key = `${peer.host} ${peer.port}`;
    const known = this.#peers.get(key);
    if (known) return known;
    if (this.#peers.size >= PEERS) this.#forgetOldest();
    const flow = new DatagramFlow(this, peer);
    this.#peers.set(key, flow);
    return flow;
  }

  /** Drops about a tenth, oldest first, but nobody who spoke or was spoken to in the last seconds. */
  #forgetOldest(): void {
    let left = PEERS / 10;
    const recent = this.owner.world.now() - RECENT_MS;
    for (const [key, flow] of this.#peers) {
      if (left-- <= 0) return;
      if (flow.usedAt < recent || this.#peers.size >= PEERS * 2) this.#peers.delete(key);
    }
  }

  /** The kernel said that somebody is not there, but not who: known only when one peer alone can be meant. */
  #suspect(): DatagramFlow | undefined {
    this.#forgetSilent();
    const [only] = this.#silent;
    return this.#silent.size === 1 ? only : undefined;
  }

  #forgetSilent(): void {
    const since = this.owner.world.now() - SUSPECT_MS;
    for (const flow of this.#silent) {
      if (flow.usedAt >= since) return;
      this.#silent.delete(flow);
    }
  }

  send(bytes: Uint8Array, flow: DatagramFlow): boolean {
    if (flow.heardAt < flow.usedAt - HEARD_MS) {
      this.#silent.delete(flow); // to the end: the set is in the order of use
      this.#silent.add(flow);
      if (this.#silent.size > MOST_SILENT) this.#forgetSilent();
    }
    return this.#socket?.send(bytes, flow.remote) ?? false;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** One UDP peer. */
export class DatagramFlow implements Flow {
  readonly id: string;
  readonly protocol = "udp";
  readonly reliable = false;
  readonly secure = false;
  usedAt: number;
  heardAt = Number.NEGATIVE_INFINITY;
  peer: string | undefined;
  #local: SocketAddress | undefined;

  constructor(readonly owner: DatagramTransport, readonly remote: SocketAddress) {
    this.id = `${owner.options.id} ${remote.host} ${remote.port}`;
    this.usedAt = owner.owner.world.now();
  }

  get transport(): string {
    return this.owner.options.id;
  }

  /** The address the peer sees; a socket bound to all addresses asks the kernel once. */
  get local(): SocketAddress {
    return this.#local ??= this.#localAddress();
  }

  #localAddress(): SocketAddress {
    const bound = this.owner.local;
    if (bound.host !== "0.0.0.0" && bound.host !== "::") return bound;
    const host = this.owner.owner.world.network.localAddressTowards(this.remote.host);
    return host === undefined ? bound : { host, port: bound.port };
  }

  get open(): boolean {
    return this.owner.open;
  }

  send(bytes: Uint8Array): boolean {
    this.usedAt = this.owner.owner.world.now();
    return this.owner.send(bytes, this);
  }

  onClose(): () => void {
    return () => {};
  }

  trust(): void {}
}
