import { expect, test } from "bun:test";
import { readConf } from "../../../src/cli/import/conf.ts";

const read = (files: Record<string, string>) =>
  readConf("main.conf", (name) => {
    const text = files[name];
    return text === undefined ? [] : [{ file: name, text }];
  });
const values = (files: Record<string, string>) =>
  read(files).sections.filter((s) => !s.template).map((s) => [s.name, s.lines.map((l) => `${l.name}=${l.value}`)]);

test("sections, both kinds of assignment, repeated sections and repeated names stay in order", () => {
  expect(values({ "main.conf": "[a]\nx=1\nx => 2\n[a]\ny = 3 \n" })).toEqual([["a", ["x=1", "x=2"]], ["a", ["y=3"]]]);
});

test("a template is inherited before the section's own lines; several in their order", () => {
  const text = "[t](!)\na=1\n[u](!,t)\nb=2\n[v](!)\nc=3\n[x](u,v)\na=9\n";
  expect(values({ "main.conf": text })).toEqual([["x", ["a=1", "b=2", "c=3", "a=9"]]]);
});

test("(+) adds to the last section of that name", () => {
  expect(values({ "main.conf": "[a]\nx=1\n[b]\ny=1\n[a](+)\nz=2\n" })).toEqual([["a", ["x=1", "z=2"]], ["b", ["y=1"]]]);
});

test("comments: to the end of the line, escaped semicolons, blocks over lines, ;--- is an ordinary one", () => {
  const text = "[a] ; first\nx=1;two\ny=a\\;b\n;-- out\nz=1\n--; \n;--- only a line\nw=2 ;-- in --; \n";
  expect(values({ "main.conf": text })).toEqual([["a", ["x=1", "y=a;b", "w=2"]]]);
});

test("#include is an error when missing, #tryinclude is not; places are those of the included file", () => {
  const conf = read({
    "main.conf": '[a]\n#include "more.conf"\n#include <gone.conf>\n#tryinclude never.conf\n',
    "more.conf": "x=1\n",
  });
  expect(conf.sections[0]?.lines).toEqual([{ name: "x", value: "1", file: "more.conf", line: 1 }]);
  expect(conf.remarks).toEqual([{ file: "main.conf", line: 3, text: "#include of gone.conf: no such file" }]);
});

test("a file that includes itself ends", () => {
  const conf = read({ "main.conf": "[a]\nx=1\n#include main.conf\n" });
  expect(conf.remarks.at(-1)?.text).toContain("nested deeper");
});

test("a file that includes itself several times does not multiply for ever", () => {
  const conf = read({ "main.conf": `[a]\nx=1\n${"#include main.conf\n".repeat(20)}` });
  expect(conf.sections.length).toBe(1000);
  expect(conf.remarks.some(({ text }) => text.includes("more than 1000 files"))).toBe(true);
});

test("+= appends to the value before", () => {
  expect(values({ "main.conf": "[a]\nx=1\nx += ,2\n" })).toEqual([["a", ["x=1,2"]]]);
});

test("a line without = and a line before any section are reported with their place", () => {
  expect(read({ "main.conf": "x=1\n[a]\nnonsense\n" }).remarks.map((r) => r.line)).toEqual([1, 3]);
});
