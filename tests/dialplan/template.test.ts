import { expect, test } from "bun:test";
import { evaluate, ExpressionFault } from "../../src/dialplan/expression.ts";
import { expand, parseTemplate, type Scope, splitArguments, TemplateFault } from "../../src/dialplan/template.ts";

const values: Record<string, string> = { EXTEN: "12345", exten: "12345", n: "2", VAR_2: "second", EVIL: "a,b?c" };
const scope: Scope = {
  variable: (name) => values[name],
  call: (name, args) => Promise.resolve(`<${name}:${args.join("|")}>`),
  evaluate,
};
const expanded = (text: string) => expand(parseTemplate(text), scope);

test("variables, substrings, functions and nesting expand as in Asterisk", async () => {
  const rows: [string, string][] = [
    ["plain $5 {x}", "plain $5 {x}"],
    ["dial ${exten} now", "dial 12345 now"],
    ["${EXTEN:1}", "2345"],
    ["${EXTEN:-2}", "45"],
    ["${EXTEN:1:2}", "23"],
    ["${EXTEN:0:-1}", "1234"],
    ["${EXTEN:-3:2}", "34"],
    ["${EXTEN:${n}}", "345"],
    ["${EXTEN:$[1+1]:1}", "3"],
    ["${VAR_${n}}", "second"],
    ["${unset}", ""],
    ["${CALLERID(num)}", "<CALLERID:num>"],
    ["${CUT(a,\\,,2)}", "<CUT:a|,|2>"],
    ["${F(${n},x${G(y)})}", "<F:2|x<G:y>>"],
    ["${F(abc):1:1}", "F"],
    ["$[${n} * 3]", "6"],
  ];
  for (const [text, wanted] of rows) expect([text, await expanded(text)]).toEqual([text, wanted]);
});

test("what cannot be read is a fault with its place", () => {
  for (const text of ["${", "a ${b", "${}", "$[1", "${F(}", "${9(a)}", "${F(a)b}", "${x:${}"]) {
    expect(() => parseTemplate(text)).toThrow(TemplateFault);
  }
  expect(() => parseTemplate("${".repeat(40) + "x" + "}".repeat(40))).toThrow("nested");
});

test("arguments are split at commas outside of brackets and quotes, before anything is expanded", () => {
  expect(splitArguments("")).toEqual([]);
  expect(splitArguments("a, b ,c")).toEqual(["a", "b", "c"]);
  expect(splitArguments("a,,c")).toEqual(["a", "", "c"]);
  expect(splitArguments('"x, y", ${F(a,b)}, (1,2)')).toEqual(["x, y", "${F(a,b)}", "(1,2)"]);
  expect(splitArguments("a\\,b,c")).toEqual(["a,b", "c"]);
  expect(splitArguments("(a,b")).toEqual(["(a", "b"]);
});

test("expressions compute, compare and choose", () => {
  const rows: [string, string][] = [
    ["", ""],
    ["1 + 2 * 3", "7"],
    ["(1 + 2) * 3", "9"],
    ["7 / 2", "3.5"],
    ["7 % 4", "3"],
    ["-3 + 5", "2"],
    ["10 > 9", "1"],
    ["b > a", "1"],
    ['"" = ""', "1"],
    ['"bob" = "bob"', "1"],
    ["0 | 5", "5"],
    ["1 & 0", "0"],
    ["!0", "1"],
    ["1 ? yes :: no", "yes"],
    ['"12345" =~ "^12(..)"', "34"],
    ['"abc" : "b"', "0"],
    ['"abc" =~ "b"', "1"],
    ["a ~~ b", "ab"],
    ["1 != 1.0", "0"],
  ];
  for (const [text, wanted] of rows) expect([text, evaluate(text)]).toEqual([text, wanted]);
});

test("an expression nobody can read is a fault, never a crash", () => {
  for (const text of ["1 +", "(1", "1 1", '"a', "= 1", "1 / 0", '"a" =~ "("', "(".repeat(500), "!".repeat(500)]) {
    expect(() => evaluate(text)).toThrow(ExpressionFault);
  }
});

test("random texts never do worse than a fault", async () => {
  const alphabet = ["$", "{", "}", "[", "]", "(", ")", ":", ",", "a", "1", "-", " ", '"', "\\", "?", "="];
  let seed = 42;
  const next = (bound: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % bound;
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: next(24) }, () => alphabet[next(alphabet.length)]).join("");
    try {
      await expanded(text);
    } catch (fault) {
      if (!(fault instanceof TemplateFault) && !(fault instanceof ExpressionFault)) throw fault;
    }
  }
});
