// The world of production: the machine's clock, sockets, DNS and files.
import { randomFillSync } from "node:crypto";
import { promises as dns } from "node:dns";
import { open, readFile, rename, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import * as net from "node:net";
import { dirname } from "node:path";
import * as tls from "node:tls";
import { routeTowards, setDscp, setReceiveBuffer } from "./socket_options.ts";
import { TimerWheel } from "./timers.ts";
import type {
  DatagramListener,
  DatagramOptions,
  DatagramSocket,
  Dns,
  DnsAnswer,
  Files,
  Random,
  StreamConnection,
  StreamHandlers,
  StreamListener,
  StreamListenerHandlers,
  StreamOptions,
  TlsOptions,
  World,
} from "./world.ts";

const RECEIVE_OCTETS = 4 * 1024 * 1024; // of a datagram socket
const DNS_TIMEOUT_MS = 2000;
const NO_TTL_SECONDS = 60; // node:dns has none for SRV and NAPTR

/** The real world. `dnsServers` ("192.0.2.53" or "192.0.2.53:5353") replace those of the machine. */
export function realWorld(options: { readonly dnsServers?: readonly string[] } = {}): World {
  const wheel = new TimerWheel(() => performance.now(), (ms, run) => {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  });
  return {
    now: () => performance.now(),
    wallClock: () => Date.now(),
    after: (ms, run) => wheel.after(ms, run),
    random: realRandom(),
    network: { bindDatagram, listenStream, connectStream, localAddressTowards: routeTowards },
    dns: realDns(options.dnsServers),
    files: { read, write, append },
  };
}

/** Kernel randomness, drawn in blocks because one draw costs more than a thousand octets. */
function realRandom(): Random {
  const pool = new Uint8Array(4096);
  const words = new DataView(pool.buffer);
  let used = pool.length;
  const take = (count: number): number => {
    if (used + count > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  const uint32 = () => words.getUint32(take(4));
  const bytes = (count: number): Uint8Array => {
    if (count > pool.length) return randomFillSync(new Uint8Array(count));
    const at = take(count);
    const copy = pool.slice(at, at + count);
    pool.fill(0, at, at + count);
    return copy;
  };
  return {
    bytes,
    uint32,
    below(bound) {
      const fair = 2 ** 32 - (2 ** 32 % bound); // without the tail that would favour small numbers
      let drawn = uint32();
      while (drawn >= fair) drawn = uint32();
      return drawn % bound;
    },
    token: (octets) => bytes(octets).toHex(),
  };
}

// ---- datagrams -----------------------------------------------------------------------------------------------------

async function bindDatagram(options: DatagramOptions, listener: DatagramListener): Promise<DatagramSocket> {
  let closed = false;
  // The number behind `ipv6Only` of node:dgram: "::" leaves 0.0.0.0 to another socket.
  const family = { flags: options.host.includes(":") ? 8 : 0 };
  const socket = await Bun.udpSocket({
    hostname: options.host,
    port: options.port,
    ...family,
    socket: {
      data(_socket, bytes, port, host) {
        listener.received(bytes, { host, port });
      },
      error() {
        // ECONNREFUSED and its kin, without the peer it is about; the socket stays usable.
        if (!closed) listener.unreachable(undefined);
      },
    },
  });
  setReceiveBuffer(socket, RECEIVE_OCTETS);
  if (options.dscp) setDscp(socket, options.host.includes(":"), options.dscp);
  const local = { host: options.host, port: socket.port };
  return {
    local,
    send(bytes, to) {
      if (closed) return false;
      try {
        return socket.send(bytes, to.port, to.host);
      } catch {
        // An ICMP error of an earlier datagram is thrown by this send: it was not for this one, so once more.
        try {
          return socket.send(bytes, to.port, to.host);
        } catch {
          return false;
        }
      }
    },
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}

// ---- streams -------------------------------------------------------------------------------------------------------

function secureContext(options: TlsOptions): tls.SecureContextOptions {
  const context: tls.SecureContextOptions = { minVersion: options.minVersion ?? "TLSv1.2" };
  if (options.maxVersion) context.maxVersion = options.maxVersion;
  if (options.certFile) context.cert = readFileSync(options.certFile);
  if (options.keyFile) context.key = readFileSync(options.keyFile);
  if (options.keyPassword) context.passphrase = options.keyPassword;
  if (options.caFiles?.length) context.ca = options.caFiles.map((path) => readFileSync(path));
  if (options.ciphers) context.ciphers = options.ciphers;
  return context;
}

function listenStream(options: StreamOptions, handlers: StreamListenerHandlers): Promise<StreamListener> {
  return new Promise((resolve, reject) => {
    const accepted = (socket: net.Socket) => {
      tuneStream(socket, options);
      handlers.accepted(streamConnection(socket));
    };
    let server: net.Server;
    let secure: tls.Server | undefined;
    if (options.tls) {
      secure = tls.createServer({
        ...secureContext(options.tls),
        requestCert: options.tls.requestClientCertificate === true || options.tls.requireClientCertificate === true,
        rejectUnauthorized: options.tls.requireClientCertificate ?? false,
        handshakeTimeout: 5000,
      }, accepted);
      secure.on("tlsClientError", (error) => handlers.failed(error));
      addNames(secure, options.tls);
      server = secure;
    } else {
      server = net.createServer({ noDelay: true }, accepted);
    }
    let bound = false;
    server.on("error", (error) => bound ? handlers.failed(error) : reject(error));
    server.listen(
      { host: options.host, port: options.port, backlog: 512, ipv6Only: options.host.includes(":") },
      () => {
        bound = true;
        const address = server.address();
        const port = address !== null && typeof address === "object" ? address.port : options.port;
        resolve({
          local: { host: options.host, port },
          setTls(next) {
            secure?.setSecureContext(secureContext(next));
            if (secure) addNames(secure, next);
          },
          close: () => void server.close(),
        });
      },
    );
  });
}

function addNames(server: tls.Server, options: TlsOptions): void {
  for (const [name, files] of Object.entries(options.names ?? {})) {
    server.addContext(name, { ...secureContext(options), ...secureContext({ ...options, ...files }) });
  }
}

function tuneStream(socket: net.Socket, options: StreamOptions): void {
  socket.setNoDelay(true);
  if (options.keepAliveIdleSeconds) socket.setKeepAlive(true, options.keepAliveIdleSeconds * 1000);
}

function connectStream(
  options: StreamOptions & { readonly localHost?: string; readonly timeoutMs: number },
): Promise<StreamConnection> {
  return new Promise((resolve, reject) => {
    const target = {
      host: options.host,
      port: options.port,
      ...(options.localHost ? { localAddress: options.localHost } : {}),
    };
    const socket = options.tls
      ? tls.connect({
        ...target,
        ...secureContext(options.tls),
        ...(options.tls.serverName && net.isIP(options.tls.serverName) === 0
          ? { servername: options.tls.serverName }
          : {}),
        rejectUnauthorized: options.tls.verifyServer ?? false,
      })
      : net.connect(target);
    const refuse = (error: Error) => {
      clearTimeout(deadline);
      socket.destroy();
      reject(error);
    };
    const deadline = setTimeout(
      () => refuse(new Error(`no connection to ${options.host}:${options.port} in ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    socket.once("error", refuse);
    socket.once("close", () => refuse(new Error(`${options.host}:${options.port} closed the connection`)));
    socket.once(options.tls ? "secureConnect" : "connect", () => {
      clearTimeout(deadline);
      socket.removeAllListeners("error");
      socket.removeAllListeners("close");
      tuneStream(socket, options);
      resolve(streamConnection(socket));
    });
  });
}

function streamConnection(socket: net.Socket): StreamConnection {
  let handlers: StreamHandlers | undefined;
  let failure: Error | undefined;
  let closing = false;
  socket.on("data", (bytes: Uint8Array) => handlers?.received(bytes));
  socket.on("drain", () => handlers?.drained());
  socket.on("error", (error: Error) => failure = error);
  socket.on("close", () => {
    closing = true;
    handlers?.closed(failure);
  });
  const secure = socket instanceof tls.TLSSocket ? socket : undefined;
  const reason = secure && !secure.authorized ? secure.authorizationError : undefined;
  return {
    local: { host: plain(socket.localAddress), port: socket.localPort ?? 0 },
    remote: { host: plain(socket.remoteAddress), port: socket.remotePort ?? 0 },
    ...(reason ? { tlsError: String(reason) } : {}),
    peerNames: secure ? certificateNames(secure) : [],
    listen(owner) {
      handlers = owner;
    },
    write(bytes) {
      if (closing || !socket.writable) return false;
      socket.write(bytes.slice()); // the stream keeps it; the caller may reuse its buffer
      return true;
    },
    get unsent() {
      return socket.writableLength;
    },
    end() {
      closing = true;
      socket.end();
      socket.destroySoon();
    },
    destroy() {
      closing = true;
      socket.destroy();
    },
  };
}

/** An IPv4 peer of a dual-stack socket shows as ::ffff:192.0.2.1. */
function plain(address: string | undefined): string {
  return address?.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address ?? "";
}

function certificateNames(socket: tls.TLSSocket): string[] {
  const certificate = socket.getPeerCertificate();
  if (!certificate?.subject) return [];
  const names = (certificate.subjectaltname ?? "").split(", ")
    .filter((name) => name.startsWith("DNS:") || name.startsWith("URI:"))
    .map((name) => name.slice(4));
  const common = certificate.subject.CN;
  return names.length > 0 || typeof common !== "string" ? names : [common];
}

// ---- DNS and files -------------------------------------------------------------------------------------------------

function realDns(servers: readonly string[] | undefined): Dns {
  const resolver = new dns.Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });
  if (servers && servers.length > 0) resolver.setServers(servers);
  const ask = async <T>(query: () => Promise<{ records: T[]; ttlSeconds: number }>): Promise<DnsAnswer<T>> => {
    let deadline: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<DnsAnswer<T>>((resolve) => {
      deadline = setTimeout(() => resolve({ kind: "unavailable", why: "no answer" }), DNS_TIMEOUT_MS);
    });
    const answer = query().then(
      ({ records, ttlSeconds }): DnsAnswer<T> =>
        records.length > 0 ? { kind: "found", records, ttlSeconds } : { kind: "absent" },
      (error): DnsAnswer<T> => {
        const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
        return code === "ENOTFOUND" || code === "ENODATA" ? { kind: "absent" } : { kind: "unavailable", why: code };
      },
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(deadline);
    }
  };
  const addresses = (records: { address: string; ttl: number }[]) => ({
    records: records.map((record) => record.address),
    ttlSeconds: records.reduce((least, record) => Math.min(least, record.ttl), Number.MAX_SAFE_INTEGER),
  });
  return {
    a: (name) => ask(async () => addresses(await resolver.resolve4(name, { ttl: true }))),
    aaaa: (name) => ask(async () => addresses(await resolver.resolve6(name, { ttl: true }))),
    srv: (name) =>
      ask(async () => ({
        records: (await resolver.resolveSrv(name)).map((record) => ({
          priority: record.priority,
          weight: record.weight,
          port: record.port,
          target: record.name,
        })),
        ttlSeconds: NO_TTL_SECONDS,
      })),
    naptr: (name) =>
      ask(async () => ({
        records: await resolver.resolveNaptr(name).then((records) => records.map((record) => ({ ...record }))),
        ttlSeconds: NO_TTL_SECONDS,
      })),
  };
}

const read: Files["read"] = async (path) => {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
};

const write: Files["write"] = async (path, bytes, mode = 0o644) => {
  const beside = `${path}.${process.pid}.new`;
  await rm(beside, { force: true }); // one left by a crash might have another mode
  const file = await open(beside, "wx", mode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

const append: Files["append"] = async (path, bytes) => {
  const file = await open(path, "a");
  try {
    await file.writeFile(bytes);
  } finally {
    await file.close();
  }
};
