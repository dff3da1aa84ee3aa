import type { JsonEntry, JsonNode, Place } from "./jsonc.ts";
import { suggestion } from "./nearest.ts";

export type ObjectNode = Extract<JsonNode, { kind: "object" }>;
type Report = (place: Place, message: string) => void;

/** The object with all fields of the templates it names with `use` (one name or a list; later ones and its own win). */
export function applyTemplates(
  node: ObjectNode,
  templates: ReadonlyMap<string, JsonEntry>,
  report: Report,
  chain: readonly string[] = [],
): ObjectNode {
  const use = node.entries.get("use");
  if (!use) return node;
  let merged = new Map<string, JsonEntry>();
  for (const { name, place } of templateNames(use.node, report)) {
    const template = templates.get(name);
    if (!template) report(place, `there is no template "${name}"${suggestion(name, [...templates.keys()])}`);
    else if (chain.includes(name)) {
      report(place, `templates use each other in a circle: ${[...chain, name].join(" → ")}`);
    } else if (template.node.kind !== "object") report(template.node.place, `expected the fields of a template in {}`);
    else {
      merged = merge(merged, applyTemplates(template.node, templates, report, [...chain, name]).entries);
    }
  }
  const own = new Map(node.entries);
  own.delete("use");
  return { ...node, entries: merge(merged, own) };
}

function templateNames(use: JsonNode, report: Report): { name: string; place: Place }[] {
  const nodes = use.kind === "array" ? use.items : [use];
  return nodes.flatMap((node) => {
    if (node.kind === "scalar" && typeof node.value === "string") return [{ name: node.value, place: node.place }];
    report(node.place, `"use" expects the name of a template, or a list of names`);
    return [];
  });
}

function merge(below: ReadonlyMap<string, JsonEntry>, above: ReadonlyMap<string, JsonEntry>): Map<string, JsonEntry> {
  const merged = new Map(below);
  for (const [key, entry] of above) {
    const under = merged.get(key);
    if (under?.node.kind === "object" && entry.node.kind === "object") {
      merged.set(key, {
        key: entry.key,
        node: { ...entry.node, entries: merge(under.node.entries, entry.node.entries) },
      });
    } else merged.set(key, entry);
  }
  return merged;
}
