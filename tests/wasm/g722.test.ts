// Octets and samples are compared with a second implementation in tests/interop/media.interop.ts.
import { expect, test } from "bun:test";
import { desk, gauss, random } from "./sound.ts";

const { core, offset, samples } = await desk();
const OCTETS = offset + 131_072;

test.each([300, 1000, 3000, 5000, 6800])("a sine of %d Hz comes back", (hertz) => {
  core.g722Reset(0);
  core.g722Reset(1);
  const sent: number[] = [];
  const got: number[] = [];
  for (let frame = 0; frame < 50; frame++) {
    for (let n = 0; n < 320; n++) {
      samples[n] = Math.round(8000 * Math.sin(2 * Math.PI * hertz * (frame * 320 + n) / 16000));
    }
    sent.push(...samples.subarray(0, 320));
    expect(core.g722Encode(0, OCTETS, offset, 320)).toBe(160);
    expect(core.g722Decode(1, offset, OCTETS, 160, 1)).toBe(320);
    got.push(...samples.subarray(0, 320));
  }
  const project = (of: readonly number[]) => {
    const [re, im] = [0, 1].map((part) =>
      of.slice(8000).reduce((sum, x, n) => sum + x * Math.cos(2 * Math.PI * hertz * n / 16000 + part * Math.PI / 2), 0)
    );
    return Math.hypot(re ?? 0, im ?? 0);
  };
  expect(Math.abs(20 * Math.log10(project(got) / project(sent)))).toBeLessThan(0.5);
  const power = got.slice(8000).reduce((sum, x) => sum + x * x, 0);
  const share = 2 * project(got) ** 2 / (8000 * power);
  expect(share).toBeGreaterThan(0.99); // 20 dB above everything else
});

test("overload stays at the largest sample where a limit is asked for, and any octets decode to something", () => {
  const rnd = random(4);
  core.g722Reset(0);
  for (let frame = 0; frame < 200; frame++) {
    for (let n = 0; n < 320; n++) samples[n] = Math.max(-32768, Math.min(32767, Math.round(60_000 * gauss(rnd))));
    core.g722Encode(0, OCTETS, offset, 320);
    expect(core.g722Decode(0, offset, OCTETS, 160, 1)).toBe(320);
  }
  const octets = new Uint8Array(core.memory.buffer, OCTETS, 480);
  for (let frame = 0; frame < 2000; frame++) {
    for (let n = 0; n < 480; n++) octets[n] = Math.floor(rnd() * 256);
    expect(core.g722Decode(0, offset, OCTETS, 480, 1)).toBe(960);
  }
});

test("what is no slot or too long is refused", () => {
  expect(core.g722Reset(8192)).toBe(-1);
  expect(core.g722Encode(-1, OCTETS, offset, 320)).toBe(-1);
  expect(core.g722Encode(0, OCTETS, offset, 962)).toBe(-1);
  expect(core.g722Decode(0, offset, OCTETS, 481, 1)).toBe(-1);
  expect(core.g722Decode(0, offset, OCTETS, -1, 1)).toBe(-1);
});
