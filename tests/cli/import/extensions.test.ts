import { expect, test } from "bun:test";
import { readConf } from "../../../src/cli/import/conf.ts";
import { importExtensions } from "../../../src/cli/import/extensions.ts";

const read = (text: string) => importExtensions(readConf("extensions.conf", (file) => [{ file, text }]));
const steps = (text: string) => read(`[c]\n${text}`).contexts.c?.extensions;

test("priorities: numbers, n, same, labels", () => {
  expect(steps("exten => 100,1,Answer()\n same => n(go),Dial(PJSIP/bob,20)\nexten => 100,n,Hangup\n")).toEqual({
    100: ["Answer()", "go: Dial(PJSIP/bob,20)", "Hangup"],
  });
});

test("patterns keep their underscore and their sets; commas inside parentheses do not split", () => {
  expect(steps("exten => _[1-5]X!,1,Set(a=${IF($[1,2]?x:y)})")).toEqual({ "_[1-5]X!": ["Set(a=${IF($[1,2]?x:y)})"] });
});

test("a missing priority ends the call as in Asterisk, and is reported", () => {
  const imported = read("[c]\nexten => 1,1,NoOp()\nexten => 1,3,Answer()\n");
  expect(imported.contexts.c?.extensions).toEqual({ 1: ["NoOp()", "Hangup()", "Answer()"] });
  expect(imported.remarks[0]?.text).toContain("no priority 2");
});

test("includes, hints, globals; what is not carried out is reported with its place", () => {
  const imported = read(
    "[general]\nstatic=yes\nuserscontext=x\n[globals]\nTRUNK=PJSIP/t\n[c]\ninclude => d\ninclude => n,9:00-17:00,*,*,*\n" +
      "exten => 6,hint,PJSIP/six\nswitch => Loopback/x\n",
  );
  expect(imported.globals).toEqual({ TRUNK: "PJSIP/t" });
  expect(imported.contexts.c).toEqual({ include: ["d"], hints: { 6: "PJSIP/six" }, extensions: {} });
  expect(imported.remarks.map((r) => r.line)).toEqual([3, 8, 10]);
});

test("a context in several parts is one", () => {
  expect(read("[c]\nexten => 1,1,Answer\n[d]\nexten => 2,1,Answer\n[c]\nexten => 3,1,Answer\n").contexts.c?.extensions)
    .toEqual({ 1: ["Answer"], 3: ["Answer"] });
});

test("nonsense is reported, the rest is taken", () => {
  const imported = read(
    "[c]\nexten => 1\nexten => 1,x,Answer\nsame => n,Answer\nexten => 1,99999,Answer\nexten => 2,1,Answer\n",
  );
  expect(Object.keys(imported.contexts.c?.extensions ?? {})).toEqual(["1", "2"]);
  expect(imported.remarks.map((r) => r.line)).toEqual([2, 3, 5]);
});
