// Sound files as the player wants them: mono, 16 bit.
import type { AudioClip } from "../kernel/media.ts";

/** What the bytes of a file hold, by its name's ending; a string says why not. Never trusts a length in the file. */
export function readClip(name: string, bytes: Uint8Array): AudioClip | string {
  if (/\.(ulaw|ul|mu|pcm)$/i.test(name)) return { samples: Int16Array.from(bytes, decodeUlaw), sampleRate: 8000 };
  if (/\.(alaw|al)$/i.test(name)) return { samples: Int16Array.from(bytes, decodeAlaw), sampleRate: 8000 };
  const linear = /\.(?:sln|slin|raw)(8|16|48)?$/i.exec(name);
  if (linear) return rated(pcm(bytes, 1), { 8: 8000, 16: 16000, 48: 48000 }[linear[1] ?? "8"] ?? 8000);
  return readWav(bytes);
}

const rated = (samples: Int16Array, rate: number): AudioClip | string =>
  rate === 8000 || rate === 16000 || rate === 48000
    ? { samples, sampleRate: rate }
    : `a sample rate of ${rate} Hz; 8000, 16000 or 48000 are understood`;

function readWav(bytes: Uint8Array): AudioClip | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") return "no WAV file";
  let format: { code: number; channels: number; rate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (tag(at) === "fmt " && size >= 16 && start + 16 <= bytes.length) {
      const code = view.getUint16(start, true);
      format = {
        code: code === 0xfffe && size >= 26 && start + 26 <= bytes.length ? view.getUint16(start + 24, true) : code,
        channels: view.getUint16(start + 2, true),
        rate: view.getUint32(start + 4, true),
        bits: view.getUint16(start + 14, true),
      };
    }
    if (tag(at) === "data") return samplesOf(bytes.subarray(start, Math.min(start + size, bytes.length)), format);
    at = start + size + (size & 1);
  }
  return "a WAV file without data";
}

function samplesOf(
  data: Uint8Array,
  format: { code: number; channels: number; rate: number; bits: number } | undefined,
): AudioClip | string {
  if (format === undefined) return "a WAV file without its format";
  const { code, channels, rate, bits } = format;
  if (channels < 1 || channels > 2) return `${channels} channels; 1 or 2 are understood`;
  if (code === 1 && bits === 16) return rated(pcm(data, channels), rate);
  const decode = code === 7 && bits === 8 ? decodeUlaw : code === 6 && bits === 8 ? decodeAlaw : undefined;
  if (decode === undefined) return `WAV format ${code} with ${bits} bits; 16-bit PCM, µ-law and A-law are understood`;
  return rated(mono(Int16Array.from(data, decode), channels), rate);
}

function pcm(data: Uint8Array, channels: number): Int16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const all = Int16Array.from({ length: data.byteLength >> 1 }, (_, at) => view.getInt16(at * 2, true));
  return mono(all, channels);
}

function mono(samples: Int16Array, channels: number): Int16Array {
  if (channels === 1) return samples;
  return Int16Array.from(
    { length: samples.length >> 1 },
    (_, at) => ((samples[at * 2] ?? 0) + (samples[at * 2 + 1] ?? 0)) >> 1,
  );
}

/** ITU-T G.711 µ-law. */
function decodeUlaw(octet: number): number {
  const code = ~octet & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

/** ITU-T G.711 A-law. */
function decodeAlaw(octet: number): number {
  const code = octet ^ 0x55;
  const exponent = (code & 0x70) >> 4;
  const base = ((code & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? base : (base + 0x100) << (exponent - 1);
  return code & 0x80 ? magnitude : -magnitude;
}
