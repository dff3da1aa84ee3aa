import type { Blame } from "./stage_table.ts";

/** Every event of the server with its data. Names are fixed here; the WebSocket at /api/v1/events shows them as JSON. */
export interface Events {
  "module.loaded": { readonly module: string };
  "module.unloaded": { readonly module: string };
  "module.fault": { readonly module: string; readonly where: string; readonly error: string };
  "configuration.reloaded": { readonly changes: number };
  "transport.opened": { readonly transport: string; readonly protocol: string; readonly address: string };
  "transport.closed": { readonly transport: string };
  "request.refused": {
    readonly method: string;
    readonly status: number;
    readonly source: string;
    readonly from: string;
    readonly to: string;
    readonly callId: string;
    readonly endpoint?: string;
    readonly why: string;
    readonly tried: readonly { readonly identifier: string; readonly looked: string; readonly result: string }[];
  };
  "contact.added": ContactEvent;
  "contact.refreshed": ContactEvent;
  "contact.removed": ContactEvent & { readonly reason: string };
  "contact.status": ContactEvent & { readonly status: string; readonly roundTripMicros?: number };
  "registration.status": {
    readonly registration: string;
    readonly clientUri: string;
    readonly serverUri: string;
    readonly status: string;
    readonly cause?: string;
  };
  "endpoint.status": { readonly endpoint: string; readonly online: boolean };
  "call.started": CallEvent;
  "call.ringing": CallEvent;
  "call.answered": CallEvent;
  "call.held": CallEvent;
  "call.resumed": CallEvent;
  "call.ended": CallEvent & { readonly cause: number; readonly status?: number; readonly durationMs: number };
  "call.bridged": { readonly calls: readonly [string, string] };
  "dialplan.step": {
    readonly call: string;
    readonly context: string;
    readonly extension: string;
    readonly step: string;
  };
  "user.event": { readonly call?: string; readonly name: string; readonly fields: Readonly<Record<string, string>> };
  "media.digit": { readonly call: string; readonly digit: string; readonly durationMs: number; readonly by?: "info" };
  "media.source": { readonly call: string; readonly address: string };
  "media.timeout": { readonly call: string; readonly seconds: number };
  "media.stats": { readonly call: string; readonly stats: Readonly<Record<string, number>> };
  "conference.joined": { readonly conference: string; readonly call: string; readonly members: number };
  "conference.left": { readonly conference: string; readonly call: string; readonly members: number };
  "security": { readonly event: string; readonly severity: string; readonly fields: Readonly<Record<string, string>> };
  "store.fault": { readonly why: string };
}

export interface ContactEvent {
  readonly aor: string;
  readonly uri: string;
  readonly endpoint?: string;
  readonly expires?: number; // seconds left
  readonly userAgent?: string;
}

export interface CallEvent {
  readonly call: string; // the channel's id
  readonly name: string;
  readonly endpoint: string;
  readonly direction: "incoming" | "outgoing";
  readonly from: string;
  readonly to: string;
}

export type EventName = keyof Events;

export interface EventBus {
  emit<K extends EventName>(name: K, data: Events[K]): void;
  on<K extends EventName>(name: K, listener: (data: Events[K]) => void): void;
  /** Every event, with its name and wall-clock milliseconds. */
  all(listener: (name: EventName, data: Events[EventName], at: number) => void): () => void;
}

interface Listener {
  readonly run: (data: never) => void;
  readonly blame: Blame;
}

/** The one bus of a server. A listener that throws is its module's fault and nobody else's. */
export class Bus {
  readonly #listeners = new Map<EventName, Set<Listener>>();
  readonly #all = new Set<(name: EventName, data: Events[EventName], at: number) => void>();

  constructor(readonly wallClock: () => number) {}

  emit<K extends EventName>(name: K, data: Events[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      if (listener.blame.disabled) continue;
      try {
        (listener.run as (data: Events[K]) => void)(data); // `on` put it under the name of its type
      } catch (error) {
        listener.blame.fault(`event ${name}`, error);
      }
    }
    const at = this.wallClock();
    for (const listener of this.#all) listener(name, data, at);
  }

  on<K extends EventName>(name: K, run: (data: Events[K]) => void, blame: Blame): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    const listener: Listener = { run, blame };
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  all(listener: (name: EventName, data: Events[EventName], at: number) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }
}
