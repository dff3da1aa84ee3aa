import type { AppCall, DialplanTarget } from "../../kernel/dialplan.ts";
import { DialplanError } from "../../kernel/dialplan.ts";
import { type Application, checkDuration, readDuration, sleep, type Tools } from "../application.ts";
import { isTrue } from "../expression.ts";
import { splitArguments } from "../template.ts";

/** `label`, `extension,label` or `context,extension,label`; undefined when empty or too long. */
export function readTarget(text: string): DialplanTarget | undefined {
  const parts = splitArguments(text);
  const [first, second, third] = parts;
  if (first === undefined || parts.length > 3 || parts.some((p) => p === "")) return undefined;
  if (second === undefined) return { label: first };
  if (third === undefined) return { extension: first, label: second };
  return { context: first, extension: second, label: third };
}

/** `condition?yes:no`, split at the last "?": what comes from the wire may hold one too. */
export function readBranches(text: string): { readonly condition: string; readonly yes: string; readonly no: string } {
  const question = text.lastIndexOf("?");
  if (question < 0) throw new DialplanError('expected "condition?target:target"');
  const branches = text.slice(question + 1);
  let depth = 0;
  let colon = branches.length;
  for (let at = 0; at < branches.length; at++) {
    const c = branches.charAt(at);
    if (c === "(") depth++;
    else if (c === ")") depth--;
    else if (c === ":" && depth === 0) {
      colon = at;
      break;
    }
  }
  return {
    condition: text.slice(0, question).trim(),
    yes: branches.slice(0, colon).trim(),
    no: branches.slice(colon + 1).trim(),
  };
}

/** `context,extension,label(arg,arg)` of gosub. */
function readGosub(text: string): { readonly target: DialplanTarget; readonly args: readonly string[] } {
  const found = /^([^(]*)(?:\((.*)\))?$/s.exec(text.trim());
  const target = readTarget(found?.[1] ?? "");
  if (target === undefined) throw new DialplanError(`${JSON.stringify(text)} is not a place in the dialplan`);
  return { target, args: splitArguments(found?.[2] ?? "") };
}

const go = (text: string) => {
  const target = readTarget(text);
  if (target === undefined) throw new DialplanError(`${JSON.stringify(text)} is not a place in the dialplan`);
  return { goto: target };
};
const sub = (text: string) => {
  const { target, args } = readGosub(text);
  return { gosub: target, args };
};

async function assign({ channel, text }: AppCall, tools: Tools): Promise<"next"> {
  const at = text.indexOf("=");
  if (at < 1) throw new DialplanError(`expected "name=value", found ${JSON.stringify(text)}`);
  const value = text.slice(at + 1);
  await tools.assign(channel, text.slice(0, at).trim(), /^"[^"]*"$/.test(value) ? value.slice(1, -1) : value);
  return "next";
}

const levels = ["debug", "verbose", "notice", "warning", "error"] as const;

export const flowApps: readonly Application[] = [
  { name: "noop", summary: "Does nothing; its text shows in the step events", run: () => Promise.resolve("next") },
  {
    name: "log",
    summary: "Writes a line to the log: log(level, text)",
    args: [1, Infinity],
    async run({ channel, text }, { host }) {
      const comma = text.indexOf(",");
      const word = text.slice(0, Math.max(0, comma)).trim().toLowerCase();
      const level = levels.find((l) => l === word);
      host.log[level ?? "notice"](level ? text.slice(comma + 1).trim() : text, { call: channel.id });
      return "next";
    },
  },
  {
    name: "verbose",
    summary: "Writes a verbose line to the log: verbose([level,] text)",
    args: [1, Infinity],
    async run({ channel, text }, { host }) {
      host.log.verbose(text.replace(/^\s*\d\s*,/, "").trim(), { call: channel.id });
      return "next";
    },
  },
  { name: "set", summary: "Assigns a variable or a function: set(name=value)", args: [1, Infinity], run: assign },
  {
    name: "mset",
    summary: "Assigns several: mset(a=1, b=2)",
    args: [1, Infinity],
    async run(call, tools) {
      for (const text of call.args) await assign({ ...call, text }, tools);
      return "next";
    },
  },
  { name: "goto", summary: "Goes on elsewhere", args: [1, 3], run: ({ text }) => Promise.resolve(go(text)) },
  {
    name: "gotoif",
    summary: "Goes on elsewhere by a condition: gotoif(condition?yes:no)",
    args: [1, Infinity],
    async run({ text }) {
      const { condition, yes, no } = readBranches(text);
      const taken = isTrue(condition) ? yes : no;
      return taken === "" ? "next" : go(taken);
    },
  },
  {
    name: "gosub",
    summary: "Goes elsewhere and comes back at return",
    args: [1, Infinity],
    run: ({ text }) => Promise.resolve(sub(text)),
  },
  {
    name: "gosubif",
    summary: "gosub by a condition: gosubif(condition?yes:no)",
    args: [1, Infinity],
    async run({ text }) {
      const { condition, yes, no } = readBranches(text);
      const taken = isTrue(condition) ? yes : no;
      return taken === "" ? "next" : sub(taken);
    },
  },
  {
    name: "return",
    summary: "Back to after the gosub, with a value in GOSUB_RETVAL",
    run: ({ text }) => Promise.resolve({ returned: text }),
  },
  {
    name: "wait",
    summary: "Waits",
    args: [1, 1],
    check: ([time]) => checkDuration(time),
    async run({ args, signal }, { host }) {
      await sleep(host.world, readDuration(args[0], 0), signal);
      return "next";
    },
  },
  {
    name: "userevent",
    summary: "Sends an event: userevent(name, field: value, ...)",
    args: [1, Infinity],
    async run({ channel, args }, { host }) {
      const fields = args.slice(1).map((field) => {
        const colon = field.indexOf(":");
        return colon < 0
          ? [field, ""] as const
          : [field.slice(0, colon).trim(), field.slice(colon + 1).trim()] as const;
      });
      host.events.emit("user.event", { call: channel.id, name: args[0] ?? "", fields: Object.fromEntries(fields) });
      return "next";
    },
  },
];
