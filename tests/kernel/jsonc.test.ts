import { expect, test } from "bun:test";
import { jsonValue, placeAt, readJsonc } from "../../src/kernel/jsonc.ts";
import { seededRandom } from "../virtual_world.ts";

const value = (text: string) => {
  const { root, faults } = readJsonc(text, "f");
  expect(faults).toEqual([]);
  return root && jsonValue(root);
};
const fault = (text: string) =>
  readJsonc(text, "f").faults.map(({ place, message }) => `${place.line}:${place.column} ${message}`);

test("comments and trailing commas are allowed", () => {
  expect(value('\ufeff// first\n{ "a": [1, 2.5e1, -0, /* two */ true,], "b": null, }\n')).toEqual(
    Object.assign(Object.create(null), { a: [1, 25, -0, true], b: null }),
  );
  expect(value('"\\u0041\\n"')).toBe("A\n");
});

test("places are those an editor shows", () => {
  const { root } = readJsonc('{\n  "a": { "b": [1,\n 2] }\n}', "f");
  if (!root) throw new Error("no root");
  expect(placeAt(root, ["a", "b", "1"])).toEqual({ file: "f", line: 3, column: 2 });
  expect(placeAt(root, ["a", "b"], "key")).toEqual({ file: "f", line: 2, column: 10 });
  expect(placeAt(root, ["a", "x", "y"])).toEqual({ file: "f", line: 2, column: 8 });
});

test("what is no JSON is a fault at its place", () => {
  expect(fault('{ "a": 1\n "b": 2 }')).toEqual(['2:2 expected "," or "}", found "\\""']);
  expect(fault("{ a: 1 }")).toEqual(['1:3 expected a key in double quotes or "}", found "a"']);
  expect(fault('{ "a": yes }')).toEqual(["1:8 expected a value, found yes; text stands in double quotes"]);
  expect(fault('{ "a": 01 }')).toEqual(["1:8 expected a value, found 01; text stands in double quotes"]);
  expect(fault('{ "a": "x\n" }')).toEqual(['1:8 this text has no closing "']);
  expect(fault('{ "a": 1 } }')).toEqual(['1:12 expected the end of the file, found "}"']);
  expect(fault("/* ")).toEqual(["1:1 this comment has no end"]);
  expect(fault("")).toEqual(["1:1 expected a value, found the end of the file"]);
});

test("a key written twice is a fault, and reading goes on", () => {
  expect(fault('{ "a": 1,\n "a": 2,\n "b": 3, "b": 4 }')).toEqual([
    '2:2 "a" is written twice, first in line 1',
    '3:10 "b" is written twice, first in line 3',
  ]);
});

test("a key named __proto__ is a key like others", () => {
  const read = value('{ "__proto__": { "x": 1 } }');
  expect(Object.keys(read as object)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test("any text is read or refused, deep nesting too", () => {
  expect(fault("[".repeat(100_000))).toEqual(["1:66 values are nested deeper than 64"]);
  const random = seededRandom(7);
  const alphabet = '{}[]",:/*\\ \n01eatrufls-.$';
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random.below(24) }, () => alphabet[random.below(alphabet.length)]).join("");
    const { root, faults } = readJsonc(text, "f");
    expect(root === undefined).toBe(faults.some(({ message }) => !message.includes("written twice")));
  }
});
