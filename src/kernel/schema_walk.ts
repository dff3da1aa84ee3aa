// Looking into valibot schemas: which keys and words are valid at a place, which values are secrets or references.
import type * as v from "valibot";
import type { ReferenceMark } from "./schema.ts";

/** The parts of valibot's schemas that are looked at; each schema has some of them. */
interface Shape {
  readonly kind: string;
  readonly type: string;
  readonly entries?: Readonly<Record<string, Shape>>;
  readonly rest?: Shape;
  readonly wrapped?: Shape;
  readonly pipe?: readonly Shape[];
  readonly options?: readonly (Shape | string | number)[];
  readonly item?: Shape;
  readonly items?: readonly Shape[];
  readonly value?: unknown;
  readonly literal?: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

type AnySchema = v.GenericSchema<unknown, unknown>;

// valibot types schemas by what they parse; their fields are public and documented, but not in the general type.
const shape = (schema: AnySchema): Shape => schema as unknown as Shape;

const isShape = (value: unknown): value is Shape => typeof value === "object" && value !== null && "kind" in value;

// Schemas are constants: what they stand for is worked out once.
const known = new WeakMap<Shape, readonly Shape[]>();

/** The schema and all it stands for: what it wraps, the branches of unions. A pipe carries the fields of its head. */
function faces(schema: Shape): readonly Shape[] {
  const found = known.get(schema);
  if (found) return found;
  const all: Shape[] = [schema];
  if (isShape(schema.wrapped)) all.push(...faces(schema.wrapped));
  if (schema.type === "union" || schema.type === "variant" || schema.type === "intersect") {
    for (const option of schema.options ?? []) if (isShape(option)) all.push(...faces(option));
  }
  known.set(schema, all);
  return all;
}

function below(schema: Shape, step: string): Shape[] {
  const found: Shape[] = [];
  for (const face of faces(schema)) {
    const entry = face.entries && Object.hasOwn(face.entries, step) ? face.entries[step] : undefined;
    if (entry) found.push(entry);
    else if (isShape(face.rest)) found.push(face.rest);
    if (face.type === "record" && isShape(face.value)) found.push(face.value);
    if (isShape(face.item)) found.push(face.item);
    const item = face.items?.[Number(step)];
    if (item) found.push(item);
  }
  return found;
}

function at(schema: AnySchema, path: readonly string[]): Shape[] {
  let current = [shape(schema)];
  for (const step of path) current = current.flatMap((one) => below(one, step));
  return current.flatMap((one) => faces(one));
}

/** Valid keys of the object at `path`; empty when any key is valid, or it is none. */
export function keysAt(schema: AnySchema, path: readonly string[]): readonly string[] {
  return [...new Set(at(schema, path).flatMap((face) => Object.keys(face.entries ?? {})))];
}

/** Words the value at `path` may be. */
export function wordsAt(schema: AnySchema, path: readonly string[]): readonly string[] {
  return at(schema, path).flatMap((face) => {
    if (face.type === "literal") return [String(face.literal)];
    if (face.type !== "picklist" && face.type !== "enum") return [];
    return (face.options ?? []).filter((option) => typeof option === "string");
  });
}

/** Whether a value there must not be shown. */
export function isSecretAt(schema: AnySchema, path: readonly string[]): boolean {
  return at(schema, path).some((face) => marks(face).some((mark) => mark.secret === true));
}

function marks(schema: Shape): Readonly<Record<string, unknown>>[] {
  return (schema.pipe ?? []).flatMap((part) => part.metadata ? [part.metadata] : marks(part));
}

/** Objects of these kinds take any key. */
const open = new Set(["record", "loose_object", "object_with_rest", "map", "any", "unknown", "custom", "lazy"]);

/** Paths of the keys that no schema knows; also in objects that valibot would let pass. */
export function unknownKeysIn(schema: AnySchema, value: unknown): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  walkKeys([shape(schema)], value, [], found);
  return found;
}

function walkKeys(
  schemas: readonly Shape[],
  value: unknown,
  path: readonly string[],
  found: (readonly string[])[],
): void {
  if (typeof value !== "object" || value === null) return;
  const all = schemas.flatMap((schema) => faces(schema));
  const objects = all.filter((face) => face.entries);
  const closed = !Array.isArray(value) && objects.length > 0 && !all.some((face) => open.has(face.type));
  for (const [step, child] of Object.entries(value)) {
    const inner = schemas.flatMap((schema) => below(schema, step));
    if (inner.length > 0) walkKeys(inner, child, [...path, step], found);
    else if (closed) found.push([...path, step]);
  }
}

export interface FoundReference {
  readonly type: string;
  readonly id: string;
  readonly path: readonly string[];
}

/** Every reference in a value as it was written. */
export function referencesIn(schema: AnySchema, value: unknown): readonly FoundReference[] {
  const found: FoundReference[] = [];
  walk([shape(schema)], value, [], found);
  return found;
}

function walk(schemas: readonly Shape[], value: unknown, path: readonly string[], found: FoundReference[]): void {
  const all = schemas.flatMap((schema) => faces(schema));
  const mark = all.flatMap(marks).find((one) => one.reference !== undefined)?.reference;
  if (isMark(mark)) {
    const texts = mark.list && typeof value === "string" ? value.split(",") : [value].flat();
    for (const [index, text] of texts.entries()) {
      if (typeof text !== "string" || text.trim() === "") continue;
      found.push({
        type: mark.reference,
        id: text.trim(),
        path: Array.isArray(value) ? [...path, String(index)] : path,
      });
    }
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [step, child] of Object.entries(value)) {
    const inner = schemas.flatMap((schema) => below(schema, step));
    if (inner.length > 0) walk(inner, child, [...path, step], found);
  }
}

function isMark(value: unknown): value is ReferenceMark {
  return typeof value === "object" && value !== null && "reference" in value && "list" in value;
}
