import { expect, test } from "bun:test";
import { PortPool } from "../../src/media/ports.ts";
import { seededRandom } from "../virtual_world.ts";

function pool(seed = 1) {
  const timers: { ms: number; run: () => void }[] = [];
  const after = (ms: number, run: () => void) => {
    timers.push({ ms, run });
    return { cancel() {} };
  };
  return { ports: new PortPool({ random: seededRandom(seed), after }), timers };
}

test("every even port of the range is given once, none outside", () => {
  for (const range of [[10000, 10019], [10001, 10020], [10000, 10001], [10, 17]] as const) {
    const { ports } = pool();
    const given = ports.reserve("192.0.2.1", range, 100).sort((a, b) => a - b);
    const even = [];
    for (let port = range[0] + range[0] % 2; port + 1 <= range[1]; port += 2) even.push(port);
    expect(given).toEqual(even);
    expect(ports.reserve("192.0.2.1", range, 1)).toEqual([]);
    expect(ports.reserve("192.0.2.2", range, 1)).toHaveLength(1);
  }
});

test("a range without a pair gives nothing", () => {
  expect(pool().ports.reserve("192.0.2.1", [10001, 10002], 1)).toEqual([]);
  expect(pool().ports.reserve("192.0.2.1", [10002, 10000], 1)).toEqual([]);
});

test("a closed pair rests five seconds; one that was not opened is free at once", () => {
  const { ports, timers } = pool();
  const [a, b] = ports.reserve("192.0.2.1", [10000, 10003], 2);
  ports.rest("192.0.2.1", a!);
  ports.release("192.0.2.1", b!);
  expect(ports.reserve("192.0.2.1", [10000, 10003], 2)).toEqual([b!]);
  expect(timers.map(({ ms }) => ms)).toEqual([5000]);
  timers[0]!.run();
  expect(ports.reserve("192.0.2.1", [10000, 10003], 2)).toEqual([a!]);
});

test("the first port differs from run to run", () => {
  const first = Array.from(
    { length: 20 },
    (_, seed) => pool(seed + 1).ports.reserve("192.0.2.1", [10000, 19999], 1)[0],
  );
  expect(new Set(first).size).toBeGreaterThan(15);
});
