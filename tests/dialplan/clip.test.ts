import { expect, test } from "bun:test";
import { readClip } from "../../src/dialplan/clip.ts";
import { soundsIn } from "../../src/dialplan/sounds.ts";

function wav(code: number, channels: number, rate: number, bits: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(44 + data.length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, s: string) => bytes.set(new TextEncoder().encode(s), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + data.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, code, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  text(36, "data");
  view.setUint32(40, data.length, true);
  bytes.set(data, 44);
  return bytes;
}

test("16-bit WAV in mono and stereo, µ-law and A-law become samples", () => {
  const pcm = new Uint8Array(new Int16Array([100, -100, 300, 100]).buffer);
  expect(readClip("a.wav", wav(1, 1, 8000, 16, pcm))).toEqual({
    samples: new Int16Array([100, -100, 300, 100]),
    sampleRate: 8000,
  });
  expect(readClip("a.wav", wav(1, 2, 16000, 16, pcm))).toEqual({
    samples: new Int16Array([0, 200]),
    sampleRate: 16000,
  });
  const ulaw = Uint8Array.of(0xff, 0x00, 0x80);
  expect(readClip("a.wav", wav(7, 1, 8000, 8, ulaw))).toEqual({
    samples: new Int16Array([0, -32124, 32124]),
    sampleRate: 8000,
  });
  expect(readClip("a.alaw", Uint8Array.of(0xd5, 0x2a, 0xaa))).toEqual({
    samples: new Int16Array([8, -32256, 32256]),
    sampleRate: 8000,
  });
  expect(readClip("a.sln16", pcm)).toEqual({ samples: new Int16Array([100, -100, 300, 100]), sampleRate: 16000 });
});

test("a file that is not understood says why; lengths that lie cost nothing", () => {
  expect(readClip("a.wav", new Uint8Array(3))).toBe("no WAV file");
  expect(readClip("a.wav", wav(1, 1, 11025, 16, new Uint8Array(2)))).toContain("11025");
  expect(readClip("a.wav", wav(85, 1, 8000, 0, new Uint8Array(2)))).toContain("format 85");
  const lying = wav(1, 1, 8000, 16, new Uint8Array(4));
  new DataView(lying.buffer).setUint32(40, 0xffffffff, true);
  expect(readClip("a.wav", lying)).toEqual({ samples: new Int16Array(2), sampleRate: 8000 });
  for (let length = 0; length < 44; length++) readClip("a.wav", lying.subarray(0, length));
});

test("a sound is looked for in the folder, and our own need no file", async () => {
  const files = {
    read: (path: string) => Promise.resolve(path === "sounds/hello.ulaw" ? Uint8Array.of(0xff) : undefined),
    write: () => Promise.resolve(),
    append: () => Promise.resolve(),
  };
  const sounds = soundsIn("sounds", undefined, files);
  expect((await sounds.clip("hello")).samples).toEqual(new Int16Array([0]));
  expect((await sounds.clip("demo")).samples.length).toBeGreaterThan(8000);
  expect(await sounds.music()).toBeUndefined();
  expect((await sounds.music("melody"))?.sampleRate).toBe(8000);
  await expect(sounds.clip("missing")).rejects.toThrow('there is no sound "missing"');
  await expect(sounds.clip("../../etc/passwd")).rejects.toThrow("not the name of a sound");
});
