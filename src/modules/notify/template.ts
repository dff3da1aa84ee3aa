// What a NOTIFY says: header lines and a body, from a template or given directly.

/** As written: `["Event", "check-sync"]`, in order. `Content` and `Content-type` make the body. */
export type Lines = readonly (readonly [name: string, value: string])[];

export interface Content {
  readonly headers: Lines;
  readonly body: { readonly type: string; readonly bytes: Uint8Array } | undefined;
}

/** The dialog and the way are ours to say. */
const RESERVED = new Set([
  ...["call-id", "contact", "cseq", "to", "from", "record-route", "route", "request-uri", "via"],
  ...["i", "m", "t", "f", "v"],
]);
const TOKEN = /^[!%'*+\-.0-9A-Z_`a-z~]+$/;

/** What is wrong with a line as such; undefined: nothing. */
export function lineFault([name, value]: readonly [string, string]): string | undefined {
  if (!TOKEN.test(name)) return `${JSON.stringify(name)} is no header name`;
  return /[\0\r\n]/.test(value) ? `the value of ${name} has a line end in it` : undefined;
}

/** Headers in order and the body; `warnings`: lines that are left out, and why. */
export function contentOf(lines: Lines): Content & { readonly warnings: readonly string[] } {
  const headers: (readonly [string, string])[] = [];
  const text: string[] = [];
  const warnings: string[] = [];
  let type: string | undefined;
  let event = false;
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    if (key === "content") text.push(value);
    else if (key === "content-type" || key === "c") type = value;
    else if (key === "content-length" || key === "l") continue;
    else if (RESERVED.has(key)) warnings.push(`${name} cannot be set`);
    else if ((key === "event" || key === "o") && event) warnings.push("there is one Event already");
    else {
      event ||= key === "event" || key === "o";
      headers.push([name, value]);
    }
  }
  if (text.length > 0 && type === undefined) warnings.push("Content without Content-type is not sent");
  const body = text.length === 0 || type === undefined
    ? undefined
    : { type, bytes: new TextEncoder().encode(text.join("\r\n")) };
  return { headers, body, warnings };
}
