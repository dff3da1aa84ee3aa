// The receivers of fax tones over the whole of their ranges: prints what was missed, late or wrong per kind of input.
// `bun bench/fax_sweep.ts [sounds per row] [seed]`
import { musts, nevers } from "../tests/wasm/fax_sounds.ts";
import { desk, hearFaxTones, random } from "../tests/wasm/sound.ts";

const count = Number(process.argv[2] ?? 500);
const seed = Number(process.argv[3] ?? 1);
const on = await desk();
for (const [name, [letter, make]] of Object.entries(musts)) {
  const rnd = random(seed);
  let bad = 0;
  let latest = 0;
  for (let i = 0; i < count; i++) {
    const { pcm, from, until } = make(rnd, on);
    const heard = hearFaxTones(on, pcm);
    if (heard.length !== 1 || heard[0]?.what !== letter || heard[0].at > until) bad++;
    else latest = Math.max(latest, heard[0].at - from);
  }
  console.log(`must   ${name.padEnd(24)} ${bad} faults of ${count}, declared after at most ${latest / 8} ms`);
}
for (const [name, make] of Object.entries(nevers)) {
  const rnd = random(seed);
  let bad = 0;
  for (let i = 0; i < count; i++) bad += hearFaxTones(on, make(rnd)).length;
  console.log(`never  ${name.padEnd(24)} ${bad} reports of ${count}`);
}
