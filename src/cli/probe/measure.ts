// Listens like a person with a meter: which tone is strongest, how loud, and was there sound at all.

const FULL_SCALE_DBM0 = 3.14;

export interface Finding {
  /** Strongest component in 200 to 3,400 Hz; 0 when there is none. */
  readonly frequencyHz: number;
  /** Its level; -Infinity for silence. */
  readonly levelDbm0: number;
  /** Level of everything together. */
  readonly totalDbm0: number;
  readonly seconds: number;
}

/** Measures the loudest half second (or all, when there is less). */
export function measure(samples: Int16Array, sampleRate: number): Finding {
  const seconds = samples.length / sampleRate;
  const window = loudest(samples, sampleRate / 2);
  const totalDbm0 = decibels(rms(window) * Math.SQRT2);
  if (window.length < sampleRate / 20 || totalDbm0 < -70) {
    return { frequencyHz: 0, levelDbm0: -Infinity, totalDbm0, seconds };
  }
  const tapered = hann(window);
  let best = { frequency: 0, peak: 0 };
  const look = (from: number, to: number, step: number) => {
    for (let frequency = from; frequency <= to; frequency += step) {
      const peak = peakAt(tapered, frequency, sampleRate);
      if (peak > best.peak) best = { frequency, peak };
    }
  };
  const coarse = Math.max(1, sampleRate / window.length);
  look(200, 3400, coarse);
  const around = best.frequency;
  look(around - coarse, around + coarse, coarse / 10);
  return { frequencyHz: best.frequency, levelDbm0: decibels(best.peak), totalDbm0, seconds };
}

/** Amplitude of the sine at `frequency` in samples that were tapered with `hann` (Goertzel). */
function peakAt(tapered: Float64Array, frequency: number, sampleRate: number): number {
  const coefficient = 2 * Math.cos(2 * Math.PI * frequency / sampleRate);
  let before = 0;
  let last = 0;
  for (const sample of tapered) {
    const now = sample + coefficient * last - before;
    before = last;
    last = now;
  }
  const power = last * last + before * before - coefficient * last * before;
  return 4 * Math.sqrt(Math.max(0, power)) / tapered.length; // the taper halves the amplitude
}

const hann = (samples: Int16Array): Float64Array =>
  Float64Array.from(samples, (x, i) => x * (0.5 - 0.5 * Math.cos(2 * Math.PI * (i + 0.5) / samples.length)));

const rms = (samples: Int16Array): number =>
  samples.length === 0 ? 0 : Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);

const decibels = (peak: number): number => 20 * Math.log10(peak / 32767) + FULL_SCALE_DBM0;

function loudest(samples: Int16Array, length: number): Int16Array {
  if (samples.length <= length) return samples;
  let best = samples.subarray(0, length);
  let most = -1;
  for (let at = 0; at + length <= samples.length; at += Math.floor(length / 4)) {
    const window = samples.subarray(at, at + length);
    const level = rms(window);
    if (level > most * 1.05) {
      most = level;
      best = window;
    }
  }
  return best;
}
