import { type IpNetwork, parseNetwork } from "../../kernel/network.ts";

/** One entry of `match`. `port` absent: any. */
export type Match =
  | { readonly kind: "network"; readonly network: IpNetwork; readonly port: number | undefined }
  | { readonly kind: "name"; readonly host: string; readonly port: number | undefined };

const PORT = /^[0-9]{1,5}$/;
const NAME = /^(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/;

/** `192.0.2.5:5062`, `[2001:db8::1]:5062`, `192.0.2.0:5061/24`, `sip.example.org`; undefined when it is none of these. */
export function parseMatch(text: string): Match | undefined {
  const [, bracketed, digits, mask = ""] = /^\[([^\]]*)\](?::([^/]*))?(\/.*)?$/.exec(text) ?? [];
  if (bracketed !== undefined) return networkMatch(bracketed + mask, digits);
  const plain = parseNetwork(text);
  if (plain) return { kind: "network", network: plain, port: undefined };
  const [, host = "", port, suffix = ""] = /^([^:/]+)(?::([^/]*))?(\/.*)?$/.exec(text) ?? [];
  if (/^[0-9.]+$/.test(host)) return networkMatch(host + suffix, port);
  const number = portOf(port);
  return NAME.test(host) && suffix === "" && number !== "wrong" ? { kind: "name", host, port: number } : undefined;
}

function networkMatch(text: string, digits: string | undefined): Match | undefined {
  const network = parseNetwork(text);
  const port = portOf(digits);
  return network && port !== "wrong" ? { kind: "network", network, port } : undefined;
}

function portOf(digits: string | undefined): number | undefined | "wrong" {
  if (digits === undefined) return undefined;
  const port = PORT.test(digits) ? Number(digits) : 0;
  return port >= 1 && port <= 65_535 ? port : "wrong";
}

/** A text to be equal to, or a pattern between slashes. */
export type TextTest = (text: string) => boolean;

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "A-Fa-f0-9",
};

/** Attackers choose the text a pattern runs on: a longer one does not match. */
const MOST_CHARACTERS = 4096;

/** `/regex/`, unanchored, or a literal; `//` is the empty literal. A string says what is wrong with the pattern. */
export function parseTextTest(text: string): TextTest | string {
  if (!/^\/.*\/$/s.test(text) || text.length < 2) return (value) => value === text;
  if (text === "//") return (value) => value === "";
  try {
    const pattern = new RegExp(text.slice(1, -1).replace(/\[:([a-z]+):\]/g, (all, name) => CLASSES[name] ?? all));
    return (value) => value.length <= MOST_CHARACTERS && pattern.test(value);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `Name: value` or `Name: /regex/`. */
export function parseHeaderTest(text: string): { readonly name: string; readonly test: TextTest } | string {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(colon, 0)).trim();
  if (name === "") return 'expected "Name: value" or "Name: /regex/"';
  const test = parseTextTest(text.slice(colon + 1).trim());
  return typeof test === "string" ? test : { name, test };
}
