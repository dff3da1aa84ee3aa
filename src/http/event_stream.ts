import type { EventBus, EventName } from "../kernel/events.ts";

/** One subscriber. `buffered`: octets that wait to be sent. */
export interface EventSocket {
  readonly buffered: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

const MAX_SUBSCRIBERS = 64;
const MAX_BUFFERED = 1024 * 1024;

/** Every event of the server, as JSON, to everybody who listens: `{"event": name, "at": ms, "data": {...}}`. */
export class EventStream {
  readonly #subscribers = new Map<EventSocket, readonly string[]>();
  #stop: (() => void) | undefined;

  get full(): boolean {
    return this.#subscribers.size >= MAX_SUBSCRIBERS;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Listens to this bus from now on, and no longer to the one before. */
  listen(events: Pick<EventBus, "all">): void {
    this.#stop?.();
    this.#stop = events.all((name, data, at) => {
      if (this.#subscribers.size > 0) this.#send(name, JSON.stringify({ event: name, at, data }));
    });
  }

  /** Undefined names: every event. */
  add(socket: EventSocket, names: readonly string[]): void {
    this.#subscribers.set(socket, names);
  }

  delete(socket: EventSocket): void {
    this.#subscribers.delete(socket);
  }

  end(): void {
    this.#stop?.();
    this.dismiss(1001, "going away");
  }

  /** Closes every subscriber's connection. */
  dismiss(code: number, reason: string): void {
    for (const socket of this.#subscribers.keys()) socket.close(code, reason);
    this.#subscribers.clear();
  }

  #send(name: EventName, text: string): void {
    for (const [socket, names] of this.#subscribers) {
      if (names.length > 0 && !names.some((beginning) => name.startsWith(beginning))) continue;
      if (socket.buffered > MAX_BUFFERED) {
        this.delete(socket);
        socket.close(1013, "reads too slowly");
      } else socket.send(text);
    }
  }
}
