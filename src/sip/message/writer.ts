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
  if (!head.isWellFormed()) return withBody(encodeText(head), message.body);
  if (message.body.length === 0) return Buffer.from(head);
  const octets = Buffer.byteLength(head);
  const out = Buffer.allocUnsafe(octets + message.body.length);
  out.write(head, 0, octets, octets === head.length ? "latin1" : "utf8");
  out.set(message.body, octets);
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
