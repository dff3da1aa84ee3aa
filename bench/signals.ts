// (6) CPU of the signal processing for 20 ms of one channel (of all members, where it mixes), beside native code compiled
// in the same run. Needs gcc, libspandsp-dev, libsrtp2-dev and espeak-ng.
import { Rig, rtp } from "../tests/wasm/rig.ts";
import { desk } from "../tests/wasm/sound.ts";
import { pair, suites } from "../tests/wasm/srtp_rig.ts";
import { compile } from "./phones.ts";
import { table } from "./process.ts";

const FRAMES = 400;
const ROUNDS = 30;

function run(command: string[], input?: Uint8Array): Uint8Array {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { stdin: input ?? "ignore", maxBuffer: 1e9 });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return new Uint8Array(stdout);
}

const program = compile("signals", "-O3", "-lspandsp", "-lsrtp2", "-lm");
const text = "The rain in Spain stays mainly in the plain, said the old man to nobody. ".repeat(6);
const wav = run(["espeak-ng", "--stdout", text]);
const speech = wav.slice(44, 44 + FRAMES * 640);
const native = new Map(
  new TextDecoder().decode(run([program], speech)).trim().split("\n").map((line) => {
    const [name = "", micros] = line.split(" ");
    return [name, Number(micros)];
  }),
);

const { core, offset, samples } = await desk();
const far = offset + 131_072;
samples.set(new Int16Array(speech.buffer, 0, 65_536));
const near = (frame: number, octets: number) => offset + (frame % 200) * octets;

/** Microseconds of a call, the best round after the compiler has had its time. */
function measure(each: (frame: number) => void): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const from = Bun.nanoseconds();
    for (let frame = 0; frame < FRAMES; frame++) each(frame);
    best = Math.min(best, (Bun.nanoseconds() - from) / FRAMES / 1000);
  }
  return best;
}

let room = 0;
function mixing(members: number, rate: number): () => void {
  const conference = room++;
  core.mixerFrame(conference, rate / 50);
  const all = Array.from({ length: members }, (_, i) => conference * 200 + i);
  for (const member of all) core.mixerJoin(conference, member);
  for (const [i, member] of all.entries()) {
    new Int16Array(core.memory.buffer, core.mixerInput(member), rate / 50).set(
      samples.subarray(i * 160, i * 160 + rate / 50),
    );
  }
  return () => {
    for (const member of all) core.mixerInput(member); // it has brought a frame
    core.mixerRun(conference);
  };
}

/**
 * What a leg with SRTP costs more than one without: a packet of 160 octets goes from one stream to another, plain or protected.
 * Packets to be opened are made first; each is good for once.
 */
function sealing(name: string, opens: boolean): () => void {
  const suite = suites.find((one) => one.name === name) ?? suites[0];
  if (!suite) throw new Error("no suite");
  const desk = new Rig(core);
  const key = new Uint8Array(suite.octets).fill(7);
  const sent = pair(desk, suite, key, key, { strict: 0 });
  const heard = pair(desk, suite, key, key, { strict: 0 });
  const payload = new Uint8Array(speech.buffer, 0, 160);
  const sealed: Buffer[] = [];
  for (let sequence = 0; opens && sequence < ROUNDS * FRAMES; sequence++) {
    sealed.push(
      ...desk.datagram(sent.plain, rtp({ sequence, timestamp: 160 * sequence, payload })).map((s) => s.bytes),
    );
  }
  let n = 0;
  const plain = rtp({ sequence: 0, timestamp: 0, payload });
  return () => {
    plain.writeUInt16BE(n & 0xffff, 2);
    const bytes = opens ? sealed[n] ?? plain : plain;
    n++;
    desk.octets.set(bytes, core.receiveBuffer());
    core.receiveDatagram(opens ? heard.secure : sent.plain, 0, bytes.length);
    core.outboxClear();
  };
}

core.g722Reset(0);
core.g722Reset(1);
core.dtmfReset(0);
core.resampleReset(0);
const kernels: readonly [name: string, limit: number, each: (frame: number) => void][] = [
  ["ulaw-encode", 0.6, (f) => core.g711EncodeUlaw(far, near(f, 320), 160)],
  ["ulaw-decode", 0.6, (f) => core.g711DecodeUlaw(far, near(f, 160), 160)],
  ["alaw-encode", 0.6, (f) => core.g711EncodeAlaw(far, near(f, 320), 160)],
  ["alaw-decode", 0.6, (f) => core.g711DecodeAlaw(far, near(f, 160), 160)],
  ["g722-encode", 1.6, (f) => core.g722Encode(0, far + (f % 200) * 160, near(f, 640), 320)],
  ["g722-decode", 1.6, (f) => core.g722Decode(1, far + 65_536, far + (f % 200) * 160, 160, 1)],
  ["dtmf", 1.5, (f) => core.dtmfFeed(0, near(f, 320), 160)],
  ["mix-50-8k", 0.5, mixing(50, 8000)],
  ["mix-200-8k", 0.5, mixing(200, 8000)],
  ["mix-50-16k", 0.5, mixing(50, 16000)],
  ["mix-200-16k", 0.5, mixing(200, 16000)],
  ["srtp-cm-protect", 1, sealing("cm128-80", false)],
  ["srtp-cm-open", 1, sealing("cm128-80", true)],
  ["srtp-gcm-protect", 1.5, sealing("gcm128", false)],
  ["srtp-gcm-open", 1.5, sealing("gcm128", true)],
  ["resample-8-16", 1.3, (f) => core.resampleRun(0, 8000, 16000, far, near(f, 320), 160)],
];

table("Signal processing of 20 ms, microseconds", [
  ["", "here", "native", "ratio", "at most"],
  ...kernels.map(([name, limit, each]) => {
    const [ours, theirs] = [measure(each), native.get(name) ?? NaN];
    return [name, ours.toFixed(2), theirs.toFixed(2), (ours / theirs).toFixed(2), limit.toFixed(1)];
  }),
]);
