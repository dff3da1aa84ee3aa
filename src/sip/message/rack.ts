import type { RAck } from "./headers.ts";
import { parseInteger } from "./integer.ts";
import { isToken } from "./params.ts";

/** `1 7 INVITE` (RFC 3262 §7.2). */
export function parseRAck(text: string): RAck | undefined {
  const [first = "", second = "", method = "", ...rest] = text.split(/[ \t]+/, 5);
  const rseq = parseInteger(first, 0xffff_ffff);
  const cseq = parseInteger(second);
  if (rseq === undefined || cseq === undefined || !isToken(method) || rest.length > 0) return undefined;
  return { rseq, cseq, method };
}

export function writeRAck(rack: RAck): string {
  return `${rack.rseq} ${rack.cseq} ${rack.method}`;
}
