import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realWorld } from "../../src/world/real_world.ts";
import type { SocketAddress, StreamConnection } from "../../src/world/world.ts";

const world = realWorld();
const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

/** A promise and the function that fulfils it. */
const signal = <T>() => Promise.withResolvers<T>();

async function datagramSocket(
  received: (text: string, from: SocketAddress) => void,
  unreachable: (to: SocketAddress | undefined) => void = () => {},
  host = "127.0.0.1",
) {
  const socket = await world.network.bindDatagram({ host, port: 0 }, {
    received: (bytes, from) => received(new TextDecoder().decode(bytes), from),
    unreachable,
  });
  closers.push(() => socket.close());
  return socket;
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`a datagram over ${host} arrives with its source`, async () => {
    const arrived = signal<[string, SocketAddress]>();
    const receiver = await datagramSocket((text, from) => arrived.resolve([text, from]), undefined, host);
    const sender = await datagramSocket(() => {}, undefined, host);
    expect(sender.send(new TextEncoder().encode("hello"), receiver.local)).toBe(true);
    expect(await arrived.promise).toEqual(["hello", { host, port: sender.local.port }]);
  });
}

test("an ICMP error is reported and the socket goes on", async () => {
  const refused = signal<boolean>();
  const answered = signal<string>();
  const gone = await datagramSocket(() => {});
  const nobody = gone.local;
  gone.close();
  const socket = await datagramSocket(() => {}, (to) => refused.resolve(to === undefined));
  const receiver = await datagramSocket((text) => answered.resolve(text));
  socket.send(new Uint8Array([1]), nobody);
  expect(await refused.promise).toBe(true); // the kernel does not say about whom
  socket.send(new Uint8Array([1]), nobody);
  socket.send(new TextEncoder().encode("still here"), receiver.local);
  expect(await answered.promise).toBe("still here");
});

test("a datagram that is too long is refused without an exception", async () => {
  const socket = await datagramSocket(() => {});
  expect(socket.send(new Uint8Array(70_000), socket.local)).toBe(false);
});

test("a stream carries both directions and reports its end once", async () => {
  const accepted = signal<StreamConnection>();
  const listener = await world.network.listenStream({ host: "127.0.0.1", port: 0 }, {
    accepted: (connection) => {
      connection.listen({
        received: (bytes) => connection.write(bytes),
        drained: () => {},
        closed: () => {},
      });
      accepted.resolve(connection);
    },
    failed: () => {},
  });
  closers.push(() => listener.close());
  const connection = await world.network.connectStream({ ...listener.local, timeoutMs: 1000 });
  const echoed = signal<string>();
  const closed = signal<Error | undefined>();
  connection.listen({
    received: (bytes) => echoed.resolve(new TextDecoder().decode(bytes)),
    drained: () => {},
    closed: closed.resolve,
  });
  expect(connection.write(new TextEncoder().encode("ping"))).toBe(true);
  expect(await echoed.promise).toBe("ping");
  expect((await accepted.promise).remote).toEqual(connection.local);
  (await accepted.promise).end();
  expect(await closed.promise).toBeUndefined();
  expect(connection.write(new Uint8Array([1]))).toBe(false);
});

test("a refused connection rejects", async () => {
  const listener = await world.network.listenStream({ host: "127.0.0.1", port: 0 }, {
    accepted: () => {},
    failed: () => {},
  });
  listener.close();
  await expect(world.network.connectStream({ ...listener.local, timeoutMs: 1000 })).rejects.toThrow();
});

test("the kernel says which address it would use", () => {
  expect(world.network.localAddressTowards("127.0.0.1")).toBe("127.0.0.1");
  expect(world.network.localAddressTowards("::1")).toBe("::1");
});

test("a file is written whole, with its mode and without leftovers", async () => {
  const directory = mkdtempSync(join(tmpdir(), "patchbay-"));
  const path = join(directory, "secret");
  expect(await world.files.read(path)).toBeUndefined();
  await world.files.write(path, new TextEncoder().encode("a"), 0o600);
  await world.files.write(path, new TextEncoder().encode("b"), 0o600);
  await world.files.append(path, new TextEncoder().encode("c"));
  expect(new TextDecoder().decode(await world.files.read(path))).toBe("bc");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["secret"]);
});

test("a name server that is set answers; one that is silent is unavailable, not absent", async () => {
  const server = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, query, port, host) {
        // The question's header with "response, name error" set: NXDOMAIN.
        const answer = query.slice();
        answer[2] = 0x81;
        answer[3] = 0x83;
        socket.send(answer, port, host);
      },
    },
  });
  closers.push(() => server.close());
  const asking = realWorld({ dnsServers: [`127.0.0.1:${server.port}`] });
  expect(await asking.dns.a("nobody.example")).toEqual({ kind: "absent" });
});

test("random numbers stay in their range", () => {
  for (let draw = 0; draw < 5000; draw++) {
    const number = world.random.below(7);
    expect(number >= 0 && number < 7).toBe(true);
  }
  expect(world.random.token(8)).toMatch(/^[0-9a-f]{16}$/);
  expect(world.random.bytes(5000).length).toBe(5000);
});

test(":: leaves 0.0.0.0 to another socket of the same port, datagrams and streams", async () => {
  const v6 = await datagramSocket(() => {}, undefined, "::");
  const heard = signal<SocketAddress>();
  const v4 = await world.network.bindDatagram({ host: "0.0.0.0", port: v6.local.port }, {
    received: (_bytes, from) => heard.resolve(from),
    unreachable: () => {},
  });
  closers.push(() => v4.close());
  const sender = await datagramSocket(() => {});
  sender.send(new Uint8Array([1]), { host: "127.0.0.1", port: v6.local.port });
  expect((await heard.promise).host).toBe("127.0.0.1");
  const handlers = { accepted: () => {}, failed: () => {} };
  const six = await world.network.listenStream({ host: "::", port: 0 }, handlers);
  closers.push(() => six.close());
  const four = await world.network.listenStream({ host: "0.0.0.0", port: six.local.port }, handlers);
  closers.push(() => four.close());
  expect(four.local.port).toBe(six.local.port);
});
