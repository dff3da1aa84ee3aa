// The messages of a call as a ladder: who sent what, when.

export interface Rung {
  readonly atMs: number; // since the first one
  readonly direction: "out" | "in";
  readonly text: string; // "INVITE sip:601@192.0.2.4" or "200 OK (INVITE)"
}

/** One line a rung: time, arrow, message. Unprintable characters of a peer are shown as \xNN. */
export function writeLadder(rungs: readonly Rung[], us: string, them: string): string {
  const width = Math.max(40, ...rungs.map((r) => printable(r.text).length));
  const head = `${"".padEnd(10)}${us.padEnd(width)}  ${them}`;
  return [
    head,
    ...rungs.map((rung) => {
      const time = `${rung.atMs.toFixed(0).padStart(7)} ms`;
      const text = printable(rung.text).padEnd(width, " ");
      return rung.direction === "out" ? `${time}  ${text} -->` : `${time}  ${text} <--`;
    }),
  ].join("\n");
}

/** What a terminal may see of text from the wire. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
