// A whole server in a virtual universe, spoken to octet by octet.
import * as v from "valibot";
import { catalog } from "../src/catalog.ts";
import { engine as dialplan } from "../src/dialplan/engine.ts";
import type { AnyModule } from "../src/kernel/configuration.ts";
import type { EventName, Events } from "../src/kernel/events.ts";
import { bootKernel, type Kernel, type Offer, offer } from "../src/kernel/kernel.ts";
import type { LogRecord } from "../src/kernel/log.ts";
import { defineModule } from "../src/kernel/module.ts";
import { dialplanEngine } from "../src/kernel/dialplan.ts";
import { identifiers, media } from "../src/kernel/services.ts";
import { MemoryStore } from "../src/store/memory_store.ts";
import type { DatagramSocket, SocketAddress } from "../src/world/world.ts";
import { VirtualMedia } from "./virtual_media.ts";
import { type VirtualHost, VirtualUniverse } from "./virtual_world.ts";

export const SERVER = "192.0.2.4";

/** A module that recognises senders by their address alone: `addresses` maps an address to an endpoint. */
export const byAddress = defineModule({
  name: "by_address",
  summary: "identifies for tests",
  requires: ["core"],
  options: v.object({ addresses: v.optional(v.record(v.string(), v.string()), { "192.0.2.9": "peer" }) }),
  setup(ctx) {
    ctx.use(identifiers).add("ip", (_request, { remote }) => {
      const id = ctx.options.addresses[remote.host];
      return {
        endpoint: id === undefined ? undefined : ctx.objects.endpoint(id),
        looked: remote.host,
        result: id === undefined ? "no match" : "match",
      };
    });
  },
});

/** The octets of a message written as an indented block: lines end with CRLF, the header section with an empty line. */
export function wire(parts: TemplateStringsArray, ...values: readonly unknown[]): string {
  const text = String.raw({ raw: parts.raw }, ...values).replace(/^\n/, "").replace(/\n[ \t]*$/, "");
  const indent = /^[ \t]*/.exec(text)?.[0] ?? "";
  const lines = text.split("\n").map((line) => line.startsWith(indent) ? line.slice(indent.length) : line.trim());
  const message = lines.join("\r\n").replace(/(\r\n)+$/, "");
  return message.includes("\r\n\r\n") ? `${message}\r\n` : `${message}\r\n\r\n`;
}

/** Value of the first line of that name in a message. */
export function headerOf(message: string, name: string): string | undefined {
  const line = message.split("\r\n\r\n")[0]?.split("\r\n")
    .find((candidate) => candidate.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line?.slice(name.length + 1).trim();
}

export const statusOf = (message: string | undefined): number => Number(/^SIP\/2\.0 (\d{3})/.exec(message ?? "")?.[1]);

/** A UDP socket somewhere in the universe. */
export class Peer {
  readonly heard: string[] = [];
  readonly from: SocketAddress[] = [];
  #socket: DatagramSocket | undefined;

  constructor(readonly patchbay: WireServer, readonly address: string, readonly port: number) {}

  async open(): Promise<this> {
    const { universe } = this.patchbay;
    const host = universe.at(this.address) ?? universe.host(this.address);
    this.#socket = await host.network.bindDatagram({ host: this.address, port: this.port }, {
      received: (bytes, from) => {
        this.heard.push(new TextDecoder().decode(bytes));
        this.from.push(from);
      },
      unreachable: () => {},
    });
    return this;
  }

  /** Sends octets or a text to the server; what it says comes within `ms`. */
  async send(message: string | Uint8Array, ms = 10, to: SocketAddress = { host: SERVER, port: 5060 }): Promise<void> {
    this.#socket?.send(typeof message === "string" ? new TextEncoder().encode(message) : message, to);
    await this.patchbay.universe.advance(ms);
  }

  /** Sends a request and answers what came last; undefined: nothing came. */
  async ask(message: string | Uint8Array, ms = 10): Promise<string | undefined> {
    const before = this.heard.length;
    await this.send(message, ms);
    return this.heard.slice(before).at(-1);
  }
}

/** A running server and the universe around it. */
export class WireServer {
  readonly universe = new VirtualUniverse();
  readonly host: VirtualHost = this.universe.host(SERVER, "2001:db8::4");
  readonly events: { readonly name: EventName; readonly data: Events[EventName] }[] = [];
  readonly log: LogRecord[] = [];
  readonly store = new MemoryStore(this.host);
  readonly media = new VirtualMedia(this.host);
  kernel!: Kernel;
  #manifest = "";

  async start(
    manifest: Readonly<Record<string, unknown>>,
    more: readonly AnyModule[],
    services: readonly Offer[],
  ): Promise<this> {
    this.#manifest = JSON.stringify(manifest);
    this.kernel = await this.#settled(bootKernel({
      world: this.host,
      store: this.store,
      modules: [...catalog, ...more],
      services: [offer(media, this.media), offer(dialplanEngine, dialplan), ...services],
      log: (record) => this.log.push(record),
      manifest,
      readManifest: () => Promise.resolve(this.#manifest),
    }));
    this.kernel.host.events.all((name, data) => this.events.push({ name, data }));
    return this;
  }

  /** Lets time pass until it is done: a start may wait for a timer. */
  async #settled<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => done = true;
    work.then(finish, finish);
    await this.universe.advance(0);
    while (!done) await this.universe.advance(50);
    return await work;
  }

  /** Puts another manifest in the place of the running one. */
  async reload(manifest: Readonly<Record<string, unknown>>): Promise<void> {
    this.#manifest = JSON.stringify(manifest);
    await this.#settled(this.kernel.reload());
  }

  /** Another element: a phone, a trunk, a stranger. */
  peer(address = "192.0.2.9", port = 5060): Promise<Peer> {
    return new Peer(this, address, port).open();
  }

  advance(ms: number): Promise<void> {
    return this.universe.advance(ms);
  }

  /** Data of all events of that name so far. */
  told<K extends EventName>(name: K): Events[K][] {
    // An entry of that name was emitted with the data of that name.
    return this.events.filter((event) => event.name === name).map((event) => event.data as Events[K]);
  }

  /** A counter or gauge as "module.name", with its labels as in Prometheus; 0 when there is none. */
  counter(name: string): number {
    const [, bare = "", labels = ""] = /^([^{]*)(.*)$/.exec(name) ?? [];
    const metric = `patchbay_${bare.replace(/\W/g, "_")}`;
    const lines = this.kernel.metrics().split("\n");
    const found = [`${metric}${labels} `, `${metric}_total${labels} `]
      .map((start) => lines.find((line) => line.startsWith(start))).find((line) => line !== undefined);
    return Number(found?.split(" ").at(-1) ?? 0);
  }
}

/**
 * A server at 192.0.2.4 with what the manifest says. Without `core` it listens on UDP and TCP 5060 with one endpoint,
 * "peer"; without an identifier module it takes everything from 192.0.2.9 as that endpoint.
 */
export function server(
  manifest: Readonly<Record<string, unknown>>,
  more: readonly AnyModule[] = [],
  services: readonly Offer[] = [],
): Promise<WireServer> {
  return new WireServer().start(
    {
      core: {
        transports: { udp: { bind: "udp:0.0.0.0:5060" }, tcp: { bind: "tcp:0.0.0.0:5060" } },
        endpoints: { peer: {} },
      },
      ...Object.keys(manifest).some((key) => key.startsWith("endpoint_identifier")) ? {} : { by_address: {} },
      ...manifest,
    },
    [byAddress, ...more],
    services,
  );
}
