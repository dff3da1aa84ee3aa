import type { World } from "../../src/world/world.ts";

/** The store's part of the world, on the machine's own clock: SQLite files are real, so is their time. */
export const realTime: Pick<World, "after" | "now" | "wallClock"> = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};
