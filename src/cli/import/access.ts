// permit and deny lines, of acl.conf and of sections in pjsip.conf.
import type { ConfFile, ConfLine } from "./conf.ts";
import type { ObjectDrafts } from "./drafts.ts";
import { fitList } from "./values.ts";

const CLOSED = ["deny 0.0.0.0/0", "deny ::/0"];

/** The rules in their order. One that cannot be read closes the list, as Asterisk does not load it either. */
export function accessRules(lines: readonly ConfLine[], drafts: ObjectDrafts, subject: string): readonly string[] {
  const schema = drafts.target.field("aclList", "rules")?.schema;
  const rules: string[] = [];
  let closed = false;
  for (const line of lines) {
    const word = line.name.toLowerCase().endsWith("permit") ? "permit" : "deny";
    const items = line.value.split(",").map((one) => one.trim()).filter((one) => one !== "");
    const texts = items.map((item) => `${word} ${item}`);
    const fitted = schema && fitList(schema, texts);
    if (!fitted || "why" in fitted) {
      closed = true;
      drafts.report.changed(line, `${subject} ${line.name}: not an address or network; the list lets nobody in`);
    } else {
      rules.push(...texts);
      drafts.report.taken(line, `${subject} ${line.name}`);
    }
  }
  return closed ? CLOSED : rules;
}

/** acl.conf: named lists. */
export function importAcl(conf: ConfFile, drafts: ObjectDrafts): void {
  for (const section of conf.sections) {
    if (section.template || section.name.toLowerCase() === "general") continue;
    const isRule = (line: ConfLine) => /^(permit|deny)$/i.test(line.name);
    const draft = drafts.open("acl_list", section.name, section);
    for (const line of section.lines.filter((one) => !isRule(one))) {
      drafts.report.missing(line, `[${section.name}] ${line.name} is not an option of a list`);
    }
    const rules = section.lines.filter(isRule);
    if (draft) {
      drafts.report.taken(section, `[${section.name}] list`);
      draft.values["rules"] = accessRules(rules, drafts, `[${section.name}]`);
    } else {for (const line of rules) {
        drafts.report.missing(line, `[${section.name}] ${line.name}: the list was left out`);
      }}
  }
}
