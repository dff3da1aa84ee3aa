// pjsip_notify.conf: requests an operator may send, by name.
import type { ConfFile } from "./conf.ts";
import type { Manifest } from "./drafts.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";

/** Each section is a template of the module `notify`: its lines in order. */
export function importNotify(
  conf: ConfFile,
  { target, manifest, report }: { readonly target: Target; readonly manifest: Manifest; readonly report: Report },
): void {
  const templates: Record<string, (readonly [string, string])[]> = {};
  for (const section of conf.sections) {
    for (const line of section.lines) {
      const text = `[${section.name}] ${line.name}`;
      if (section.name === "general") report.missing(line, `${text}: the name general is reserved`);
      else if (!target.has("notify")) report.missing(line, `${text}: the module notify is not loaded`);
      else {
        (templates[section.name] ??= []).push([line.name, line.value]);
        report.taken(line, text);
      }
    }
  }
  if (manifest.notify && Object.keys(templates).length > 0) manifest.notify.templates = templates;
}
