// pjsip_notify.conf: requests an operator may send, by name.
import type { ConfFile } from "./conf.ts";
import type { Manifest } from "./drafts.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";

/** Each section is one NOTIFY; there is a counterpart when the module `notify` is here. */
export function importNotify(
  conf: ConfFile,
  { report }: { readonly target: Target; readonly manifest: Manifest; readonly report: Report },
): void {
  for (const section of conf.sections) {
    for (const line of section.lines) {
      report.missing(line, `[${section.name}] ${line.name}: there is no module for it yet`);
    }
  }
}
