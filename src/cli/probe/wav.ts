import type { AudioClip } from "../../kernel/media.ts";

/** A RIFF/WAVE file of mono s16le samples. */
export function writeWav(clip: AudioClip): Uint8Array {
  const octets = clip.samples.length * 2;
  const file = Buffer.alloc(44 + octets);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + octets, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20); // PCM
  file.writeUInt16LE(1, 22); // mono
  file.writeUInt32LE(clip.sampleRate, 24);
  file.writeUInt32LE(clip.sampleRate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(octets, 40);
  clip.samples.forEach((sample, at) => file.writeInt16LE(sample, 44 + at * 2));
  return new Uint8Array(file.buffer, file.byteOffset, file.length);
}
