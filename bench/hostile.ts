// (7) Ten million hostile datagrams, random, cut and changed, into every entry of a core: RTP, RTCP and SRTP of all suites.
// Ends with an error at the first trap, write outside the arenas, change of a stream that nobody spoke to, or packet of the
// call beside it that does not come through.
import { Attack } from "../tests/wasm/attack.ts";
import { rig } from "../tests/wasm/rig.ts";

const total = Number(process.argv[2] ?? 10_000_000);
const seed = Number(process.argv[3] ?? 1);
const core = await rig();
const attack = new Attack(core, seed);
const began = performance.now();
for (let done = 0; done < total;) {
  const until = Math.min(done + 1_000_000, total);
  for (; done < until; done++) attack.step();
  attack.check();
  console.log(
    `${done.toLocaleString("en")} datagrams, ${((performance.now() - began) / 1000).toFixed(0)} s, nothing broke`,
  );
}
