import { expect, test } from "bun:test";
import { Contexts } from "../../src/dialplan/contexts.ts";
import { engine } from "../../src/dialplan/engine.ts";
import type { DialplanContext, DialplanGeneral } from "../../src/kernel/dialplan.ts";

type Extensions = Record<string, string | readonly string[]>;
const context = (extensions: Extensions, include: readonly string[] = []): DialplanContext => ({
  include,
  hints: {},
  extensions: Object.fromEntries(Object.entries(extensions).map(([k, s]) => [k, typeof s === "string" ? [s] : s])),
});
const general: DialplanGeneral = { imported: false, sounds: ".", musicOnHold: undefined, maxSteps: 1000 };
const faults = (extensions: Extensions, more: Partial<DialplanGeneral> = {}) =>
  engine.check({ general: { ...general, ...more }, globals: {}, contexts: { internal: context(extensions) } }, {
    apps: ["voicemail"],
    functions: ["PJSIP_HEADER"],
  }).map((f) => `${f.path.join("/")}: ${f.message}`);

test("a dialplan that is right has no faults", () => {
  expect(faults({
    "1XX": ["dial(${exten}, 20s)", "voicemail(${exten})"],
    600: "conference(main)",
    601: ["Answer", "Echo()"],
    "_9.": ["Set(CALLERID(num)=${EXTEN:1})", "Dial(PJSIP/${EXTEN:1}@trunk,30,tT)", "Hangup()"],
    700: ["again: noop($[1 + 2])", 'gotoif($["${CALLERID(num)}" = "5"]?done:again)', "done: hangup(busy)"],
    701: ["goto(internal,700,done)", "goto(601,1)", "log(notice, to ${PJSIP_HEADER(read,To)})"],
  })).toEqual([]);
});

test("every fault is told at once, with its place and the nearest name", () => {
  expect(faults({
    1: "dail(bob)",
    2: ["answer", "playback()"],
    3: "dial(bob, soon)",
    4: "dial(bob, 20s, Q)",
    5: "hangup(sometime)",
    6: "goto(internall,1,1)",
    7: "goto(99,1)",
    8: ["start: answer", "goto(stat)"],
    9: "noop(${CALERID(num)})",
    10: "noop(${x",
    11: "noop(${x)",
    12: "=> what",
    13: ["a: noop", "a: noop"],
    _: "noop",
  })).toEqual([
    'internal/10: column 5: "(" is not closed',
    'internal/11: column 6: "${" is not closed',
    expect.stringContaining("internal/12: expected"),
    'internal/13/1: label "a" stands twice in this extension',
    'internal/_: pattern "_": an empty pattern',
    'internal/1: there is no application "dail"; did you mean "dial"?',
    'internal/2/1: "playback" takes 1 to 2 arguments, found 0',
    'internal/3: expected a duration such as "20s" or "500ms", found "soon"',
    expect.stringContaining('internal/4: option "Q" of dial is not known'),
    expect.stringContaining("internal/5: expected a cause"),
    'internal/6: there is no context "internall"; did you mean "internal"?',
    'internal/7: context "internal" has no extension "99"',
    'internal/8/1: extension "8" has no label "stat"; did you mean "start"?',
    'internal/9: there is no function "CALERID"; did you mean "CALLERID"?',
  ]);
});

test("an imported dialplan may name applications that do not exist", () => {
  expect(faults({ 1: "Swift(hello)" }, { imported: true })).toEqual([]);
});

test("a literal beats a pattern, a specific pattern a general one, the own context an included one", () => {
  const contexts = new Contexts({
    internal: context({ "_1XX": "noop(pattern)", "_X.": "noop(any)", 100: "noop(literal)" }, ["shared", "internal"]),
    shared: context({ 100: "noop(shared)", 9: "noop(nine)", alice: "noop(alice)" }),
  }, []);
  const step = (extension: string) => contexts.find("internal", extension)?.extension.steps[0]?.source;
  expect(step("100")).toBe("noop(literal)");
  expect(step("101")).toBe("noop(pattern)");
  expect(step("201")).toBe("noop(any)");
  expect(step("9")).toBe("noop(nine)");
  expect(step("alice")).toBe("noop(alice)");
  expect(step("bob")).toBeUndefined();
  expect(contexts.couldMatch("internal", "ali")).toBe(true);
  expect(contexts.couldMatch("internal", "10")).toBe(true);
  expect(contexts.couldMatch("internal", "zoe")).toBe(false);
});
