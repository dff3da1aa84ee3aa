// Every example in docs/, the README and the default manifest is read by the real loader.
import { afterAll, expect, test } from "bun:test";
import { Glob } from "bun";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { catalog } from "../src/catalog.ts";
import { engine } from "../src/dialplan/engine.ts";
import { ConfigError } from "../src/kernel/errors.ts";
import { ExternalModules } from "../src/kernel/external.ts";
import { readJsonc } from "../src/kernel/jsonc.ts";
import { checkManifest, offer } from "../src/kernel/kernel.ts";
import { dialplanEngine } from "../src/kernel/dialplan.ts";
import { realWorld } from "../src/world/real_world.ts";

const root = resolve(import.meta.dir, "..");
const folder = await mkdtemp(join(tmpdir(), "patchbay-docs-"));
afterAll(() => rm(folder, { recursive: true }));
const world = realWorld();
const external = new ExternalModules((path) => world.files.read(path));

interface Example {
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

/** Fenced blocks of a language; `line` is that of the fence. */
function blocks(page: string, markdown: string, language: string): Example[] {
  const found: Example[] = [];
  for (const match of markdown.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)) {
    const line = markdown.slice(0, match.index).split("\n").length;
    if (match[1] === language) found.push({ page, line, text: match[2] ?? "" });
  }
  return found;
}

const pages = [
  ...[...new Glob("**/*.md").scanSync(join(root, "docs"))].map((page) => `docs/${page}`).sort(),
  ...await Bun.file(join(root, "README.md")).exists() ? ["README.md"] : [],
];
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await Bun.file(join(root, page)).text()] as const)),
);
const examples = (language: string) => [...texts].flatMap(([page, text]) => blocks(page, text, language));

/** Faults of a manifest, one per line; "" when there are none. */
async function faults(text: string, file: string): Promise<string> {
  try {
    await checkManifest({
      world,
      manifest: text,
      file,
      folder: join(root, "docs/examples"),
      modules: catalog,
      services: [offer(dialplanEngine, engine)],
      environment: new Proxy({}, { get: () => "a value of the environment" }),
      importModule: (path, fresh) => external.load(path, fresh),
    });
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/**
 * A part of a manifest as a whole one: `"nat": {}` gets the modules it requires; what begins with another key stands
 * below the module the page is about.
 */
function whole({ page, text }: Example): string {
  if (text.trimStart().replace(/^(\/\/[^\n]*\n\s*)+/, "").startsWith("{")) return text;
  const { root: parsed } = readJsonc(`{${text}}`, page);
  const keys = parsed?.kind === "object" ? [...parsed.entries.keys()] : [];
  const modules = keys.filter((key) => catalog.some((module) => module.name === key));
  const about = basename(page, ".md");
  if (modules.length === 0) return `{${needs([about], [about])} "${about}": {${text}}}`;
  return `{${needs(modules, modules)} ${text}}`;
}

/** `"core": {},` for all that these modules require and that is not written. */
function needs(names: readonly string[], written: readonly string[]): string {
  const missing = new Set<string>();
  const queue = [...names];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const required of catalog.find((module) => module.name === name)?.requires ?? []) {
      if (!written.includes(required)) missing.add(required);
      queue.push(required);
    }
  }
  return [...missing].map((name) => `"${name}": {},`).join(" ");
}

test("the default manifest has no faults", async () => {
  expect(await faults(await Bun.file(join(root, "modules.json")).text(), "modules.json")).toBe("");
});

for (const example of examples("jsonc")) {
  test(`${example.page}:${example.line} is a manifest without faults`, async () => {
    expect(await faults(whole(example), `${example.page}:${example.line}`)).toBe("");
  });
}

for (const { page, line, text } of examples("ts").filter((example) => example.text.includes('from "patchbay"'))) {
  test(`${page}:${line} is a module`, async () => {
    const file = join(folder, `${basename(page, ".md")}_${line}.ts`);
    await writeFile(file, text);
    expect(await external.load(file, false)).toMatchObject({ name: /name: "(\w+)"/.exec(text)?.[1] });
  });
}

test("the examples in docs/examples are those the pages show", async () => {
  const all = [...texts.values()].join("\n");
  for (const file of new Glob("*.ts").scanSync(join(root, "docs/examples"))) {
    expect(all).toContain(await Bun.file(join(root, "docs/examples", file)).text());
  }
});
