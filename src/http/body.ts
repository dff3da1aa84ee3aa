// The body of a request: read up to a limit, then parsed with a limit on its depth.

export const MAX_OCTETS = 256 * 1024;
const MAX_DEPTH = 32;

/** Undefined when it is longer than `maxOctets`; then the rest is not read. */
export async function readBody(request: Request, maxOctets = MAX_OCTETS): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > maxOctets) return undefined;
  if (!request.body) return "";
  const parts: Uint8Array[] = [];
  let octets = 0;
  for await (const part of request.body) {
    octets += part.length;
    if (octets > maxOctets) return undefined;
    parts.push(part);
  }
  return new TextDecoder().decode(Buffer.concat(parts));
}

/** The value, or what is wrong with the text. */
export function parseJson(text: string): { readonly value: unknown } | { readonly fault: string } {
  if (text.trim() === "") return { value: {} };
  if (depthOf(text) > MAX_DEPTH) return { fault: `the body is nested more than ${MAX_DEPTH} deep` };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: `the body is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Deepest nesting of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text[at];
    if (quoted) {
      if (code === "\\") at++;
      else if (code === '"') quoted = false;
    } else if (code === '"') quoted = true;
    else if (code === "{" || code === "[") deepest = Math.max(deepest, ++depth);
    else if (code === "}" || code === "]") depth--;
  }
  return deepest;
}
