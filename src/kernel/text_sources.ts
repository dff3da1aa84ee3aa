import type { World } from "../world/world.ts";
import type { JsonNode, Place } from "./jsonc.ts";

/** Where text of the manifest may come from besides the manifest. */
export interface TextSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder of the manifest: relative paths start there. */
  readonly folder: string;
  readonly files: World["files"];
  /** A kept random secret, made when there is none. */
  generated(name: string): Promise<string>;
}

type Report = (place: Place, message: string) => void;

/** Replaces `${env:NAME}`, `${file:path}` and `${generated:name}` in every text of the tree. Other `${...}` stay. */
export async function expandTexts(node: JsonNode, sources: TextSources, report: Report): Promise<JsonNode> {
  switch (node.kind) {
    case "scalar":
      if (typeof node.value !== "string" || !node.value.includes("${")) return node;
      return { ...node, value: await expandText(node.value, sources, (message) => report(node.place, message)) };
    case "array": {
      const items: JsonNode[] = [];
      for (const item of node.items) items.push(await expandTexts(item, sources, report));
      return { ...node, items };
    }
    case "object": {
      const entries = new Map<string, { key: Place; node: JsonNode }>();
      for (const [key, entry] of node.entries) {
        entries.set(key, { key: entry.key, node: await expandTexts(entry.node, sources, report) });
      }
      return { ...node, entries };
    }
    default:
      return node satisfies never;
  }
}

async function expandText(text: string, sources: TextSources, report: (message: string) => void): Promise<string> {
  let expanded = "";
  let end = 0;
  for (const match of text.matchAll(/\$\{(env|file|generated):([^}]*)\}/g)) {
    expanded += text.slice(end, match.index) + await textFrom(match[1] ?? "", match[2] ?? "", sources, report);
    end = match.index + match[0].length;
  }
  return expanded + text.slice(end);
}

/** The text a source gives; "" after a fault was reported. */
export async function textFrom(
  kind: string,
  name: string,
  sources: TextSources,
  report: (message: string) => void,
): Promise<string> {
  if (kind === "env") {
    const value = sources.environment[name];
    if (value === undefined) report(`the environment variable ${name} is not set`);
    return value ?? "";
  }
  if (kind === "generated") {
    if (/^[\w.-]{1,64}$/.test(name)) return await sources.generated(name);
    report(`expected \${generated:name} with a name of letters, digits, "-", "_" and ".", found "${name}"`);
    return "";
  }
  const path = name.startsWith("/") ? name : `${sources.folder}/${name}`;
  try {
    const bytes = await sources.files.read(path);
    if (bytes) return new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
    report(`there is no file ${path}`);
  } catch (error) {
    report(`the file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return "";
}
