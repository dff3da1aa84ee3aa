// The DTMF receiver over the whole of its ranges: prints missed, doubled and wrong digits per kind of input.
// `bun bench/dtmf_sweep.ts [digits per row] [seed]`
import { lossy, musts, nevers, sweep, wanted } from "../tests/wasm/digit_sounds.ts";
import { desk, hearDigits, random, toPcm } from "../tests/wasm/sound.ts";

const count = Number(process.argv[2] ?? 2000);
const seed = Number(process.argv[3] ?? 1);
const on = await desk();
for (const [name, make] of Object.entries(musts)) {
  const rnd = random(seed);
  console.log(`must   ${name.padEnd(36)} ${sweep(on, count, rnd, () => make(rnd))} faults of ${count}`);
}
for (const [name, { make }] of Object.entries(wanted)) {
  const rnd = random(seed);
  console.log(`wanted ${name.padEnd(36)} ${sweep(on, count, rnd, () => make(rnd))} faults of ${count}`);
}
for (const [name, make] of Object.entries(nevers)) {
  const rnd = random(seed);
  let bad = 0;
  for (let i = 0; i < count; i++) bad += hearDigits(on, toPcm(make(rnd))).length;
  console.log(`never  ${name.padEnd(36)} ${bad} reports of ${count}`);
}
for (const loss of [0.03, 0.1]) {
  for (const fill of ["zero", "repeat"] as const) {
    const { missed, added } = lossy(on, count, random(seed), loss, fill);
    console.log(
      `loss   ${`${loss * 100} %, ${fill} fill`.padEnd(36)} ${missed} missed, ${added} doubled of ${count}`,
    );
  }
}
