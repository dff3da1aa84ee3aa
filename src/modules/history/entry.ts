import type { Observation } from "../../kernel/stages.ts";
import { decodeText } from "../../sip/message/octets.ts";
import { peek, peekCallId } from "../../sip/message/peek.ts";
import { writeHost } from "../../sip/message/uri.ts";
import type { SocketAddress } from "../../world/world.ts";

const LINE = 80;

/** One recorded message. Only the octets are kept: what it is, is read when somebody looks. */
export class Entry {
  readonly bytes: Uint8Array;
  readonly direction: "in" | "out";
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  readonly transport: string;

  constructor(readonly number: number, readonly wallMs: number, { bytes, direction, flow }: Observation) {
    this.bytes = bytes.slice();
    this.direction = direction;
    this.peer = flow.remote;
    this.local = flow.local;
    this.transport = flow.protocol;
  }

  get text(): string {
    return decodeText(this.bytes);
  }

  /** Of a request; a response and junk have none. */
  get requestMethod(): string | undefined {
    const seen = peek(this.text);
    return seen.kind === "request" ? seen.method : undefined;
  }

  get callId(): string | undefined {
    return peekCallId(this.text);
  }

  /** The start line; of a response with the method it answers. */
  get summary(): string {
    const { text } = this;
    const seen = peek(text);
    if (seen.kind === "junk") return `unparsable (${this.bytes.length} octets)`;
    const line = text.slice(0, text.search(/\r?\n/));
    return (seen.kind === "response" ? `${line} (${seen.method ?? "?"})` : line).slice(0, LINE);
  }

  describe() {
    const address = ({ host, port }: SocketAddress) => `${writeHost(host)}:${port}`;
    const [source, destination] = this.direction === "in" ? [this.peer, this.local] : [this.local, this.peer];
    return {
      number: this.number,
      timestamp: this.wallMs / 1000,
      direction: this.direction,
      source: address(source),
      destination: address(destination),
      transport: this.transport,
      summary: this.summary,
    };
  }
}

/** The newest entries within a count and a number of octets. */
export class Ring {
  #entries: Entry[] = [];
  #first = 0; // index of the oldest that is kept
  #octets = 0;
  #next = 0;
  dropped = 0;

  /** 0: no limit. */
  constructor(public mostEntries: number, public mostOctets: number) {}

  add(observation: Observation, wallMs: number): void {
    const entry = new Entry(this.#next++, wallMs, observation);
    this.#entries.push(entry);
    this.#octets += entry.bytes.length;
    this.#trim();
  }

  #trim(): void {
    const over = () =>
      (this.mostEntries > 0 && this.size > this.mostEntries) || (this.mostOctets > 0 && this.#octets > this.mostOctets);
    while (this.size > 1 && over()) {
      this.#octets -= this.#entries[this.#first]?.bytes.length ?? 0;
      this.#first++;
      this.dropped++;
    }
    if (this.#first < 1024 || this.#first < this.#entries.length / 2) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }

  get size(): number {
    return this.#entries.length - this.#first;
  }

  get octets(): number {
    return this.#octets;
  }

  get(number: number): Entry | undefined {
    const [oldest] = this.span;
    return number < oldest ? undefined : this.#entries[this.#first + number - oldest];
  }

  /** Number of the oldest entry that is kept, and of the next one that will be. */
  get span(): readonly [oldest: number, next: number] {
    return [this.#entries[this.#first]?.number ?? this.#next, this.#next];
  }

  clear(): void {
    this.#entries = [];
    this.#first =
      this.#octets =
      this.#next =
      this.dropped =
        0;
  }
}
