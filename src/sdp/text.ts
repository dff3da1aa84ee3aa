import { parse, write } from "sdp-transform";
import type { MediaDescription, SessionDescription } from "./description.ts";
import { type DescriptionLimits, descriptionLimits } from "./limits.ts";
import { writePlain } from "./plain.ts";

/** Why octets are no description we take: 400 when they are no SDP at all, else 488. */
export interface BadDescription {
  readonly why: string;
  readonly status: 400 | 488;
}

const decoder = new TextDecoder("utf-8");
const encoder = new TextEncoder();

/** Reads a description (RFC 4566), or says what is wrong with it. Numbers are in range, counts are within the limits. */
export function readDescription(
  body: Uint8Array | string,
  limits: DescriptionLimits = descriptionLimits,
): SessionDescription | BadDescription {
  if (body.length > limits.octets) return { why: "description too large", status: 488 };
  const text = typeof body === "string" ? body : decoder.decode(body);
  if (text.includes("\0")) return { why: "not SDP", status: 400 };
  const lines = linesOf(text, limits.lineOctets);
  if (lines[0] !== "v=0") return { why: "no v=0", status: 400 };
  if (!lines.every(isLine)) return { why: "not SDP", status: 400 };
  const why = countFault(lines, limits) ?? lineFault(lines);
  if (why !== undefined) return { why, status: 488 };
  const description = parse(`${lines.join("\r\n")}\r\n`);
  const fault = description.media.map(mediaFault).find((found) => found !== undefined);
  if (!description.origin || fault !== undefined) return { why: fault ?? "no o=", status: 488 };
  if (description.media.some(isUnnamed)) return { why: "a dynamic payload number without rtpmap", status: 400 };
  for (const media of description.media) settle(media);
  return description;
}

/** Lines that end with CRLF, CR or LF, without empty and too long ones. */
function linesOf(text: string, most: number): string[] {
  const lines = text.includes("\r\n") && !/\r(?!\n)|[^\r]\n/.test(text) ? text.split("\r\n") : text.split(/\r\n|\r|\n/);
  const kept = lines.filter((line) => line !== "" && line.length <= most);
  // A number of ports in m= (RFC 4566 §5.14) is for layered codecs: we use the first.
  return text.includes("\nm=") ? kept.map((line) => line.startsWith("m=") ? firstPort(line) : line) : kept;
}

function firstPort(line: string): string {
  return line.replace(/^(m=\S+ +\d+)\/\d+ /, "$1 ");
}

function isLine(line: string): boolean {
  const type = line.charCodeAt(0);
  return type >= 97 && type <= 122 && line.charCodeAt(1) === 61;
}

/** The octets of a description. */
export function writeDescription(description: SessionDescription): Uint8Array {
  // The library goes through its whole grammar for each line; a call has two descriptions, and they hold little.
  return encoder.encode(writePlain(description) ?? write(description));
}

function countFault(lines: readonly string[], limits: DescriptionLimits): string | undefined {
  let media = 0;
  let attributes = 0;
  let candidates = 0;
  let crypto = 0;
  for (const line of lines) {
    if (line.startsWith("m=")) {
      media++;
      attributes = candidates = crypto = 0;
      if (line.split(" ").length - 3 > limits.formats) return "too many formats";
    } else if (line.startsWith("a=")) {
      attributes++;
      if (line.startsWith("a=candidate:")) candidates++;
      else if (line.startsWith("a=crypto:")) crypto++;
    }
    if (media > limits.media) return "too many m-lines";
    if (attributes > limits.attributes) return "too many attributes";
    if (candidates > limits.candidates) return "too many candidates";
    if (crypto > limits.cryptoLines) return "too many crypto lines";
  }
  return undefined;
}

/** Lines that the parser would pass over in silence. */
function lineFault(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    if (line.startsWith("m=") && !/^m=[A-Za-z0-9_-]+ +\d{1,5}(?:\/\d{1,5})? +[A-Za-z0-9_/-]+(?: |$)/.test(line)) {
      return "m-line is unreadable";
    }
    if (line.startsWith("c=") && !/^c=IN IP[46] [0-9A-Za-z.:/_-]+$/.test(line)) return "c-line is unreadable";
  }
  return undefined;
}

function mediaFault(media: MediaDescription): string | undefined {
  if (!media.type || !media.protocol) return "m-line is unreadable";
  if (!Number.isInteger(media.port) || media.port < 0 || media.port > 65_535) return "port out of range";
  if (media.rtp.some(({ payload }) => !Number.isInteger(payload) || payload < 0 || payload > 127)) {
    return "payload number out of range";
  }
  return undefined;
}

/** A dynamic payload number means nothing without its rtpmap (RFC 3551 §6). */
function isUnnamed(media: MediaDescription): boolean {
  if (!media.port || !String(media.protocol).includes("RTP/")) return false;
  const numbers = String(media.payloads ?? "").split(" ").filter((text) => /^\d+$/.test(text)).map(Number);
  return numbers.some((number) => number >= 96 && number <= 127 && !media.rtp.some((line) => line.payload === number));
}

/** The parser turns whatever looks like a number into one; these are text. */
function settle(media: MediaDescription): void {
  if (media.payloads !== undefined) media.payloads = String(media.payloads).trim().replace(/ +/g, " ");
  for (const line of media.fmtp) line.config = String(line.config);
  if (media.mid !== undefined) media.mid = String(media.mid);
}
