import type { SocketAddress, StreamConnection, World } from "../../world/world.ts";
import { Framing } from "../message/framing.ts";
import { messageLimits } from "../message/limits.ts";
import type { Malformed, SipMessage } from "../message/message.ts";
import type { Flow, Protocol } from "./flow.ts";
import type { TransportLimits } from "./layer.ts";

const CRLF = new Uint8Array([13, 10]);
const PING = new Uint8Array([13, 10, 13, 10]); // RFC 5626 §4.4.1

/** What a connection tells the layer. */
export interface ConnectionOwner {
  readonly world: Pick<World, "now">;
  readonly limits: TransportLimits;
  framed(message: SipMessage, bytes: Uint8Array, connection: Connection): void;
  broken(fault: Malformed, connection: Connection): void;
  closed(connection: Connection): void;
}

/** One TCP or TLS connection, in either direction. Its deadlines are looked at by `sweep`. */
export class Connection implements Flow {
  readonly reliable = true;
  readonly secure: boolean;
  readonly openedAt: number;
  open = true;
  peer: string | undefined;
  trusted = false;
  #heardAt: number; // last octet
  #usedAt: number; // last message either way
  #carried = false; // a whole message came
  #pingedAt: number;
  readonly #framing: Framing;
  readonly #closeListeners = new Set<() => void>();

  constructor(
    readonly id: string,
    readonly transport: string,
    readonly protocol: Protocol,
    /** We opened it: the peer is one we chose. */
    readonly outgoing: boolean,
    readonly stream: StreamConnection,
    readonly owner: ConnectionOwner,
    /** Name the certificate was checked for. */
    readonly serverName: string | undefined,
  ) {
    this.secure = protocol === "tls" || protocol === "wss";
    this.openedAt =
      this.#heardAt =
      this.#usedAt =
      this.#pingedAt =
        owner.world.now();
    this.#framing = new Framing({ ...messageLimits, messageOctets: owner.limits.messageOctets });
    stream.listen({
      received: (bytes) => this.#received(bytes),
      drained: () => {},
      closed: () => this.#ended(),
    });
  }

  get local(): SocketAddress {
    return this.stream.local;
  }

  get remote(): SocketAddress {
    return this.stream.remote;
  }

  get stranger(): boolean {
    return !this.outgoing && !this.trusted;
  }

  trust(): void {
    this.trusted = true;
  }

  onClose(run: () => void): () => void {
    this.#closeListeners.add(run);
    return () => void this.#closeListeners.delete(run);
  }

  send(bytes: Uint8Array): boolean {
    if (!this.open) return false;
    if (this.stream.unsent + bytes.length > this.owner.limits.unsentOctets) {
      this.destroy(); // the peer does not read: nothing we owe it may grow without bound
      return false;
    }
    this.#usedAt = this.owner.world.now();
    return this.stream.write(bytes);
  }

  #received(bytes: Uint8Array): void {
    if (!this.open) return;
    this.#heardAt = this.owner.world.now();
    for (const frame of this.#framing.push(bytes)) {
      if (!this.open) return;
      switch (frame.kind) {
        case "message":
          this.#carried = true;
          this.#usedAt = this.#heardAt;
          this.owner.framed(frame.message, frame.bytes, this);
          break;
        case "ping":
          this.stream.write(CRLF);
          break;
        case "pong":
          break;
        case "malformed":
          this.owner.broken(frame.fault, this);
          this.end();
          break;
        default:
          frame satisfies never;
      }
    }
  }

  /** Once a second: closes what is overdue, pings what is alive. */
  sweep(now: number): void {
    const { limits } = this.owner;
    const quiet = now - this.#heardAt;
    const idleSeconds = this.stranger ? limits.idleStrangerSeconds : limits.idleTrustedSeconds;
    const late = (!this.outgoing && !this.#carried && now - this.openedAt > limits.firstMessageSeconds * 1000) ||
      (this.#framing.partial && quiet > limits.gapSeconds * 1000) ||
      (now - this.#usedAt > idleSeconds * 1000);
    if (late) return this.end();
    if (limits.keepAliveSeconds > 0 && now - this.#pingedAt >= limits.keepAliveSeconds * 1000) {
      this.#pingedAt = now;
      this.stream.write(PING);
    }
  }

  /** Lets go of what was written, then closes. */
  end(): void {
    if (!this.open) return;
    this.stream.end();
    this.#ended();
  }

  destroy(): void {
    if (!this.open) return;
    this.stream.destroy();
    this.#ended();
  }

  #ended(): void {
    if (!this.open) return;
    this.open = false;
    this.owner.closed(this);
    for (const run of this.#closeListeners) run();
    this.#closeListeners.clear();
  }
}
