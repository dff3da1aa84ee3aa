// Transport objects become sockets.
import { isDeepStrictEqual } from "node:util";
import type * as v from "valibot";
import type { ModuleContext } from "../../kernel/module.ts";
import type { TransportOptions } from "../../sip/transport/layer.ts";
import type { Engine } from "./engine.ts";
import type { transportSchema } from "./objects.ts";

type Values = v.InferOutput<typeof transportSchema>;
type Side = Pick<ModuleContext<unknown>, "objects" | "events" | "log">;

/** The sockets that stand in the configuration, and their changes. */
export class Listeners {
  readonly #open = new Map<string, TransportOptions>();
  #work: Promise<void> = Promise.resolve();

  constructor(readonly engine: Engine) {}

  /** Opens, closes and changes what differs. Rejects when none of them could be opened. */
  async apply(side: Side): Promise<void> {
    const run = this.#work.then(() => this.#apply(side));
    this.#work = run.catch(() => {}); // the caller has the reason; the next change starts anew
    await run;
  }

  /** Certificates may have been renewed on disk. */
  renew(side: Side): void {
    this.engine.transports.renew((id, error) =>
      side.log.error(`transport ${id} keeps its certificate: the new one cannot be read`, { reason: String(error) })
    );
  }

  async #apply(side: Side): Promise<void> {
    const wanted = new Map(
      side.objects.all("transport").map(({ id, values }) => {
        const fields = values as Values; // validated by transportSchema
        return [id, { options: toOptions(id, fields), live: fields.allowReload }] as const;
      }),
    );
    for (const id of [...this.#open.keys()]) {
      if (wanted.has(id)) continue;
      await this.engine.transports.close(id);
      this.#open.delete(id);
      side.events.emit("transport.closed", { transport: id });
    }
    const failures: string[] = [];
    for (const [id, { options, live }] of wanted) {
      const running = this.#open.get(id);
      if (running && isDeepStrictEqual(running, options)) continue;
      if (running && !live) {
        side.log.notice(`transport ${id} keeps its old address until a restart, or until it has allowReload`);
        continue;
      }
      const failure = await this.#bind(options, side);
      if (failure !== undefined) failures.push(`${id}: ${failure}`);
    }
    if (this.#open.size === 0 && failures.length > 0) throw new Error(failures.join("; "));
  }

  async #bind(options: TransportOptions, side: Side): Promise<string | undefined> {
    const { id, protocol } = options;
    try {
      await this.engine.transports.open(options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#open.delete(id);
      side.log.error(`transport ${id} cannot listen on ${protocol}:${options.host}:${options.port}`, { reason });
      return reason;
    }
    this.#open.set(id, options);
    const bound = this.engine.transports.transports.find((transport) => transport.id === id);
    const host = options.host.includes(":") ? `[${options.host}]` : options.host;
    side.events.emit("transport.opened", {
      transport: id,
      protocol,
      address: `${host}:${bound?.port ?? options.port}`,
    });
    return undefined;
  }
}

function toOptions(id: string, fields: Values): TransportOptions {
  const { protocol, host, port } = fields.bind;
  return {
    id,
    protocol,
    host,
    port,
    ...(fields.tos > 3 ? { dscp: fields.tos >> 2 } : {}),
    ...(fields.tcpKeepaliveIdleTime > 0 ? { keepAliveIdleSeconds: fields.tcpKeepaliveIdleTime } : {}),
    ...(protocol === "tls" ? { tls: toTls(fields) } : {}),
  };
}

function toTls(fields: Values): NonNullable<TransportOptions["tls"]> {
  return {
    ...(fields.certFile ? { certFile: fields.certFile } : {}),
    ...keyOf(fields),
    names: Object.fromEntries(
      Object.entries(fields.names).map(([name, files]) => [
        name,
        { certFile: files.certFile, keyFile: files.privKeyFile ?? files.certFile },
      ]),
    ),
    ...(fields.password ? { keyPassword: fields.password } : {}),
    ...(fields.caListFile ? { caFiles: [fields.caListFile] } : {}),
    ...(fields.cipher ? { ciphers: fields.cipher } : {}),
    minVersion: fields.method === "tlsv1_3" ? "TLSv1.3" : "TLSv1.2",
    verifyServer: fields.verifyServer,
    requestClientCertificate: fields.verifyClient,
    requireClientCertificate: fields.requireClientCert,
  };
}

/** The key may stand in the file of the certificate. */
function keyOf({ certFile, privKeyFile }: Values): { readonly keyFile?: string } {
  const keyFile = privKeyFile ?? certFile;
  return keyFile ? { keyFile } : {};
}
