import type { SipMessage } from "../message/message.ts";

export const SDP = "application/sdp";

/** The session description a message carries, alone or as the first such part of a multipart; undefined without one. */
export function descriptionOf(message: SipMessage): Uint8Array | undefined {
  if (message.body.length === 0) return undefined;
  const type = message.headers.get("Content-Type");
  if (!type) return undefined;
  const token = type.token.toLowerCase();
  if (token === SDP) return message.body;
  if (!token.startsWith("multipart/")) return undefined;
  const boundary = type.params.get("boundary");
  const parts = boundary ? partsOf(message.body, boundary) : undefined;
  return parts?.find((p) => p.type === SDP && p.body.length > 0)?.body;
}

/** One part of a multipart body. */
export interface BodyPart {
  readonly type: string; // lower case, without parameters; "text/plain" when absent
  readonly disposition: string; // header value, "" when absent
  readonly body: Uint8Array;
}

const MOST_PARTS = 16;

/** Parts of a multipart body (RFC 2046 §5.1), at most 16; undefined when there is no boundary in it or there are more. */
export function partsOf(body: Uint8Array, boundary: string): readonly BodyPart[] | undefined {
  if (boundary.length === 0 || boundary.length > 70) return undefined;
  // latin1 keeps one character per octet, so offsets in the text are offsets in the body.
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  const mark = `--${boundary}`;
  const parts: BodyPart[] = [];
  let at = text.startsWith(mark) ? 0 : text.indexOf(`\r\n${mark}`);
  if (at < 0) return undefined;
  if (at > 0) at += 2;
  while (!text.startsWith("--", at + mark.length)) {
    const start = text.indexOf("\r\n", at);
    const end = start < 0 ? -1 : text.indexOf(`\r\n${mark}`, start);
    if (end < 0 || parts.length >= MOST_PARTS) return undefined;
    const split = text.indexOf("\r\n\r\n", start);
    const headerEnd = split < 0 || split > end ? end : split;
    const header = (name: string) =>
      text.slice(start + 2, headerEnd).split("\r\n").find((l) => l.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1).trim() ?? "";
    parts.push({
      type: header("content-type").split(";", 1)[0]?.trim().toLowerCase() || "text/plain",
      disposition: header("content-disposition"),
      body: split < 0 || split > end ? new Uint8Array(0) : body.subarray(split + 4, end),
    });
    at = end + 2;
  }
  return parts;
}
