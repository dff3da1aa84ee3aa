import type { ModuleConfig } from "./configuration.ts";
import type { ServiceUser } from "./module.ts";
import type { Blame } from "./stage_table.ts";

/** Faults within this time disable a module. */
const FAULT_WINDOW_MS = 60_000;
const FAULT_LIMIT = 5;

/** What a module that runs holds, and what it did wrong. */
export class LoadedModule implements ServiceUser, Blame {
  disabled = false;
  faults = 0;
  save: (() => unknown) | undefined;
  readonly goodbyes: (() => void | Promise<void>)[] = [];
  readonly #holdings = new Set<() => void>();
  readonly #faces = new Map<unknown, unknown>();
  #recent: number[] = [];
  #gone = false;

  constructor(
    readonly config: ModuleConfig,
    /** Names of all modules it requires, directly or not. */
    readonly needs: ReadonlySet<string>,
    readonly loadedAt: number,
    readonly now: () => number,
    readonly faulted: (module: LoadedModule, where: string, error: unknown) => void,
  ) {}

  get name(): string {
    return this.config.definition.name;
  }

  get module(): string {
    return this.name;
  }

  /** Keeps a way to give something back at unload. The answer forgets it: what was held ended by itself. */
  hold(release: () => void): () => void {
    if (this.#gone) {
      release();
      return () => {};
    }
    this.#holdings.add(release);
    return () => this.#holdings.delete(release);
  }

  onRelease(release: () => void): void {
    this.hold(release);
  }

  /** The face of a service for this module; made once. */
  face(service: unknown, make: () => unknown): unknown {
    if (!this.#faces.has(service)) this.#faces.set(service, make());
    return this.#faces.get(service);
  }

  fault(where: string, error: unknown): void {
    this.faults++;
    const now = this.now();
    this.#recent = [...this.#recent.filter((at) => now - at < FAULT_WINDOW_MS), now];
    if (this.#recent.length >= FAULT_LIMIT) this.disabled = true;
    this.faulted(this, where, error);
  }

  /** Runs what the module handed over; a throw is its fault. */
  guard(where: string, run: () => void): void {
    if (this.disabled) return;
    try {
      run();
    } catch (error) {
      this.fault(where, error);
    }
  }

  /** Gives back everything, the last taken first. */
  release(): void {
    this.#gone = true;
    for (const release of [...this.#holdings].reverse()) {
      try {
        release();
      } catch (error) {
        this.fault("release", error);
      }
    }
    this.#holdings.clear();
    this.#faces.clear();
  }
}
