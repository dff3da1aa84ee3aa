import { expect, spyOn, test } from "bun:test";
import { TimerWheel } from "../../src/world/timers.ts";
import type { Timer } from "../../src/world/world.ts";
import { seededRandom } from "../virtual_world.ts";

/** A machine with one timer and a clock that only moves when it is told to. */
class Machine {
  now = 12_345.678;
  #timer: { at: number; run: () => void } | undefined;
  readonly wheel = new TimerWheel(() => this.now, (ms, run) => {
    expect(this.#timer).toBeUndefined();
    const timer = { at: this.now + ms, run };
    this.#timer = timer;
    return { cancel: () => void (this.#timer === timer && (this.#timer = undefined)) };
  });

  get armed(): boolean {
    return this.#timer !== undefined;
  }

  /** Fires what is due; the machine is late by up to `late` ms each time. */
  advance(ms: number, late: () => number = () => 0): void {
    const until = this.now + ms;
    for (let timer = this.#timer; timer && timer.at <= until; timer = this.#timer) {
      this.now = Math.max(this.now, timer.at + late());
      this.#timer = undefined;
      timer.run();
    }
    this.now = Math.max(this.now, until);
  }
}

test("timers fire never early, at most a slot late, each once; cancelled ones do not", () => {
  const random = seededRandom(7);
  const machine = new Machine();
  const waiting = new Set<{ due: number; timer: Timer }>();
  const lateness: number[] = [];
  const set = (ms: number) => {
    const entry = {
      due: machine.now + ms,
      timer: machine.wheel.after(ms, () => {
        expect(waiting.delete(entry)).toBe(true);
        expect(machine.now).toBeGreaterThanOrEqual(entry.due);
        lateness.push(machine.now - entry.due);
        if (random.below(4) === 0) set(random.below(2000));
      }),
    };
    waiting.add(entry);
  };
  const spans = [1, 10, 300, 1500, 40_000, 300_000, 2_000_000];
  for (let round = 0; round < 3000; round++) {
    for (let i = random.below(4); i > 0; i--) set(random.below(spans[random.below(spans.length)] ?? 1));
    const some = [...waiting][random.below(20)];
    if (some && random.below(2) === 0) {
      some.timer.cancel();
      some.timer.cancel();
      waiting.delete(some);
    }
    machine.advance(random.below(400));
    expect(machine.wheel.live).toBe(waiting.size);
  }
  machine.advance(4_000_000);
  expect(waiting.size).toBe(0);
  expect(machine.wheel.live).toBe(0);
  expect(machine.armed).toBe(false);
  expect(lateness.length).toBeGreaterThan(3000);
  expect(Math.max(...lateness)).toBeLessThan(5);
});

test("a machine that is late by seconds loses no timer", () => {
  const machine = new Machine();
  let fired = 0;
  for (let ms = 0; ms < 600_000; ms += 97) machine.wheel.after(ms, () => fired++);
  machine.advance(700_000, () => 3500);
  expect(fired).toBe(Math.ceil(600_000 / 97));
});

test("a timer of 0 ms that sets itself again lets the clock go on", () => {
  const machine = new Machine();
  let fired = 0;
  const again = (): void => void machine.wheel.after(0, () => ++fired < 10_000 && again());
  again();
  machine.advance(100);
  expect(fired).toBeGreaterThan(10);
  expect(fired).toBeLessThan(30);
});

test("nothing keeps the machine awake when the last timer is cancelled", () => {
  const machine = new Machine();
  const timer = machine.wheel.after(500, () => {});
  expect(machine.armed).toBe(true);
  timer.cancel();
  expect(machine.armed).toBe(false);
});

test("a timer that throws is reported, and those behind it fire", () => {
  const machine = new Machine();
  const reported = spyOn(globalThis, "reportError").mockImplementation(() => {});
  let fired = 0;
  machine.wheel.after(10, () => {
    throw new Error("mine");
  });
  machine.wheel.after(10, () => fired++);
  machine.wheel.after(2000, () => fired++);
  machine.advance(3000);
  expect(fired).toBe(2);
  expect(String(reported.mock.calls[0]?.[0])).toContain("mine");
  reported.mockRestore();
});
