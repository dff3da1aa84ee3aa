// `patchbay media` of the executable beside second implementations: libspandsp for G.722, speech of espeak-ng.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { addSine, gauss, random, toPcm } from "../wasm/sound.ts";

const executable = resolve(import.meta.dir, "../../dist/patchbay");
let folder: string;

function filter(command: string[], input: Uint8Array): Uint8Array {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { stdin: input, maxBuffer: 1e9 });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return new Uint8Array(stdout);
}

function speech(voice: string, text: string, rate: number): Uint8Array {
  const wav = filter(["espeak-ng", "-v", voice, "--stdout", text], new Uint8Array());
  return filter(["sox", "-t", "wav", "-", "-t", "s16", "-r", String(rate), "-c", "1", "-"], wav);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "patchbay-media-"));
  const source = resolve(import.meta.dir, "peers/native/g722.c");
  filter(["gcc", "-O2", "-o", join(folder, "g722"), source, "-lspandsp", "-lm"], new Uint8Array());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("G.722: every octet and every sample equals libspandsp's over noise, sweeps, clipping, silence and speech", () => {
  const rnd = random(6);
  const sound = new Float64Array(16000 * 30);
  for (let n = 0; n < 128_000; n++) sound[n] = gauss(rnd) * ([30, 1000, 8000, 40_000][n >> 15] ?? 0);
  for (let k = 0; k < 40; k++) {
    addSine(sound, 144_000 + k * 3200, 3200, 60 + 190 * k, 2000 * (1 + k % 20), k);
  }
  const parts = [
    new Uint8Array(toPcm(sound).buffer),
    speech("en", "The quick brown fox jumps over the lazy dog", 16000),
    speech("de", "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg", 16000),
  ];
  const pcm = new Uint8Array(Buffer.concat(parts));
  expect(pcm.length).toBeGreaterThan(30 * 32_000);
  const peer = join(folder, "g722");
  const octets = filter([peer, "e"], pcm);
  expect(Buffer.compare(filter([executable, "media", "encode", "--codec", "g722"], pcm), octets)).toBe(0);
  const hostile = Uint8Array.from({ length: 200_000 }, () => Math.floor(rnd() * 256));
  for (const input of [octets, hostile]) {
    const samples = filter([peer, "d"], input);
    expect(samples.length).toBe(input.length * 4);
    expect(Buffer.compare(filter([executable, "media", "decode", "--codec", "g722"], input), samples)).toBe(0);
  }
}, 60_000);

/** Syllables that vowels and nasals fill: what talks a detector into hearing digits. */
function babble(words: number, seed: number): string {
  const rnd = random(seed);
  const pick = (from: string) => from.split(" ")[Math.floor(rnd() * from.split(" ").length)] ?? "";
  const word = () =>
    Array.from({ length: 1 + Math.floor(rnd() * 4) }, () => pick("b d g l m n r v") + pick("a e i o u ee oo")).join("");
  return Array.from({ length: words }, word).join(" ");
}

/** Chords of one to four notes of the tempered scale, each with its overtones, decaying. */
function music(seconds: number, seed: number): Uint8Array {
  const rnd = random(seed);
  const out = new Float64Array(seconds * 8000);
  for (let at = 0; at < out.length;) {
    const length = Math.floor(8000 * (0.08 + rnd() * 0.6));
    const notes = Array.from({ length: 1 + Math.floor(rnd() * 4) }, () => 110 * 2 ** (Math.floor(rnd() * 48) / 12));
    const [overtones, decay, roll] = [1 + Math.floor(rnd() * 6), 0.5 + rnd() * 6, 0.3 + rnd()];
    for (const note of notes) {
      for (let k = 1; k <= overtones && k * note < 3900; k++) {
        for (let n = 0; n < length && at + n < out.length; n++) {
          const sine = Math.sin(2 * Math.PI * note * k * n / 8000) * Math.exp(-decay * n / 8000);
          out[at + n] = (out[at + n] ?? 0) + 6000 / notes.length * k ** -roll * sine;
        }
      }
    }
    at += length;
  }
  return new Uint8Array(toPcm(out).buffer);
}

test(
  "half an hour of speech in twenty languages and ten minutes of music: three false digits at most, no fax tone",
  () => {
    const voices = "en de fr es it pl ru tr pt nl sv fi hu cs el ro hr da nb id".split(" ");
    const parts = voices.map((voice, i) => speech(`${voice}+${i % 2 ? "f" : "m"}${1 + i % 4}`, babble(250, i), 8000));
    const spoken = new Uint8Array(Buffer.concat(parts));
    expect(spoken.length / 16_000).toBeGreaterThan(30 * 60);
    const played = music(600, 99);
    const heard = (what: string, pcm: Uint8Array) =>
      new TextDecoder().decode(filter([executable, "media", what], pcm)).split("\n").length - 1;
    const falsely = [heard("dtmf", spoken), heard("dtmf", played)];
    console.log(`false digits in speech and music: ${falsely.join(", ")}`);
    expect((falsely[0] ?? 0) + (falsely[1] ?? 0)).toBeLessThanOrEqual(3);
    expect([heard("tones", spoken), heard("tones", played)]).toEqual([0, 0]);
  },
  120_000,
);

test("the examples of docs/media.md print what it shows", async () => {
  const page = await Bun.file(resolve(import.meta.dir, "../../docs/media.md")).text();
  const blocks = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  expect(blocks.length).toBe(2);
  const environment = { ...process.env, PATH: `${resolve(executable, "..")}:${process.env.PATH}` };
  for (const lines of blocks.map((block) => block.trimEnd().split("\n"))) {
    const script = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)).join("\n");
    const ran = Bun.spawnSync(["bash", "-ec", script], { cwd: folder, env: environment });
    expect(ran.stdout.toString().trimEnd()).toBe(lines.filter((line) => !line.startsWith("$ ")).join("\n"));
    expect(ran.exitCode).toBe(0);
  }
});

test("a full disk and a reader that has gone are said, in a line", async () => {
  const input = join(folder, "long.s16");
  await Bun.write(input, new Uint8Array(4_000_000));
  for (const [sink, complaint] of [["> /dev/full", /no space left/], ["| true", /nobody reads/]] as const) {
    const command = `set -o pipefail; "${executable}" media encode < "${input}" ${sink}`;
    const { exitCode, stderr } = Bun.spawnSync(["bash", "-c", command]);
    expect(exitCode).toBe(1);
    expect(stderr.toString()).toMatch(complaint);
    expect(stderr.toString().trimEnd().split("\n")).toHaveLength(1);
  }
});
