// One message as text for a human.
import type { Observation } from "../../kernel/stages.ts";
import type { Peeked } from "../../sip/message/peek.ts";

/** The lines of the entry as Asterisk's administrators know it. */
export function entryLines(
  { direction, bytes, flow }: Observation,
  text: string,
  seen: Peeked,
  mask: boolean,
): readonly string[] {
  const verb = direction === "in" ? "Received" : "Transmitting";
  const way = direction === "in" ? "from" : "to";
  const host = flow.remote.host.includes(":") ? `[${flow.remote.host}]` : flow.remote.host;
  const peer = `${flow.protocol.toUpperCase()}:${host}:${flow.remote.port}`;
  if (seen.kind === "junk") return [`Unparsable packet (${bytes.length} bytes) ${way} ${peer}`];
  const shown = mask ? text.replace(/\b(response|cnonce)=("[^"]*"|[^,\s]+)/gi, "$1=***") : text;
  const lines = printable(shown).replace(/\n+$/, "").split("\n");
  return [`<--- ${verb} SIP ${seen.kind} (${bytes.length} bytes) ${way} ${peer} --->`, ...lines, ""];
}

/** CRLF as LF; what is no text of one line as \xNN. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what must not reach a terminal
  return text.replaceAll("\r\n", "\n").replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, escape)
    .replace(/[\udc80-\udcff]/g, (unit) => `\\x${(unit.charCodeAt(0) - 0xdc00).toString(16)}`);
}

const escape = (unit: string) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`;
