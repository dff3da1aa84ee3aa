// Schemas of options as operators write them. Each accepts what an Asterisk administrator would write, and says in its
// fault what it expected.
import { isIP } from "node:net";
import * as v from "valibot";

/** What a reference points to: objects of a type, or names that a module declares with `names`. */
export interface ReferenceMark {
  readonly reference: string;
  /** Also a comma list in one string. */
  readonly list: boolean;
}

/** `"20s"`, `"500ms"`, `"2m"`, `"1h"`, `"1d"`, or a bare number in the option's own unit. */
function duration(unit: "s" | "ms", fallback: number) {
  const scale = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  const word = unit === "s" ? "seconds" : "milliseconds";
  const expected = `a duration: a number of ${word} or text such as "${unit === "s" ? "20s" : "500ms"}"`;
  const schema = v.pipe(
    v.union([v.number(), v.string()]),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const [, digits, suffix] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(String(dataset.value).trim()) ?? [];
      if (digits === undefined) {
        addIssue({ message: `expected ${expected}, found ${JSON.stringify(dataset.value)}` });
        return NEVER;
      }
      const key = suffix === "ms" || suffix === "s" || suffix === "m" || suffix === "h" || suffix === "d"
        ? suffix
        : unit;
      const value = Number(digits) * scale[key] / scale[unit];
      if (value <= 2 ** 31 - 1) return value;
      addIssue({ message: `expected ${expected} below 2^31, found ${JSON.stringify(dataset.value)}` });
      return NEVER;
    }),
  );
  return v.optional(schema, fallback);
}

/** A duration in seconds, with its default. */
export const seconds = (fallback: number) => duration("s", fallback);
/** A duration in milliseconds, with its default. */
export const milliseconds = (fallback: number) => duration("ms", fallback);

/** true, false, and the yes/no of Asterisk. */
export const bool = (fallback: boolean) =>
  v.optional(
    v.pipe(
      v.union([v.boolean(), v.picklist(["yes", "no"])]),
      v.transform((value) => value === true || value === "yes"),
    ),
    fallback,
  );

/** A whole number within bounds, with its default. */
export const integer = (fallback: number, min: number, max: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), fallback);

/** A port to listen on or to send to; 0 lets the system choose. */
export const port = (fallback: number) => integer(fallback, 0, 65535);

const message = (expected: string) => (issue: { readonly received: string }) =>
  `expected ${expected}, found ${issue.received}`;

function isNetwork(text: string): boolean {
  const [address = "", mask, more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more !== undefined) return false;
  if (mask === undefined) return true;
  if (version === 4 && isIP(mask) === 4) return true; // 192.0.2.0/255.255.255.0
  return /^\d{1,3}$/.test(mask) && Number(mask) <= (version === 4 ? 32 : 128);
}

/** An IP address or a network: "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". */
export const cidr = () =>
  v.pipe(v.string(), v.check(isNetwork, message('an address or network such as "192.0.2.0/24"')));

/** An IP address literal. */
export const ipAddress = () =>
  v.pipe(v.string(), v.check((text) => isIP(text) !== 0, message('an IP address such as "192.0.2.1"')));

/** A password, key or token. Never shown; may be written `{ "env": name }` or `{ "file": path }`. */
export const secret = () => v.pipe(v.string(), v.metadata({ secret: true }));

/** The id of an object, or a name, that must exist: `reference("aor")`. */
export const reference = (type: string) =>
  v.pipe(v.string(), v.metadata({ reference: { reference: type, list: false } satisfies ReferenceMark }));

/** A list of such ids: an array, or as Asterisk writes it, one string with commas. */
export const references = (type: string) => {
  const mark: ReferenceMark = { reference: type, list: true };
  return v.optional(
    v.pipe(
      v.union([v.array(v.string()), v.string()]),
      v.metadata({ reference: mark }),
      v.transform((value) => typeof value === "string" ? splitList(value) : value),
    ),
    [],
  );
};

/** A list of words: an array, or one string with commas. */
export const words = (fallback: readonly string[] = []) =>
  v.optional(
    v.pipe(
      v.union([v.array(v.string()), v.string()]),
      v.transform((value) => typeof value === "string" ? splitList(value) : value),
    ),
    [...fallback],
  );

/** The elements of a comma list. */
export function splitList(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}
