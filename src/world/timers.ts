import type { Timer } from "./world.ts";

const SLOT_MS = 4;
const SLOTS = 256; // a power of two, of each of the two wheels: the inner one turns in about a second

/** One timer, in the ring of the slot it waits in. */
class Entry implements Timer {
  previous: Entry = this;
  next: Entry = this;
  run: (() => void) | undefined;
  due = 0;

  constructor(readonly wheel: TimerWheel) {}

  cancel(): void {
    if (!this.run) return;
    this.run = undefined;
    this.unlink();
    this.wheel.forgotten();
  }

  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.previous = this;
    this.next = this;
  }

  /** Puts it before `ring`, the head of a slot: at the end. */
  link(ring: Entry): void {
    this.previous = ring.previous;
    this.next = ring;
    ring.previous.next = this;
    ring.previous = this;
  }
}

/**
 * Many timers on one of the machine's. SIP sets some twenty for a call and cancels most of them: here both cost a few
 * assignments, and a cancelled one holds nothing. A timer fires up to 4 ms late, never early. Later than four minutes it
 * waits in an outer ring that is looked through every second.
 */
export class TimerWheel {
  live = 0;
  readonly #inner = Array.from({ length: SLOTS }, () => new Entry(this));
  readonly #outer = Array.from({ length: SLOTS }, () => new Entry(this));
  readonly #far = new Entry(this);
  #tick: number; // slots of SLOT_MS since the clock began; all before it have fired
  #armed: { readonly tick: number; readonly timer: Timer } | undefined; // the machine's timer
  #firing = false;

  constructor(
    readonly now: () => number,
    /** Sets a timer of the machine. */
    readonly arm: (ms: number, run: () => void) => Timer,
  ) {
    this.#tick = Math.floor(now() / SLOT_MS);
  }

  after(ms: number, run: () => void): Timer {
    const now = this.now();
    if (this.live === 0 && !this.#firing) this.#tick = Math.max(this.#tick, Math.floor(now / SLOT_MS));
    const entry = new Entry(this);
    entry.run = run;
    // Not into the slot that runs now: a timer of 0 ms that sets itself again would never let go.
    entry.due = Math.max(Math.ceil((now + Math.max(0, ms)) / SLOT_MS), this.#tick + Number(this.#firing));
    this.live++;
    this.#place(entry);
    if (!this.#firing && (this.#armed === undefined || entry.due < this.#armed.tick)) this.#set(entry.due);
    return entry;
  }

  /** One was cancelled. Nothing keeps the process awake once there is none. */
  forgotten(): void {
    if (--this.live > 0) return;
    this.#armed?.timer.cancel();
    this.#armed = undefined;
  }

  #place(entry: Entry): void {
    const away = entry.due - this.#tick;
    if (away < SLOTS) entry.link(this.#slot(this.#inner, entry.due));
    else if (away < SLOTS * (SLOTS - 1)) entry.link(this.#slot(this.#outer, Math.floor(entry.due / SLOTS)));
    else entry.link(this.#far);
  }

  #slot(wheel: readonly Entry[], index: number): Entry {
    return wheel[index & (SLOTS - 1)] ?? this.#far;
  }

  /** The machine's timer need not look further than to the next turn of the inner wheel. */
  #set(due: number): void {
    const tick = Math.min(due, (Math.floor(this.#tick / SLOTS) + 1) * SLOTS);
    this.#armed?.timer.cancel();
    this.#armed = { tick, timer: this.arm(Math.max(1, tick * SLOT_MS - this.now()), () => this.#fire()) };
  }

  #fire(): void {
    this.#armed = undefined;
    this.#firing = true;
    const until = Math.floor(this.now() / SLOT_MS);
    while (this.#tick <= until && this.live > 0) {
      this.#runSlot(this.#slot(this.#inner, this.#tick));
      this.#tick++;
      if (this.#tick % SLOTS === 0) this.#turn();
    }
    this.#firing = false;
    if (this.live > 0) this.#set(this.#soonest());
  }

  #runSlot(ring: Entry): void {
    while (ring.next !== ring) {
      const entry = ring.next;
      const { run } = entry;
      entry.run = undefined;
      entry.unlink();
      this.live--;
      try {
        run?.();
      } catch (error) {
        reportError(error); // as from a timer of the machine; the others still fire
      }
    }
  }

  /** The inner wheel begins again: what comes due within its turn moves in. */
  #turn(): void {
    this.#spread(this.#slot(this.#outer, this.#tick / SLOTS));
    if (this.#tick % (SLOTS * SLOTS) === 0) this.#spread(this.#far);
  }

  #spread(ring: Entry): void {
    const last = ring.previous;
    if (last === ring) return;
    for (let entry = ring.next;;) {
      const { next } = entry;
      entry.unlink();
      this.#place(entry);
      if (entry === last) return;
      entry = next;
    }
  }

  /** The first slot of this turn that is not empty, else the end of the turn. */
  #soonest(): number {
    const turn = (Math.floor(this.#tick / SLOTS) + 1) * SLOTS;
    for (let tick = this.#tick; tick < turn; tick++) {
      const ring = this.#slot(this.#inner, tick);
      if (ring.next !== ring) return tick;
    }
    return turn;
  }
}
