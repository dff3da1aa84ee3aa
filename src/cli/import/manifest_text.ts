// A manifest as text, with a note of what stands on which line.
import type { Manifest } from "./drafts.ts";

export interface ManifestText {
  readonly text: string;
  /** Path of the value on each line, from line 1. */
  readonly paths: readonly (readonly string[])[];
}

/** Keys and list items each on a line of their own; short lists of words stay on one. */
export function writeManifest(manifest: Manifest, head: readonly string[]): ManifestText {
  const lines: string[] = head.map((line) => `// ${line}`);
  const paths: (readonly string[])[] = head.map(() => []);
  const put = (line: string, path: readonly string[]) => {
    lines.push(line);
    paths.push(path);
  };
  const write = (value: unknown, path: readonly string[], before: string, after: string) => {
    const indent = "  ".repeat(path.length);
    const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
    const flat = JSON.stringify(value);
    if (entries.length === 0 || (Array.isArray(value) && flat.length + indent.length + before.length < 100)) {
      put(`${indent}${before}${flat}${after}`, path);
      return;
    }
    const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
    put(`${indent}${before}${open}`, path);
    entries.forEach(([key, child], at) => {
      const name = Array.isArray(value) ? "" : `${JSON.stringify(key)}: `;
      write(child, [...path, key], name, at + 1 < entries.length ? "," : "");
    });
    put(`${indent}${close}${after}`, path);
  };
  write(manifest, [], "", "");
  return { text: lines.join("\n") + "\n", paths };
}

/** Takes a value out of a manifest; false when nothing was there. */
export function removeAt(manifest: Manifest, path: readonly string[]): boolean {
  let value: unknown = manifest;
  for (const step of path.slice(0, -1)) {
    if (typeof value !== "object" || value === null) return false;
    value = (value as Record<string, unknown>)[step]; // an object or an array: both are read by key
  }
  const last = path.at(-1);
  if (last === undefined || typeof value !== "object" || value === null || !(last in value)) return false;
  if (Array.isArray(value)) value.splice(Number(last), 1);
  else delete (value as Record<string, unknown>)[last];
  return true;
}
