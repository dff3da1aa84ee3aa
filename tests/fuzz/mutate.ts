// Seeded mutations of SIP messages, and everything that reads a message run over them.
import { expect } from "bun:test";
import { Framing } from "../../src/sip/message/framing.ts";
import { headerKinds } from "../../src/sip/message/header_kinds.ts";
import type { TypedHeaders } from "../../src/sip/message/headers.ts";
import { parseMessage } from "../../src/sip/message/parser.ts";
import { writeMessage } from "../../src/sip/message/writer.ts";
import { tortureMessages } from "../torture/messages.ts";

/** mulberry32: the same numbers on every machine. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

export const messages = tortureMessages().map(({ bytes }) => bytes);
const names = Object.keys(headerKinds) as (keyof TypedHeaders)[]; // keys of a record of exactly these
const PIECES = [
  "\r\n",
  "\0",
  "\r",
  "\n",
  ";",
  ",",
  '"',
  "\\",
  "<",
  ">",
  "@",
  ":",
  "%00",
  "%",
  "[",
  "]",
  "=",
  " ",
  "\xff",
]
  .map((piece) => Buffer.from(piece, "latin1"));

/** Everything that reads a message, and what is read must be writable and readable again. */
export function exercise(bytes: Uint8Array): void {
  const message = parseMessage(bytes);
  new Framing().push(bytes);
  if (message.kind === "malformed") {
    if (message.reply) expect(parseReply(writeMessage(message.reply))).toBe(true);
    return;
  }
  for (const name of names) message.headers.all(name);
  const again = parseMessage(writeMessage(message));
  if (again.kind === "malformed") {
    throw new Error(`${again.why}: ${JSON.stringify(Buffer.from(bytes).toString("latin1"))}`);
  }
}

/** A reply repeats what was wrong with the request, but is still one message. */
function parseReply(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).indexOf("\r\n\r\n") === bytes.length - 4;
}

export function mutated(random: () => number): Uint8Array {
  const source = messages[random() % messages.length] ?? new Uint8Array();
  const bytes = Array.from(source);
  for (let change = random() % 8; change >= 0; change--) {
    const at = random() % (bytes.length + 1);
    const piece = PIECES[random() % PIECES.length] ?? [];
    switch (random() % 4) {
      case 0:
        bytes.splice(at, 1, random() & 255);
        break;
      case 1:
        bytes.splice(at, random() % 8);
        break;
      case 2:
        bytes.splice(at, 0, ...piece);
        break;
      default:
        bytes.splice(at, 0, ...bytes.slice(at, at + (random() % 40)));
    }
  }
  return new Uint8Array(bytes);
}
