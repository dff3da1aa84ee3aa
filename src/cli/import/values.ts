// Texts of Asterisk's files become values that a schema takes.
import * as v from "valibot";
import type { AnySchema } from "../../kernel/validation.ts";

/** A value the schema takes, or why it takes none. */
export type Fitted = { readonly value: unknown } | { readonly why: string };

const yes = new Set(["yes", "true", "y", "t", "1", "on"]);
const no = new Set(["no", "false", "n", "f", "0", "off"]);

/** Asterisk's yes and no; undefined for any other word. */
export function readBool(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  return yes.has(word) ? true : no.has(word) ? false : undefined;
}

/** DSCP names as a TOS octet. */
function tosOctet(text: string): number | undefined {
  const word = text.trim().toLowerCase();
  const [, kind, first = "", second = ""] = /^(cs|af)(\d)(\d?)$/.exec(word) ?? [];
  if (word === "ef") return 46 << 2;
  if (/^0x[0-9a-f]{1,2}$/.test(word)) return Number(word);
  if (kind === "cs" && second === "" && Number(first) <= 7) return Number(first) << 5;
  if (kind !== "af" || !/^[1-4]$/.test(first) || !/^[1-3]$/.test(second)) return undefined;
  return (Number(first) * 8 + Number(second) * 2) << 2;
}

/** The first spelling of one text that the schema takes as it is. */
export function fit(schema: AnySchema, text: string, name = ""): Fitted {
  const flag = readBool(text);
  const spellings: unknown[] = [];
  if (/^-?\d+(\.\d+)?$/.test(text)) spellings.push(Number(text));
  if (flag !== undefined) spellings.push(flag);
  spellings.push(text);
  if (flag !== undefined) spellings.push(flag ? "yes" : "no");
  spellings.push(text.toLowerCase(), text.toLowerCase().replaceAll("-", "_"));
  const octet = /^(tos|cos)/i.test(name) ? tosOctet(text) : undefined;
  if (octet !== undefined) spellings.push(octet);
  return firstThatFits(schema, spellings);
}

/** Several lines of one name: a list where the schema takes one, else undefined. */
export function fitList(schema: AnySchema, texts: readonly string[], commas = true): Fitted | undefined {
  const items = texts.flatMap((text) => commas ? text.split(",") : [text]).map((text) => text.trim()).filter((text) =>
    text !== ""
  );
  if (v.safeParse(schema, []).success) return firstThatFits(schema, [items]);
  return undefined;
}

function firstThatFits(schema: AnySchema, spellings: readonly unknown[]): Fitted {
  let why = "";
  for (const value of spellings) {
    const result = v.safeParse(schema, value);
    if (result.success) return { value };
    why ||= result.issues[0].message.replace(/, (found|received) .*$/is, "").replace(/^Invalid \w+: /, "");
  }
  return { why: why === "" ? "this value is not valid" : why };
}
