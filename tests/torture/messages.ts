import { readdirSync, readFileSync } from "node:fs";
import { torture } from "./expected.ts";

export interface TortureMessage {
  readonly name: string; // "rfc4475/wsinv"
  readonly bytes: Uint8Array;
}

/** The messages on disk, all of them: one without an expectation is an error. */
export function tortureMessages(): readonly TortureMessage[] {
  return ["rfc4475", "rfc5118"].flatMap((folder) =>
    readdirSync(`${import.meta.dir}/${folder}`).sort().map((file) => {
      const name = `${folder}/${file.replace(/\.dat$/, "")}`;
      if (!torture[name]) throw new Error(`no expectation for ${name}`);
      return { name, bytes: new Uint8Array(readFileSync(`${import.meta.dir}/${folder}/${file}`)) };
    })
  );
}
