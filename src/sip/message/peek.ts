// What a message is, read from its text without the parser: also what is no SIP is looked at.

export interface Peeked {
  readonly kind: "request" | "response" | "junk";
  /** Of a response: that of its CSeq. */
  readonly method: string | undefined;
}

export function peek(text: string): Peeked {
  const [, cseq] = /\r?\ncseq[ \t]*:[ \t]*\d+[ \t]+([!-~]+)/i.exec(text) ?? [];
  if (/^SIP\/2\.0 \d{3}/i.test(text)) return { kind: "response", method: cseq };
  const [, method] = /^([!-~]{1,64}) [^\r\n]+ SIP\/\d\.\d\r?\n/i.exec(text) ?? [];
  return method === undefined ? { kind: "junk", method: undefined } : { kind: "request", method };
}

/** The Call-ID of a message; undefined when there is none. */
export function peekCallId(text: string): string | undefined {
  return /\r?\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)/i.exec(text)?.[1]?.trim();
}
