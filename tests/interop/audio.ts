// Sound made and measured: WAV files in, frequency and level out.

export interface Sound {
  readonly samples: Int16Array; // mono
  readonly sampleRate: number;
}

/** A RIFF/WAVE file of mono s16le. */
export function writeWav(sound: Sound): Uint8Array {
  const octets = sound.samples.length * 2;
  const file = new DataView(new ArrayBuffer(44 + octets));
  const text = (at: number, value: string) => [...value].forEach((c, i) => file.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, 36 + octets, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true);
  file.setUint16(22, 1, true);
  file.setUint32(24, sound.sampleRate, true);
  file.setUint32(28, sound.sampleRate * 2, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, octets, true);
  sound.samples.forEach((sample, i) => file.setInt16(44 + i * 2, sample, true));
  return new Uint8Array(file.buffer);
}

/** Reads s16 WAV (first channel); a data length that the recorder never filled in means "to the end of the file". */
export function readWav(bytes: Uint8Array): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => new TextDecoder("latin1").decode(bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") throw new Error("not a WAV file");
  let channels = 1;
  let sampleRate = 8000;
  for (let at = 12; at + 8 <= bytes.length;) {
    const octets = view.getUint32(at + 4, true);
    if (tag(at) === "fmt ") {
      channels = view.getUint16(at + 10, true);
      sampleRate = view.getUint32(at + 12, true);
      if (view.getUint16(at + 22, true) !== 16) throw new Error("not 16 bits per sample");
    }
    if (tag(at) === "data") {
      const end = octets === 0 ? bytes.length : Math.min(bytes.length, at + 8 + octets);
      const samples = new Int16Array(Math.floor((end - at - 8) / 2 / channels));
      for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(at + 8 + i * 2 * channels, true);
      return { samples, sampleRate };
    }
    at += 8 + octets + (octets & 1);
  }
  return { samples: new Int16Array(0), sampleRate };
}

/** A sine of `frequency` Hz at `levelDbm0` (full scale is +3.14 dBm0). */
export function sine(frequency: number, seconds: number, levelDbm0: number, sampleRate = 8000): Sound {
  const peak = 32767 * 10 ** ((levelDbm0 - 3.14) / 20);
  const samples = Int16Array.from(
    { length: Math.round(seconds * sampleRate) },
    (_, i) => Math.round(peak * Math.sin(2 * Math.PI * frequency * i / sampleRate)),
  );
  return { samples, sampleRate };
}

/** Level in dBm0 of the component at `frequency` in `samples` (Goertzel over the whole stretch). */
export function levelAt(sound: Sound, frequency: number): number {
  const n = sound.samples.length;
  const w = 2 * Math.PI * frequency / sound.sampleRate;
  let re = 0;
  let im = 0;
  for (let i = 0; i < n; i++) {
    // Hann window: neighbours and the edges of the stretch do not leak in
    const x = (sound.samples[i] ?? 0) * (1 - Math.cos(2 * Math.PI * (i + 0.5) / n));
    re += x * Math.cos(w * i);
    im -= x * Math.sin(w * i);
  }
  const peak = 2 * Math.hypot(re, im) / n;
  return 20 * Math.log10(Math.max(peak, 1e-9) / 32767) + 3.14;
}

/** RMS level of everything, as dBm0 of a sine of the same power. */
export function level(sound: Sound): number {
  const power = sound.samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, sound.samples.length);
  return 10 * Math.log10(Math.max(power, 1e-9) / (32767 ** 2 / 2)) + 3.14;
}

/** The stretch from `from` to `to` seconds. */
export function stretch(sound: Sound, from: number, to: number): Sound {
  return {
    sampleRate: sound.sampleRate,
    samples: sound.samples.subarray(Math.round(from * sound.sampleRate), Math.round(to * sound.sampleRate)),
  };
}

/** The strongest frequency (Hz, found in half a second, refined over at most four) and its level. */
export function strongest(sound: Sound, low = 200, high = 3400): { frequency: number; levelDbm0: number } {
  const middle = sound.samples.length / sound.sampleRate / 2;
  const around = (seconds: number) => stretch(sound, Math.max(0, middle - seconds / 2), middle + seconds / 2);
  let best = { frequency: 0, levelDbm0: -Infinity };
  const search = (part: Sound, from: number, to: number, step: number) => {
    best = { frequency: 0, levelDbm0: -Infinity };
    for (let frequency = from; frequency <= to; frequency += step) {
      const levelDbm0 = levelAt(part, frequency);
      if (levelDbm0 > best.levelDbm0) best = { frequency, levelDbm0 };
    }
  };
  search(around(0.5), low, high, 2);
  search(around(4), best.frequency - 2, best.frequency + 2, 0.125);
  return best;
}

/** The longest stretch (seconds) below `dbm0`, in 20 ms steps: a gap one would hear. */
export function longestGap(sound: Sound, dbm0: number): number {
  const step = Math.round(sound.sampleRate / 50);
  let gap = 0;
  let longest = 0;
  for (let at = 0; at + step <= sound.samples.length; at += step) {
    gap = level({ sampleRate: sound.sampleRate, samples: sound.samples.subarray(at, at + step) }) < dbm0 ? gap + 1 : 0;
    longest = Math.max(longest, gap);
  }
  return longest * 0.02;
}
