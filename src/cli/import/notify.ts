// pjsip_notify.conf: requests an operator may send, by name.
import * as v from "valibot";
import type { ConfFile } from "./conf.ts";
import type { Manifest } from "./drafts.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";

/** What belongs to the request itself. */
const reserved = new Set([
  "call-id",
  "contact",
  "content-length",
  "cseq",
  "from",
  "record-route",
  "request-uri",
  "route",
  "to",
  "via",
]);

/** Each section is one NOTIFY: its lines in their order, without those that cannot be set. */
export function importNotify(
  conf: ConfFile,
  { target, manifest, report }: { readonly target: Target; readonly manifest: Manifest; readonly report: Report },
): void {
  const schema = target.option("notify", "templates")?.schema;
  const templates: Record<string, [string, string][]> = {};
  for (const section of conf.sections) {
    if (section.template) continue;
    const taken: [string, string][] = [];
    let event = false;
    for (const line of section.lines) {
      const subject = `[${section.name}] ${line.name}`;
      const isEvent = line.name.toLowerCase() === "event";
      const pair: [string, string] = [line.name, line.value];
      if (!schema) report.missing(line, `${subject}: notify is not loaded`);
      else if (section.name.toLowerCase() === "general") report.missing(line, `${subject}: no option is known`);
      else if (isEvent && event) report.missing(line, `${subject}: there is one already`);
      else if (reserved.has(line.name.toLowerCase()) || !v.safeParse(schema, { one: [pair] }).success) {
        report.missing(line, `${subject} cannot be set`);
      } else {
        taken.push(pair);
        report.taken(line, subject);
      }
      event ||= isEvent;
    }
    if (taken.length > 0) templates[section.name] = taken;
  }
  if (Object.keys(templates).length > 0) (manifest["notify"] ??= {})["templates"] = templates;
}
