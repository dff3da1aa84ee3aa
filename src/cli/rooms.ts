import type { AnyModule } from "../kernel/configuration.ts";
import type { Offer } from "../kernel/kernel.ts";
import type { LogRecord } from "../kernel/log.ts";
import type { MediaPlane } from "../kernel/media.ts";
import type { Store } from "../kernel/store.ts";
import type { World } from "../world/world.ts";
import type { Location } from "./location.ts";

/** What main.ts knows and the commands are given: the rooms of the house behind the kernel's interfaces. */
export interface Rooms {
  readonly catalog: readonly AnyModule[];
  world(): World;
  /** Services that a check of a manifest may ask; nothing is opened. */
  readonly checking: readonly Offer[];
  /** Media threads alone, for a command that is a phone. */
  media(world: World, workers: number): Promise<MediaPlane>;
  /** Opens store and media threads. */
  open(options: OpenOptions): Promise<OpenRooms>;
}

export interface OpenOptions {
  readonly world: World;
  readonly location: Location;
  /** Media threads. */
  readonly workers: number;
  log(record: LogRecord): void;
  storeFault(why: string): void;
}

export interface OpenRooms {
  readonly store: Store;
  readonly services: readonly Offer[];
  close(): Promise<void>;
}
