import type { StreamConnection, World } from "../world/world.ts";
import type { LoadedModule } from "./loaded_module.ts";

/** The world as a module takes from it: its timers and sockets end when it is unloaded, a timer that throws is its fault. */
export function heldWorld(world: World, module: LoadedModule): World {
  const { network } = world;
  return {
    now: () => world.now(),
    wallClock: () => world.wallClock(),
    random: world.random,
    dns: world.dns,
    files: world.files,
    after(ms, run) {
      const timer = world.after(ms, () => {
        forget();
        module.guard("timer", run);
      });
      const forget = module.hold(() => timer.cancel());
      return {
        cancel() {
          forget();
          timer.cancel();
        },
      };
    },
    network: {
      async bindDatagram(options, listener) {
        const socket = await network.bindDatagram(options, listener);
        const forget = module.hold(() => socket.close());
        return {
          local: socket.local,
          send: (bytes, to) => socket.send(bytes, to),
          close() {
            forget();
            socket.close();
          },
        };
      },
      async listenStream(options, handlers) {
        const listener = await network.listenStream(options, handlers);
        const forget = module.hold(() => listener.close());
        return {
          local: listener.local,
          setTls: (tls) => listener.setTls(tls),
          close() {
            forget();
            listener.close();
          },
        };
      },
      connectStream: async (options) => heldConnection(await network.connectStream(options), module),
      localAddressTowards: (remote) => network.localAddressTowards(remote),
    },
  };
}

function heldConnection(connection: StreamConnection, module: LoadedModule): StreamConnection {
  const { local, remote, tlsError, peerNames } = connection;
  const forget = module.hold(() => connection.destroy());
  return {
    local,
    remote,
    ...(tlsError === undefined ? {} : { tlsError }),
    peerNames,
    get unsent() {
      return connection.unsent;
    },
    listen: (handlers) =>
      connection.listen({
        received: (bytes) => handlers.received(bytes),
        drained: () => handlers.drained(),
        closed(error) {
          forget();
          handlers.closed(error);
        },
      }),
    write: (bytes) => connection.write(bytes),
    end: () => connection.end(),
    destroy: () => connection.destroy(),
  };
}
