import type { Kernel } from "../kernel/kernel.ts";
import { sessions } from "../kernel/services.ts";
import type { World } from "../world/world.ts";

const LOOK_MS = 50;
const BYE_MS = 2000; // for the answers to our BYEs
const NORMAL_CLEARING = 16;

/** No new calls; running ones may end by themselves for a while, then get a BYE; then every module is unloaded. */
export async function stopGently(kernel: Kernel, world: Pick<World, "after" | "now">, graceMs: number): Promise<void> {
  kernel.stopping = true;
  const running = () => kernel.find(sessions)?.channels ?? [];
  await until(() => running().length === 0, graceMs, world);
  for (const channel of [...running()]) channel.hangup(NORMAL_CLEARING);
  await until(() => running().length === 0, BYE_MS, world);
  await kernel.stop();
}

async function until(done: () => boolean, atMostMs: number, world: Pick<World, "after" | "now">): Promise<void> {
  const end = world.now() + atMostMs;
  while (!done() && world.now() < end) {
    await new Promise<void>((resolve) => void world.after(LOOK_MS, resolve));
  }
}
