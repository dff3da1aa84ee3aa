// The rules of the house as tests: who may import whom, and where clock and sockets appear.
import { expect, test } from "bun:test";
import { Glob } from "bun";
import { join, relative, resolve } from "node:path";

const source = resolve(import.meta.dir, "../src");

interface SourceFile {
  readonly path: string; // below src
  readonly room: string; // "sip/transport", "kernel" ...
  readonly text: string;
  readonly code: string; // without comments
  readonly imports: readonly string[];
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");

function roomOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  if (!path.includes("/")) return "main";
  return first === "sip" && path.split("/").length > 2 ? `sip/${second}` : first;
}

const files: SourceFile[] = [];
for (const path of [...new Glob("**/*.ts").scanSync(source)].sort()) {
  const text = await Bun.file(join(source, path)).text();
  const code = withoutComments(text);
  const imports = [
    ...code.matchAll(/^(?:(?:import|export)\b[^"';=]*?\bfrom|import)\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ].map((match) => match[1] ?? match[2] ?? "");
  files.push({ path, room: roomOf(path), text, code, imports });
}

/** Rooms a file may import from, besides its own. */
const below: Readonly<Record<string, readonly string[]>> = {
  "world": [],
  "sip/message": [],
  "sip": ["world", "sip/message"],
  "sip/transport": ["world", "sip", "sip/message"],
  "sip/transaction": ["world", "sip", "sip/message", "sip/transport"],
  "sip/dialog": ["world", "sip", "sip/message", "sip/transport", "sip/transaction", "sdp"],
  "sdp": [],
  "kernel": ["world", "sip", "sip/message", "sip/transport", "sip/transaction", "sip/dialog", "sdp"],
  "modules": ["world", "kernel", "sip", "sip/message", "sip/transport", "sip/transaction", "sip/dialog", "sdp"],
  "dialplan": ["world", "kernel", "sip", "sip/message", "sip/transport", "sip/transaction", "sdp"],
  "store": ["world", "kernel"],
  "http": ["world", "kernel"],
  "worker": ["world", "kernel", "wasm"],
  "media": ["world", "kernel", "worker"],
};

test("imports only go down", () => {
  const wrong = files.flatMap(({ path, room, imports }) => {
    const allowed = below[room];
    if (!allowed) return []; // main.ts and cli/ wire
    return imports.filter((specifier) => specifier.startsWith(".")).flatMap((specifier) => {
      const target = relative(source, resolve(source, path, "..", specifier));
      const other = target.startsWith("..") ? target.split("/")[1] ?? "" : roomOf(target);
      return other === room || allowed.includes(other) ? [] : [`${path} imports ${target}`];
    });
  });
  expect(wrong).toEqual([]);
});

test("nobody imports main.ts or the catalog but main.ts", () => {
  const wrong = files.filter(({ path, imports }) =>
    path !== "main.ts" && imports.some((specifier) => /\/(main|catalog)\.ts$/.test(specifier))
  );
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("a module imports no other module, and no package but valibot", () => {
  const wrong = files.filter(({ room }) => room === "modules").flatMap(({ path, imports }) => {
    const own = path.split("/").slice(0, 2).join("/");
    return imports.filter((specifier) => {
      if (!specifier.startsWith(".")) {
        return specifier !== "valibot" && !/^node:(crypto|net|path|util)$/.test(specifier);
      }
      const target = relative(source, resolve(source, path, "..", specifier));
      return target.startsWith("modules/") && !target.startsWith(`${own}/`);
    }).map((specifier) => `${path} imports ${specifier}`);
  });
  expect(wrong).toEqual([]);
});

test("the world is only known as an interface above it", () => {
  const wrong = files.filter(({ room }) => room !== "world" && room !== "main").flatMap(({ path, imports }) =>
    imports.filter((specifier) => /\/world\/(?!world\.ts$)/.test(specifier)).map((specifier) => `${path}: ${specifier}`)
  );
  expect(wrong).toEqual([]);
});

test("clock, chance and sockets appear only where the outside is met", () => {
  const outside = new Set(["world", "worker", "store", "http", "cli", "main"]);
  const met =
    /\bDate\.now\(|\bnew Date\(\)|\bset(?:Timeout|Interval|Immediate)\(|\bMath\.random\(|\bperformance\.now\(|\bBun\.(?:udpSocket|listen|connect|serve|file|write|spawn)\b|[^.\w]fetch\(/;
  const wrong = files.filter(({ room, code }) => !outside.has(room) && met.test(code));
  expect(wrong.map(({ path, code }) => `${path}: ${met.exec(code)?.[0]}`)).toEqual([]);
});

test("only modules have a default export, and its name is the file's", () => {
  const wrong = files.filter(({ path, code }) => {
    const name = /^modules\/(?:(\w+)\.ts|(\w+)\/module\.ts)$/.exec(path);
    const has = /^export default\b/m.test(code) || /export \{[^}]*\bas default\b/.test(code);
    if (!name) return has;
    return !has || !code.includes(`name: "${name[1] ?? name[2]}"`);
  });
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("files are nouns: no utils, helpers, common, types or index", () => {
  const wrong = files.filter(({ path }) =>
    !/^[a-z0-9_]+(\.d)?\.ts$/.test(path.split("/").at(-1) ?? "") ||
    /(^|\/)(utils?|helpers?|common|types|index|misc)(\.ts|\/)/.test(path)
  );
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("a file of more than 600 lines says at its top why", () => {
  const wrong = files.filter(({ text }) => text.split("\n").length > 600 && !text.startsWith("// "));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("half of all files have at most 150 lines, nine of ten at most 400", () => {
  const lines = files.map(({ text }) => text.split("\n").length).sort((a, b) => a - b);
  expect(lines[Math.floor(lines.length / 2)]).toBeLessThanOrEqual(150);
  expect(lines[Math.floor(lines.length * 0.9)]).toBeLessThanOrEqual(400);
});

test("every module has a page", async () => {
  const names = files.flatMap(({ path }) => {
    const name = /^modules\/(?:(\w+)\.ts|(\w+)\/module\.ts)$/.exec(path);
    return name ? [name[1] ?? name[2] ?? ""] : [];
  });
  const root = resolve(source, "..");
  const missing: string[] = [];
  for (const name of names) {
    if (!await Bun.file(join(root, `docs/modules/${name}.md`)).exists()) missing.push(`docs/modules/${name}.md`);
  }
  expect(missing).toEqual([]);
});
