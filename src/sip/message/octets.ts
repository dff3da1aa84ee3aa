// Text on the wire is UTF-8 (RFC 3261 §7), but peers send other octets too, and what we do not understand must leave as it
// came. An octet that is not UTF-8 becomes the lone surrogate U+DC00 + octet, and that becomes the octet again.

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Text of octets `start` to `end`; `encodeText` gives exactly the same octets back. */
export function decodeText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8", start, end);
  return text.includes("\uFFFD") ? decodeDamaged(bytes.subarray(start, end)) : text;
}

/** Octets of a text. */
export function encodeText(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const out = new Uint8Array(text.length * 3);
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) out[length++] = code - 0xdc00;
    else length += encoder.encodeInto(character, out.subarray(length)).written;
  }
  return out.slice(0, length);
}

function decodeDamaged(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const octets = sequenceLength(bytes[at] ?? 0);
    const character = octets === 1
      ? String.fromCharCode(bytes[at] ?? 0)
      : decodeSequence(bytes.subarray(at, at + octets));
    if (octets > 0 && character !== undefined) {
      text += character;
      at += octets;
    } else {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at++;
    }
  }
  return text;
}

/** Octets of the UTF-8 sequence that starts with this one; 0: none does. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function decodeSequence(bytes: Uint8Array): string | undefined {
  for (let at = 1; at < bytes.length; at++) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return undefined;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined; // overlong, a surrogate, or cut off
  }
}
