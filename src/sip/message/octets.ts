// Text on the wire is UTF-8 (RFC 3261 §7), but peers send other octets too, and what we do not understand must leave as it
// came. An octet that is not UTF-8 becomes the lone surrogate U+DC00 + octet, and that becomes the octet again.

const encoder = new TextEncoder();

/** The same octets as a Buffer; sockets deliver them as one. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text of octets `start` to `end`; `encodeText` gives exactly the same octets back. */
export function decodeText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const text = bufferOf(bytes).toString("utf8", start, end);
  return text.includes("\uFFFD") ? decodeDamaged(bytes.subarray(start, end)) : text;
}

/** Octets of a text. */
export function encodeText(text: string): Uint8Array {
  return text.isWellFormed() ? encoder.encode(text) : encodeDamaged(text);
}

function decodeDamaged(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length); // no octet becomes more than one UTF-16 unit
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const octets = sequenceLength(bytes, at);
    if (octets === 0) {
      units[length++] = 0xdc00 + (bytes[at++] ?? 0);
      continue;
    }
    let code = octets === 1 ? bytes[at] ?? 0 : (bytes[at] ?? 0) & (0x7f >> octets);
    for (let next = 1; next < octets; next++) code = code << 6 | ((bytes[at + next] ?? 0) & 0x3f);
    if (code > 0xffff) {
      units[length++] = 0xd7c0 + (code >> 10); // both halves of a surrogate pair
      code = 0xdc00 + (code & 0x3ff);
    }
    units[length++] = code;
    at += octets;
  }
  return Buffer.from(units.buffer, 0, length * 2).toString("utf16le");
}

/** Octets of the well-formed UTF-8 sequence that starts at `at` (Unicode, table 3-7); 0: none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  const octets = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let next = 2; next < octets; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return octets;
}

function encodeDamaged(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 3);
  let length = 0;
  let whole = 0; // what is well-formed from here on is encoded in one piece
  for (let at = 0; at <= text.length; at++) {
    const unit = at < text.length ? text.charCodeAt(at) : 0xdc80;
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) at++;
    else if (unit >= 0xdc80 && unit <= 0xdcff) {
      if (at > whole) length += encoder.encodeInto(text.slice(whole, at), out.subarray(length)).written;
      if (at < text.length) out[length++] = unit - 0xdc00;
      whole = at + 1;
    }
  }
  return out.slice(0, length);
}
