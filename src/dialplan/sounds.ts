import type { AudioClip } from "../kernel/media.ts";
import { DialplanError, type DialplanHost } from "../kernel/dialplan.ts";
import type { Sounds } from "./application.ts";
import { readClip } from "./clip.ts";

const ENDINGS = ["", ".wav", ".sln16", ".sln", ".ulaw", ".alaw"];
const LARGEST = 64 * 1024 * 1024; // octets of a file

/** Sounds of a folder; "demo" and "melody" are ours and need no file. */
export function soundsIn(
  folder: string,
  musicOnHold: string | undefined,
  files: DialplanHost["world"]["files"],
): Sounds {
  const own = new Map<string, AudioClip>();
  const carried = (name: string): AudioClip | undefined => {
    if (name !== "demo" && name !== "melody") return undefined;
    const made = own.get(name) ?? (name === "demo" ? play(chime, 0.22) : play(melody, 0.4));
    own.set(name, made);
    return made;
  };
  const clip = async (name: string): Promise<AudioClip> => {
    if (name === "" || name.includes("\0") || name.split(/[\\/]/).includes("..")) {
      throw new DialplanError(`${JSON.stringify(name)} is not the name of a sound`);
    }
    const path = name.startsWith("/") ? name : `${folder}/${name}`;
    for (const ending of ENDINGS) {
      const bytes = await files.read(path + ending);
      if (bytes === undefined) continue;
      if (bytes.length > LARGEST) throw new DialplanError(`${path}${ending} is larger than 64 MiB`);
      const found = readClip(path + ending, bytes);
      if (typeof found === "string") throw new DialplanError(`${path}${ending}: ${found}`);
      return found;
    }
    const ours = carried(name);
    if (ours === undefined) throw new DialplanError(`there is no sound "${name}" in ${folder}`);
    return ours;
  };
  return {
    clip,
    async music(name) {
      const wanted = name ?? musicOnHold;
      if (wanted === undefined || wanted === "" || wanted === "none") return undefined;
      return await clip(wanted === "default" ? musicOnHold ?? "melody" : wanted);
    },
  };
}

// Our own small pieces: semitones above A3 (220 Hz); undefined is a rest.
const chime = [12, 16, 19, 24, undefined, 19, 24, undefined];
const melody = [
  ...[3, 7, 10, 15, 10, 7, 3, 7, 10, 15, 10, 7],
  ...[0, 3, 7, 12, 7, 3, 0, 3, 7, 12, 7, 3],
  ...[8, 12, 15, 20, 15, 12, 8, 12, 15, 20, 15, 12],
  ...[10, 14, 17, 22, 17, 14, 10, 14, 17, 22, 17, undefined],
];

/** Plucked sines at 8 kHz, about -16 dBm0, each note decaying into the next. */
function play(notes: readonly (number | undefined)[], secondsPerNote: number): AudioClip {
  const rate = 8000;
  const length = Math.round(secondsPerNote * rate);
  const samples = new Int16Array(length * notes.length);
  notes.forEach((note, index) => {
    if (note === undefined) return;
    const step = 2 * Math.PI * 220 * 2 ** (note / 12) / rate;
    for (let at = 0; at < length; at++) {
      const rise = Math.min(1, at / 80);
      const fall = Math.min(1, (length - at) / 80);
      const decay = Math.exp(-2.5 * at / length);
      samples[index * length + at] = Math.round(5000 * rise * fall * decay * Math.sin(step * at));
    }
  });
  return { samples, sampleRate: rate };
}
