import { expect, test } from "bun:test";
import { media } from "../../src/cli/media.ts";
import { loadCore } from "../../src/worker/core.ts";
import { addSine, hertzOf, toPcm } from "../wasm/sound.ts";
import { run } from "./server.ts";

/** The command fed with `input` in chunks of `step` octets: exit status, output, complaints. */
async function filter(args: string, input: Uint8Array, step = 1000) {
  const parts: Uint8Array[] = [];
  const command = media(loadCore, {
    async *input() {
      for (let from = 0; from < input.length; from += step) yield input.subarray(from, from + step);
    },
    write: (octets) => Promise.resolve(void parts.push(octets.slice())),
  });
  const { status } = await run(command, ...args.split(" ").filter((arg) => arg !== ""));
  return { status, octets: new Uint8Array(await new Blob(parts).arrayBuffer()) };
}

const octetsOf = (pcm: Int16Array) => new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
const samplesOf = (octets: Uint8Array) => new Int16Array(octets.slice().buffer);
const textOf = (octets: Uint8Array) => new TextDecoder().decode(octets);

function digits(text: string, rate = 8000): Int16Array {
  const out = new Float64Array((text.length * 0.2 + 0.2) * rate);
  for (const [i, digit] of [...text].entries()) {
    for (const hertz of hertzOf(digit)) {
      addSine(out, Math.floor((0.1 + i * 0.2) * rate), rate / 10, hertz, 6000, 0, rate);
    }
  }
  return toPcm(out);
}

test.each([1, 7, 320, 100_000])(
  "dtmf prints each digit and where it was declared, read %d octets at a time",
  async (step) => {
    const { status, octets } = await filter("dtmf", octetsOf(digits("159#")), step);
    expect(status).toBe(0);
    const lines = textOf(octets).trimEnd().split("\n").map((line) => line.split(" "));
    expect(lines.map(([digit]) => digit)).toEqual(["1", "5", "9", "#"]);
    for (const [i, [, at]] of lines.entries()) {
      const begins = 800 + i * 1600;
      expect(Number(at)).toBeGreaterThan(begins + 240);
      expect(Number(at)).toBeLessThanOrEqual(begins + 440);
    }
  },
);

test("dtmf listens at 16 kHz, OFFSET in samples of the input", async () => {
  const { octets } = await filter("dtmf --rate 16000", octetsOf(digits("7", 16000)));
  const [digit, at] = textOf(octets).split(" ");
  expect(digit).toBe("7");
  expect(Number(at)).toBeGreaterThan(1600 + 480);
  expect(Number(at)).toBeLessThan(1600 + 960);
});

test("tones prints CNG", async () => {
  const out = new Float64Array(8000);
  addSine(out, 800, 4000, 1100, 6000, 0);
  expect(textOf((await filter("tones", octetsOf(toPcm(out)))).octets)).toMatch(/^f \d{4}\n$/);
});

test("encode and decode G.711: one octet a sample, and back to the same octets", async () => {
  const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const codec of ["ulaw", "alaw"]) {
    const linear = await filter(`decode --codec ${codec}`, codes);
    expect(linear.octets.length).toBe(512);
    const { octets } = await filter(`encode --codec ${codec}`, linear.octets, 3);
    const expected = [...codes].map((code) => codec === "ulaw" && code === 0x7F ? 0xFF : code);
    expect([...octets]).toEqual(expected);
  }
});

test("encode and decode G.722: one octet for two samples, in chunks of any size", async () => {
  const pcm = octetsOf(digits("1234", 16000));
  const whole = await filter("encode --codec g722", pcm, 100_000);
  expect(whole.octets.length).toBe(pcm.length / 4);
  expect((await filter("encode --codec g722", pcm, 17)).octets).toEqual(whole.octets);
  expect((await filter("decode --codec g722", whole.octets)).octets.length).toBe(pcm.length);
});

test.each([[8000, 16000, 1001, 2002], [16000, 8000, 1001, 500], [48000, 8000, 4805, 800], [8000, 48000, 1, 6]])(
  "resample %d to %d: of %d samples exactly %d",
  async (from, to, given, wanted) => {
    const { octets } = await filter(`resample --from ${from} --to ${to}`, new Uint8Array(given * 2));
    expect(octets.length).toBe(wanted * 2);
  },
);

test("mix: each member hears the others, interleaved as they came", async () => {
  const pcm = new Int16Array(3 * 500);
  for (let n = 0; n < 500; n++) pcm.set([100 + n, 2000, -3000], n * 3);
  const heard = samplesOf((await filter("mix --members 3", octetsOf(pcm), 100)).octets);
  expect(heard.length).toBe(pcm.length);
  for (let n = 0; n < 500; n++) {
    expect([...heard.subarray(n * 3, n * 3 + 3)]).toEqual([-1000, n - 2900, 2100 + n]);
  }
});

test("nothing in, nothing out; half a sample is passed over", async () => {
  for (const name of ["dtmf", "tones", "encode", "decode --codec g722", "resample", "mix"]) {
    expect((await filter(name, new Uint8Array())).octets.length).toBe(0);
  }
  expect((await filter("encode", new Uint8Array(321))).octets.length).toBe(160);
});

test("a wrong use is answered before anything is read", () => {
  for (
    const args of ["", "sing", "dtmf --rate 44100", "encode --codec mp3", "mix --members 0", "dtmf more", "toString"]
  ) {
    expect(filter(args, new Uint8Array())).rejects.toThrow(/expects/);
  }
});
