import { statSync } from "node:fs";
import { join } from "node:path";
import type { HttpEngine, HttpHost, HttpOptions, HttpServer } from "../kernel/services.ts";
import type { World } from "../world/world.ts";
import { App } from "./app.ts";
import { type EventSocket, EventStream } from "./event_stream.ts";
import { localToken, Tokens } from "./tokens.ts";

/** In the state folder: the token of the command line, and where it finds the server. */
export const TOKEN_FILE = "management.token";
export const ADDRESS_FILE = "management.json";

/** How long a listening socket waits for the module's next life. */
const TAKE_OVER_MS = 1000;

/** Where the machine itself reaches a server that listens everywhere. */
const UNSPECIFIED: ReadonlyMap<string, string> = new Map([["0.0.0.0", "127.0.0.1"], ["::", "::1"]]);

type EngineWorld = Pick<World, "after" | "now" | "files" | "random">;
interface SocketData {
  readonly names: readonly string[];
  socket?: EventSocket;
}

/** The `http` room. `stateFolder` holds what the command line needs to find and open the API. */
export function httpEngine(stateFolder: string, world: EngineWorld): HttpEngine {
  const listening = new Map<string, Listener>();
  return {
    async start(options, host): Promise<HttpServer> {
      const tokens = new Tokens(await localToken(join(stateFolder, TOKEN_FILE), world), options.tokens);
      if (options.tls) refuseOpenKey(options.tls.keyFile);
      const key = JSON.stringify([options.host, options.port, options.tls]);
      let listener = listening.get(key);
      if (!listener) {
        listener = new Listener(options, world, () => listening.delete(key));
        listening.set(key, listener);
      }
      const app = new App(options, host, tokens, world);
      listener.serve(app, host);
      const { url } = listener;
      const place = new TextEncoder().encode(JSON.stringify({ url, pid: process.pid }) + "\n");
      await world.files.write(join(stateFolder, ADDRESS_FILE), place);
      host.log.info(`management API at ${url}`);
      return { url, stop: () => listener.leave(app) };
    },
  };
}

/** Throws when others on this machine can read the key. */
function refuseOpenKey(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) throw new Error(`${path} can be read by others: chmod 600 ${path}`);
}

/** One listening socket. It outlives a reload of the module, so that the request that asked for it is answered. */
class Listener {
  readonly url: string;
  readonly #events = new EventStream();
  #tokens: Tokens | undefined;
  readonly #server: Bun.Server<SocketData>;
  #app: App | undefined;

  /** Throws when the address cannot be bound. */
  constructor(options: HttpOptions, readonly world: Pick<World, "after">, readonly closed: () => void) {
    const events = this.#events;
    this.#server = Bun.serve<SocketData>({
      hostname: options.host,
      port: options.port,
      ...(options.tls ? { tls: { cert: Bun.file(options.tls.certFile), key: Bun.file(options.tls.keyFile) } } : {}),
      idleTimeout: 30,
      fetch: (request, server) => this.#fetch(request, server),
      websocket: {
        idleTimeout: 120, // seconds; pings keep a listener that only listens
        sendPings: true,
        maxPayloadLength: 4096,
        open(ws) {
          const socket: EventSocket = {
            get buffered() {
              return ws.getBufferedAmount();
            },
            send: (text) => void ws.send(text),
            close: (code, reason) => ws.close(code, reason),
          };
          ws.data.socket = socket;
          events.add(socket, ws.data.names);
        },
        message() {
          // nothing is asked here
        },
        close(ws) {
          if (ws.data.socket) events.delete(ws.data.socket);
        },
      },
    });
    const reached = UNSPECIFIED.get(options.host) ?? options.host;
    const host = reached.includes(":") ? `[${reached}]` : reached;
    this.url = `${options.tls ? "https" : "http"}://${host}:${this.#server.port}`;
  }

  serve(app: App, host: HttpHost): void {
    // A token that was taken out opens nothing any more, what it opened before included.
    if (this.#tokens && !app.tokens.equal(this.#tokens)) this.#events.dismiss(1008, "tokens have changed");
    this.#tokens = app.tokens;
    this.#app = app;
    this.#events.listen(host.events);
  }

  leave(app: App): void {
    if (this.#app !== app) return;
    this.#app = undefined;
    this.world.after(TAKE_OVER_MS, () => {
      if (this.#app) return;
      this.closed();
      this.#events.end();
      void this.#server.stop(true);
    });
  }

  async #fetch(request: Request, server: Bun.Server<SocketData>): Promise<Response | undefined> {
    if (!this.#app) return Response.json({ error: "not running" }, { status: 503 });
    const peer = server.requestIP(request);
    return await this.#app.fetch(request, {
      remote: peer ? { host: peer.address, port: peer.port } : undefined,
      subscribe: (names) => !this.#events.full && server.upgrade(request, { data: { names } }),
    });
  }
}
