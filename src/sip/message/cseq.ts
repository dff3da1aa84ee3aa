import type { CSeq } from "./headers.ts";
import { parseInteger } from "./integer.ts";
import { isToken, trimLws } from "./params.ts";

/** `7 INVITE`; the number is below 2^31 (RFC 3261 §8.1.1.5). */
export function parseCSeq(text: string): CSeq | undefined {
  const gap = text.search(/[ \t]/);
  if (gap < 0) return undefined;
  const number = parseInteger(text.slice(0, gap));
  const method = trimLws(text.slice(gap));
  return number === undefined || !isToken(method) ? undefined : { number, method };
}

export function writeCSeq(cseq: CSeq): string {
  return `${cseq.number} ${cseq.method}`;
}
