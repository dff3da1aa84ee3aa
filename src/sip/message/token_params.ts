import type { TokenParams } from "./headers.ts";
import { parseParams, writeParams } from "./params.ts";

/** `application/sdp;charset=utf-8`, `1800;refresher=uac`, `Q.850;cause=16`: a word, perhaps with a slash, and parameters. */
export function parseTokenParams(text: string): TokenParams | undefined {
  const semicolon = text.indexOf(";");
  const end = semicolon < 0 ? text.length : semicolon;
  const token = text.slice(0, end).replace(/[ \t]/g, "");
  const params = parseParams(text, end);
  return params && /^[!%'*+\-./0-9A-Z_`a-z~]+$/.test(token) ? { token, params } : undefined;
}

export function writeTokenParams(value: TokenParams): string {
  return value.token + writeParams(value.params);
}
