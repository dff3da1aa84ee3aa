import type { SipHeaders } from "./headers.ts";
import type { SipMessage } from "./message.ts";
import { encodeText } from "./octets.ts";
import { writeUri } from "./uri.ts";

/** The octets of a message. Content-Length is always that of the body; lines nobody touched are as they came. */
export function writeMessage(message: SipMessage): Uint8Array {
  const start = message.kind === "request"
    ? `${message.method} ${writeUri(message.uri)} SIP/2.0\r\n`
    : `SIP/2.0 ${message.status} ${message.reason.replace(/[\r\n]/g, " ")}\r\n`;
  const head = start + writeHeaders(message.headers, message.body.length);
  const length = Buffer.byteLength(head);
  if (length !== head.length) return withBody(encodeText(head), message.body);
  const out = new Uint8Array(length + message.body.length);
  Buffer.from(out.buffer).write(head, "latin1"); // all ASCII: one octet a character
  out.set(message.body, length);
  return out;
}

function writeHeaders(headers: SipHeaders, bodyOctets: number): string {
  let text = "";
  let counted = false;
  for (const line of headers.lines()) {
    if (line.key !== "content-length") text += `${line.text}\r\n`;
    else if (!counted) {
      counted = true;
      text += contentLength(headers, line.text, bodyOctets);
    }
  }
  return counted ? `${text}\r\n` : `${text}Content-Length: ${bodyOctets}\r\n\r\n`;
}

function contentLength(headers: SipHeaders, received: string, bodyOctets: number): string {
  return headers.get("Content-Length") === bodyOctets ? `${received}\r\n` : `Content-Length: ${bodyOctets}\r\n`;
}

function withBody(head: Uint8Array, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + body.length);
  out.set(head);
  out.set(body, head.length);
  return out;
}
