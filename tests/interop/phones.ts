// Phones of a test: each gets its own ports; all are stopped after the test.
import { expect } from "bun:test";
import { longestGap, sine, type Sound, stretch, strongest } from "./audio.ts";
import { ADDRESS, PASSWORD } from "./manifest.ts";
import { Baresip, type BaresipOptions } from "./peers/baresip.ts";

const SLOTS = 40;
let slot = 0;

export class Phones {
  readonly #running: { stop(): Promise<void> }[] = [];

  /** A registered baresip that speaks a sine of `frequency` at -10 dBm0. */
  async baresip(user: string, frequency: number, more: Partial<BaresipOptions> = {}): Promise<Baresip> {
    for (let tries = SLOTS;; tries--) {
      const at = slot++ % SLOTS;
      try {
        return this.add(
          await Baresip.start({
            user,
            password: PASSWORD,
            server: ADDRESS,
            port: 15200 + at * 10,
            ctrlPort: 15800 + at,
            rtpPorts: [16000 + at * 20, 16019 + at * 20],
            speaks: sine(frequency, 60, -10),
            ...more,
          }),
        );
      } catch (error) {
        // a connection of an earlier phone on this port may still be in TIME_WAIT
        if (tries === 1 || !String(error).includes("Address already in use")) throw error;
      }
    }
  }

  add<P extends { stop(): Promise<void> }>(phone: P): P {
    this.#running.push(phone);
    return phone;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((p) => p.stop()));
  }
}

/** A clean tone of the frequency at the level it was sent with, without gaps, once the call has settled. */
export function expectTone(heard: Sound, frequency: number, levelDbm0 = -10): void {
  const settled = stretch(heard, 0.6, heard.samples.length / heard.sampleRate - 0.4);
  expect(settled.samples.length).toBeGreaterThan(4000);
  const found = strongest(settled);
  expect(Math.abs(found.frequency - frequency)).toBeLessThan(2);
  expect(Math.abs(found.levelDbm0 - levelDbm0)).toBeLessThan(1);
  expect(longestGap(settled, -35)).toBeLessThanOrEqual(0.06);
}

/** The same as linphone recorded it: its own clock correction puts a jump into the tone now and then, but not into most looks. */
export function expectToneOfLinphone(heard: Sound, frequency: number, levelDbm0 = -10): void {
  const looks = Array.from({ length: 9 }, (_, at) => strongest(stretch(heard, 1.5 + at * 0.2, 1.75 + at * 0.2)));
  const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[4] ?? 0;
  expect(Math.abs(middle(looks.map((look) => look.frequency)) - frequency)).toBeLessThan(3);
  expect(Math.abs(middle(looks.map((look) => look.levelDbm0)) - levelDbm0)).toBeLessThan(1);
}
