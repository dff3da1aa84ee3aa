import type { World } from "../world/world.ts";
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
        module.hold(() => socket.close());
        return socket;
      },
      async listenStream(options, handlers) {
        const listener = await network.listenStream(options, handlers);
        module.hold(() => listener.close());
        return listener;
      },
      async connectStream(options) {
        const connection = await network.connectStream(options);
        module.hold(() => connection.destroy());
        return connection;
      },
      localAddressTowards: (remote) => network.localAddressTowards(remote),
    },
  };
}
