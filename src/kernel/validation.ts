import * as v from "valibot";
import { suggestion } from "./nearest.ts";
import { isSecretAt, keysAt, unknownKeysIn, wordsAt } from "./schema_walk.ts";

/** A schema of any value. */
export type AnySchema = v.GenericSchema<unknown, unknown>;

/** One thing that is wrong in a value. */
export interface ValueFault {
  readonly path: readonly string[];
  readonly message: string;
  /** The key is wrong, not the value. */
  readonly atKey: boolean;
}

/** A value as its schema gives it, or all that is wrong. */
export type Validated =
  | { readonly kind: "valid"; readonly output: unknown }
  | { readonly kind: "invalid"; readonly faults: readonly ValueFault[] };

/** The entries of a plain object schema. */
export function entriesOf(schema: AnySchema): v.ObjectEntries | undefined {
  if (!("entries" in schema) || typeof schema.entries !== "object" || schema.entries === null) return undefined;
  return schema.entries as v.ObjectEntries; // valibot's object schemas have `entries`, nothing else does
}

/** Every fault of a value, in words, each with the nearest valid name. `unknownKey` may say more of a key nobody knows. */
export function validate(
  schema: AnySchema,
  value: unknown,
  unknownKey: (key: string, path: readonly string[]) => string | undefined = () => undefined,
): Validated {
  const faults = unknownKeysIn(schema, value).map((path): ValueFault => {
    const [key = "", parent] = [path.at(-1), path.slice(0, -1)];
    const message = unknownKey(key, parent) ?? `unknown key "${key}"${suggestion(key, keysAt(schema, parent))}`;
    return { path, message, atKey: true };
  });
  const result = v.safeParse(schema, value);
  for (const issue of result.issues ?? []) faults.push(...issueFaults(schema, issue, []));
  if (!result.success && faults.length === 0) {
    faults.push({ path: [], message: result.issues[0].message, atKey: false });
  }
  return result.success && faults.length === 0 ? { kind: "valid", output: result.output } : { kind: "invalid", faults };
}

type Issue = v.BaseIssue<unknown>;

function issueFaults(schema: AnySchema, issue: Issue, above: readonly string[]): ValueFault[] {
  const path = [...above, ...(issue.path ?? []).map((item) => String(item.key))];
  const parent = path.slice(0, -1);
  const last = path.at(-1) ?? "";
  if (issue.type === "strict_object" && issue.expected === "never") return []; // found by its own walk
  if (issue.kind === "schema" && issue.path?.at(-1)?.origin === "key" && issue.received === "undefined") {
    return [{ path: parent, message: `"${last}" is missing`, atKey: false }];
  }
  // One branch of a union fits better than "expected string | object": the one that looked into the value.
  const deepest = issue.issues?.toSorted((a, b) => (b.path?.length ?? 0) - (a.path?.length ?? 0))[0];
  if (deepest?.path) return issueFaults(schema, deepest, path);
  return [{ path, message: describe(schema, issue, path), atKey: false }];
}

function describe(schema: AnySchema, issue: Issue, path: readonly string[]): string {
  if (!issue.message.startsWith("Invalid ")) return issue.message;
  const received = isSecretAt(schema, path) ? "another value" : issue.received;
  if (issue.expected === null) return `this value is not valid, found ${received}`;
  const text = typeof issue.input === "string" ? suggestion(issue.input, wordsAt(schema, path)) : "";
  const plain = text.startsWith("; did") ? text : "";
  return `expected ${kindName(issue.expected)}, found ${received}${plain}`;
}

function kindName(expected: string): string {
  const names: Record<string, string> = { Object: "an object in {}", Array: "a list in []", string: "text in quotes" };
  return names[expected] ?? expected.replaceAll("boolean", "true | false").replace(/^\((.*)\)$/, "$1");
}
