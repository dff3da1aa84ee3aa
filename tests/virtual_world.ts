// A universe in a test: one virtual clock, a seeded network with hosts, DNS and files. Nothing here waits for real time,
// and the same seed gives the same run.
import type {
  DatagramListener,
  DatagramSocket,
  Dns,
  DnsAnswer,
  NaptrRecord,
  Network,
  Random,
  SocketAddress,
  SrvRecord,
  StreamConnection,
  StreamHandlers,
  StreamListenerHandlers,
  StreamOptions,
  Timer,
  World,
} from "../src/world/world.ts";

/** What the network does to what passes; chances are 0..1. */
export interface Faults {
  readonly loss: number; // datagrams only
  readonly duplication: number; // datagrams only
  /** Extra delay, drawn from 0..this, per datagram: reorders. */
  readonly jitterMs: number;
  readonly delayMs: number; // one way
  /** Streams arrive in pieces of at most this many octets, drawn at random; 0: as written. */
  readonly pieces: number;
}

const noFaults: Faults = { loss: 0, duplication: 0, jitterMs: 0, delayMs: 1, pieces: 0 };

/** mulberry32: a small generator, good enough to draw faults and tags from. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => uint32() >>> 24);
  return { bytes, uint32, below: (bound) => Math.floor(uint32() / 2 ** 32 * bound), token: (n) => bytes(n).toHex() };
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined; // undefined: cancelled
}

/** Timers by time, then by order of setting. */
class Agenda {
  readonly #heap: Scheduled[] = [];
  #order = 0;
  live = 0;

  add(at: number, run: () => void): Timer {
    const entry: Scheduled = { at, order: this.#order++, run };
    this.live++;
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = entry;
    return {
      cancel: () => {
        if (entry.run) this.live--;
        entry.run = undefined;
      },
    };
  }

  /** The next one due at or before `until`. */
  take(until: number): { at: number; run: () => void } | undefined {
    for (let first = this.#heap[0]; first && first.at <= until; first = this.#heap[0]) {
      this.#removeFirst();
      if (!first.run) continue;
      const run = first.run;
      first.run = undefined;
      this.live--;
      return { at: first.at, run };
    }
    return undefined;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

const before = (a: Scheduled, b: Scheduled) => a.at < b.at || (a.at === b.at && a.order < b.order);
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The clock, the wires and the name servers that all virtual hosts share. */
export class VirtualUniverse {
  readonly #agenda = new Agenda();
  readonly #hosts = new Map<string, VirtualHost>(); // by address
  readonly #cuts = new Set<string>(); // "a b", both directions
  readonly #random: Random;
  readonly names = new VirtualDns();
  #now = 0;
  /** Wall clock at the start; may be changed to make it jump. */
  epoch = Date.UTC(2026, 0, 31, 12, 0, 0);
  faults: Faults = noFaults;
  /** Every datagram and stream write, for assertions. */
  watch: ((from: SocketAddress, to: SocketAddress, bytes: Uint8Array) => void) | undefined;
  /** Timers of all hosts and octets on the way. */
  get pending(): number {
    return this.#agenda.live;
  }

  constructor(readonly seed = 1) {
    this.#random = seededRandom(seed ^ 0x5bd1e995);
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    return this.#agenda.add(this.#now + Math.max(0, ms), run);
  }

  /** A machine with these addresses (and its own loopback). */
  host(...addresses: string[]): VirtualHost {
    const host = new VirtualHost(this, addresses, seededRandom(this.seed + this.#hosts.size * 7919 + 1));
    for (const address of addresses) this.#hosts.set(address, host);
    return host;
  }

  /** The machine is gone: what is sent to it is lost without an answer. */
  remove(host: VirtualHost): void {
    for (const address of host.addresses) this.#hosts.delete(address);
  }

  setFaults(faults: Partial<Faults>): void {
    this.faults = { ...noFaults, ...faults };
  }

  /** Nothing passes between the two addresses until `heal`. Streams keep what they hold. */
  partition(a: string, b: string): void {
    this.#cuts.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${a} ${b}`);
  }

  at(address: string): VirtualHost | undefined {
    return this.#hosts.get(address);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.#random.uint32() < probability * 2 ** 32;
  }

  draw(bound: number): number {
    return this.#random.below(bound);
  }

  /** Lets everything that is due happen, in order, then `ms` more. Promises settle between two timers. */
  async advance(ms = 0): Promise<void> {
    const until = this.#now + ms;
    await nextTurn();
    for (let due = this.#agenda.take(until); due; due = this.#agenda.take(until)) {
      this.#now = Math.max(this.#now, due.at);
      due.run();
      await nextTurn();
    }
    this.#now = until;
  }

  /** Advances until `done` answers true; throws when that takes longer than `atMostMs`. */
  async until(done: () => boolean, atMostMs = 60_000): Promise<void> {
    const limit = this.#now + atMostMs;
    await nextTurn();
    while (!done()) {
      const due = this.#agenda.take(limit);
      if (!due) throw new Error(`it did not happen within ${atMostMs} ms`);
      this.#now = Math.max(this.#now, due.at);
      due.run();
      await nextTurn();
    }
  }
}

/** One machine of the universe; `world` is what its programs are given. */
export class VirtualHost implements World {
  readonly network: Network;
  readonly dns: Dns;
  readonly files = new VirtualFiles();
  readonly datagrams = new Map<string, { bound: DatagramSocket; listener: DatagramListener }>(); // "address:port"
  readonly listeners = new Map<string, { options: StreamOptions; handlers: StreamListenerHandlers }>();
  readonly connections = new Set<VirtualStream>();
  #nextPort = 32768;

  constructor(readonly universe: VirtualUniverse, readonly addresses: readonly string[], readonly random: Random) {
    this.dns = universe.names;
    this.network = {
      bindDatagram: (options, listener) => this.#bindDatagram(options.host, options.port, listener),
      listenStream: (options, handlers) => this.#listenStream(options, handlers),
      connectStream: (options) => this.#connectStream(options),
      localAddressTowards: (remote) => this.#towards(remote),
    };
  }

  now = () => this.universe.now();
  wallClock = () => this.universe.epoch + this.universe.now();
  after = (ms: number, run: () => void) => this.universe.after(ms, run);
  advance = (ms?: number) => this.universe.advance(ms);

  #towards(remote: string): string | undefined {
    if (remote === "::1" || remote.startsWith("127.")) return remote;
    return this.addresses.find((address) => address.includes(":") === remote.includes(":"));
  }

  #port(taken: (port: number) => boolean): number {
    do this.#nextPort = this.#nextPort >= 60999 ? 32768 : this.#nextPort + 1; while (taken(this.#nextPort));
    return this.#nextPort;
  }

  #holds(host: string): boolean {
    return host === "0.0.0.0" || host === "::" || host === "127.0.0.1" || host === "::1" ||
      this.addresses.includes(host);
  }

  #bindDatagram(host: string, wanted: number, listener: DatagramListener): Promise<DatagramSocket> {
    if (!this.#holds(host)) return Promise.reject(new Error(`EADDRNOTAVAIL ${host}`));
    const port = wanted || this.#port((candidate) => this.datagrams.has(`${host}:${candidate}`));
    const key = `${host}:${port}`;
    if (this.datagrams.has(key)) return Promise.reject(new Error(`EADDRINUSE ${key}`));
    let open = true;
    const bound: DatagramSocket = {
      local: { host, port },
      send: (bytes, to) => open && this.#sendDatagram({ host, port }, listener, bytes, to),
      close: () => {
        open = false;
        if (this.datagrams.get(key)?.bound === bound) this.datagrams.delete(key);
      },
    };
    this.datagrams.set(key, { bound, listener });
    return Promise.resolve(bound);
  }

  #sendDatagram(bound: SocketAddress, sender: DatagramListener, bytes: Uint8Array, to: SocketAddress): boolean {
    const { universe } = this;
    if (bytes.length > 65507) return false;
    const wildcard = bound.host === "0.0.0.0" || bound.host === "::";
    const source = wildcard ? this.#towards(to.host) : bound.host;
    if (source === undefined) return false;
    const from = { host: source, port: bound.port };
    universe.watch?.(from, to, bytes);
    if (universe.isCut(source, to.host) || universe.chance(universe.faults.loss)) return true;
    const copy = bytes.slice();
    const deliver = () => {
      const host = this.#hostAt(to.host);
      if (!host) return; // nobody there: silence
      const anywhere = to.host.includes(":") ? "::" : "0.0.0.0";
      const socket = host.datagrams.get(`${to.host}:${to.port}`) ?? host.datagrams.get(`${anywhere}:${to.port}`);
      if (socket) socket.listener.received(copy.slice(), from);
      else universe.after(universe.faults.delayMs, () => sender.unreachable(to)); // ICMP port unreachable
    };
    const copies = universe.chance(universe.faults.duplication) ? 2 : 1;
    for (let count = 0; count < copies; count++) {
      const { delayMs, jitterMs } = universe.faults;
      universe.after(delayMs + (jitterMs > 0 ? universe.draw(jitterMs * 1000) / 1000 : 0), deliver);
    }
    return true;
  }

  #hostAt(address: string): VirtualHost | undefined {
    return address === "::1" || address.startsWith("127.") ? this : this.universe.at(address);
  }

  #listenStream(options: StreamOptions, handlers: StreamListenerHandlers) {
    if (!this.#holds(options.host)) return Promise.reject(new Error(`EADDRNOTAVAIL ${options.host}`));
    const port = options.port || this.#port((candidate) => this.listeners.has(`${options.host}:${candidate}`));
    const key = `${options.host}:${port}`;
    if (this.listeners.has(key)) return Promise.reject(new Error(`EADDRINUSE ${key}`));
    this.listeners.set(key, { options, handlers });
    return Promise.resolve({
      local: { host: options.host, port },
      setTls: () => {},
      close: () => void this.listeners.delete(key),
    });
  }

  #connectStream(
    options: StreamOptions & { readonly localHost?: string; readonly timeoutMs: number },
  ): Promise<StreamConnection> {
    const { universe } = this;
    const to = { host: options.host, port: options.port };
    return new Promise((resolve, reject) => {
      const source = options.localHost ?? this.#towards(to.host);
      if (source === undefined) return reject(new Error(`ENETUNREACH ${to.host}`));
      const deadline = universe.after(options.timeoutMs, () => reject(new Error(`ETIMEDOUT ${to.host}:${to.port}`)));
      const from = { host: source, port: this.#port(() => false) };
      if (universe.isCut(source, to.host)) return;
      universe.after(universe.faults.delayMs, () => {
        const host = this.#hostAt(to.host);
        if (!host) return;
        const anywhere = to.host.includes(":") ? "::" : "0.0.0.0";
        const listener = host.listeners.get(`${to.host}:${to.port}`) ?? host.listeners.get(`${anywhere}:${to.port}`);
        if (!listener || Boolean(listener.options.tls) !== Boolean(options.tls)) {
          deadline.cancel();
          universe.after(universe.faults.delayMs, () => reject(new Error(`ECONNREFUSED ${to.host}:${to.port}`)));
          return;
        }
        const ours = new VirtualStream(this, from, to);
        const theirs = new VirtualStream(host, to, from);
        ours.peer = theirs;
        theirs.peer = ours;
        listener.handlers.accepted(theirs);
        universe.after(universe.faults.delayMs, () => {
          deadline.cancel();
          resolve(ours);
        });
      });
    });
  }
}

/** One end of a connection: octets arrive in order, after the delay of the network. */
export class VirtualStream implements StreamConnection {
  readonly peerNames: readonly string[] = [];
  peer: VirtualStream | undefined;
  unsent = 0;
  #handlers: StreamHandlers | undefined;
  #state: "open" | "ending" | "closed" = "open";
  readonly #early: Uint8Array[] = [];
  readonly #held: (Uint8Array | "end")[] = []; // while the network is cut
  #lastArrival = 0;

  constructor(readonly host: VirtualHost, readonly local: SocketAddress, readonly remote: SocketAddress) {
    host.connections.add(this);
  }

  listen(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    for (const bytes of this.#early.splice(0)) handlers.received(bytes);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return false;
    this.host.universe.watch?.(this.local, this.remote, bytes);
    this.unsent += bytes.length;
    this.#pass(bytes.slice());
    return true;
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#pass("end");
    this.#later(() => this.close(undefined));
  }

  destroy(): void {
    if (this.#state === "closed") return;
    this.#pass("end");
    this.close(undefined);
  }

  /** The other end, or the machine, went away. */
  close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.host.connections.delete(this);
    this.#handlers?.closed(error);
  }

  #pass(what: Uint8Array | "end"): void {
    if (this.host.universe.isCut(this.local.host, this.remote.host) || this.#held.length > 0) {
      if (this.#held.push(what) === 1) this.#retry();
      return;
    }
    for (const piece of what === "end" ? [what] : this.#pieces(what)) {
      this.#later(() => {
        if (piece === "end") return this.peer?.close(undefined);
        this.unsent -= piece.length;
        this.peer?.arrive(piece);
        if (this.unsent === 0 && this.#state === "open") this.#handlers?.drained();
      });
    }
  }

  /** A cut wire: TCP tries again. */
  #retry(): void {
    this.host.universe.after(200, () => {
      if (this.host.universe.isCut(this.local.host, this.remote.host)) return this.#retry();
      for (const what of this.#held.splice(0)) this.#pass(what);
    });
  }

  *#pieces(bytes: Uint8Array): Generator<Uint8Array> {
    const { universe } = this.host;
    const most = universe.faults.pieces;
    for (let at = 0; at < bytes.length;) {
      const size = most > 0 ? 1 + universe.draw(most) : bytes.length;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }

  #later(run: () => void): void {
    const { universe } = this.host;
    this.#lastArrival = Math.max(this.#lastArrival, universe.now() + universe.faults.delayMs);
    universe.after(this.#lastArrival - universe.now(), run);
  }

  arrive(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    if (this.#handlers) this.#handlers.received(bytes);
    else this.#early.push(bytes);
  }
}

/** Zones of a test. */
export class VirtualDns implements Dns {
  readonly #records = new Map<string, DnsAnswer<unknown>>();
  /** No server answers. */
  down = false;
  /** Every question, as "A example.org". */
  readonly asked: string[] = [];

  address(name: string, ...records: string[]): void {
    const v6 = records.filter((record) => record.includes(":"));
    const v4 = records.filter((record) => !record.includes(":"));
    if (v4.length > 0) this.#put("A", name, v4);
    if (v6.length > 0) this.#put("AAAA", name, v6);
  }

  service(name: string, ...records: SrvRecord[]): void {
    this.#put("SRV", name, records);
  }

  pointer(name: string, ...records: NaptrRecord[]): void {
    this.#put("NAPTR", name, records);
  }

  clear(name: string): void {
    for (const type of ["A", "AAAA", "SRV", "NAPTR"]) this.#records.delete(`${type} ${name}`);
  }

  #put(type: string, name: string, records: readonly unknown[]): void {
    this.#records.set(`${type} ${name}`, { kind: "found", records, ttlSeconds: 60 });
  }

  #ask<T>(type: string, name: string): Promise<DnsAnswer<T>> {
    this.asked.push(`${type} ${name}`);
    if (this.down) return Promise.resolve({ kind: "unavailable", why: "no answer" });
    // What stands under a type was put there by the method of that type.
    const answer = this.#records.get(`${type} ${name.toLowerCase()}`) as DnsAnswer<T> | undefined;
    return Promise.resolve(answer ?? { kind: "absent" });
  }

  a = (name: string) => this.#ask<string>("A", name);
  aaaa = (name: string) => this.#ask<string>("AAAA", name);
  srv = (name: string) => this.#ask<SrvRecord>("SRV", name);
  naptr = (name: string) => this.#ask<NaptrRecord>("NAPTR", name);
}

/** A disk in memory; `full` makes every write fail. */
export class VirtualFiles {
  readonly files = new Map<string, Uint8Array>();
  full = false;

  read(path: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.files.get(path)?.slice());
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    if (this.full) return Promise.reject(new Error(`ENOSPC ${path}`));
    this.files.set(path, bytes.slice());
    return Promise.resolve();
  }

  append(path: string, bytes: Uint8Array): Promise<void> {
    const old = this.files.get(path) ?? new Uint8Array();
    const whole = new Uint8Array(old.length + bytes.length);
    whole.set(old);
    whole.set(bytes, old.length);
    return this.write(path, whole);
  }
}
