import { expect, test } from "bun:test";
import { comparePatterns, isPattern, matchPattern, parsePattern, type Pattern } from "../../src/dialplan/pattern.ts";

const pattern = (text: string): Pattern => {
  const parsed = parsePattern(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
};

test("a key is a pattern when it holds X, Z, N or a set beside digits, or begins with an underscore", () => {
  for (const key of ["1XX", "X.", "NXXNXXXXXX", "+49Z.", "[1-5]!", "_alice!", "*8X", "_.", "6[0-2]0"]) {
    expect([key, isPattern(key)]).toEqual([key, true]);
  }
  for (const key of ["alice", "600", "s", "Nina", "1.2", "*98", "#", "i", "Xavier", "bob.smith"]) {
    expect([key, isPattern(key)]).toEqual([key, false]);
  }
});

test("X, Z, N, sets and the tails match what Asterisk says they match", () => {
  const rows: [string, string, "match" | "partial" | "no"][] = [
    ["1XX", "101", "match"],
    ["1XX", "10", "partial"],
    ["1XX", "1012", "no"],
    ["_zx", "00", "no"],
    ["_zx", "10", "match"],
    ["N", "1", "no"],
    ["N", "2", "match"],
    ["X.", "1", "partial"],
    ["X.", "12", "match"],
    ["X!", "1", "match"],
    ["_!", "", "match"],
    ["_[1-357a]9", "39", "match"],
    ["_[1-357a]9", "49", "no"],
    ["_[1-357a]9", "a9", "match"],
    ["_555-12", "55512", "match"],
    ["_alice!", "alice.1", "match"],
  ];
  for (const [text, number, wanted] of rows) {
    expect([text, number, matchPattern(pattern(text), number)]).toEqual([text, number, wanted]);
  }
});

test("the more specific pattern comes first, whatever the order in the manifest", () => {
  const sorted = ["_!", "_.", "X.", "_XXX", "_1XX", "_NXX", "_Z.", "_1[0-2]X", "_10X", "_100"].map(pattern)
    .sort(comparePatterns).map((p) => p.text);
  expect(sorted).toEqual(["_100", "_10X", "_1[0-2]X", "_1XX", "_NXX", "_Z.", "_XXX", "X.", "_.", "_!"]);
});

test("a pattern that cannot be read says why", () => {
  expect(parsePattern("_")).toBe("an empty pattern");
  expect(parsePattern("_1.2")).toContain("at the end");
  expect(parsePattern("_[12")).toContain("without");
  expect(parsePattern("_[]")).toContain("empty set");
  expect(parsePattern("_[9-1]")).toContain("backwards");
});
