// pjsip.conf into objects: every section type and option that a module of ours declares.
import { isIPv6 } from "node:net";
import type { ConfFile, ConfLine, ConfSection } from "./conf.ts";
import type { Draft, ObjectDrafts } from "./drafts.ts";
import { accessRules } from "./access.ts";
import { plainName } from "./target.ts";
import { fit } from "./values.ts";

/** What Asterisk puts where the file says nothing and we would put something else. */
const asteriskDefaults = { defaultRealm: "asterisk", defaultFromUser: "asterisk" } as const;

/** Reads every section. Sections of other kinds of file (the wizard's) come the same way. */
export function importPjsip(conf: ConfFile, drafts: ObjectDrafts): void {
  for (const section of conf.sections) if (!section.template) importSection(section, drafts);
  const global = drafts.find("global", "") ?? openGlobal(conf, drafts);
  if (!global) return;
  for (const [key, value] of Object.entries(asteriskDefaults)) {
    if (global.values[key] !== undefined || !drafts.target.field("global", key)) continue;
    global.values[key] = value;
    drafts.report.changed(
      global.where,
      `[global] ${key} is written as "${value}", which Asterisk takes when nothing is said`,
    );
  }
}

function openGlobal(conf: ConfFile, drafts: ObjectDrafts): Draft | undefined {
  const first = conf.sections[0];
  return first && drafts.open("global", "global", { file: first.file, line: 1 });
}

function importSection(section: ConfSection, drafts: ObjectDrafts): void {
  const typeLine = section.lines.findLast((line) => line.name.toLowerCase() === "type");
  if (!typeLine) {
    drafts.report.missing(section, `[${section.name}] has no type`);
    for (const line of section.lines) {
      drafts.report.missing(line, `[${section.name}] ${line.name}: the section has no type`);
    }
    return;
  }
  importObject(typeLine.value, section.name, section, section.lines, drafts);
}

/** One object of a type and its lines. */
export function importObject(
  typeName: string,
  id: string,
  where: { readonly file: string; readonly line: number },
  lines: readonly ConfLine[],
  drafts: ObjectDrafts,
): Draft | undefined {
  const draft = drafts.open(typeName, id, where);
  if (!draft) {
    for (const line of lines) drafts.report.missing(line, `[${id}] ${line.name}: the object was left out`);
    return undefined;
  }
  drafts.report.taken(where, `[${id}] ${draft.target.type}`);
  let rest: readonly ConfLine[] = lines.filter((line) => {
    if (line.name.toLowerCase() === "type") drafts.report.taken(line, `[${id}] type`);
    return line.name.toLowerCase() !== "type";
  });
  for (const step of special[draft.target.type] ?? []) rest = step(draft, rest, drafts);
  drafts.fill(draft, rest);
  return draft;
}

/** Takes the lines it understands and answers the others. */
type Step = (draft: Draft, lines: readonly ConfLine[], drafts: ObjectDrafts) => readonly ConfLine[];

const named = (...names: readonly string[]) => {
  const wanted = new Set(names.map(plainName));
  return (line: ConfLine) => wanted.has(plainName(line.name));
};

/** `protocol` and `bind` are one field here. */
const bind: Step = (draft, lines, drafts) => {
  const isProtocol = named("protocol");
  const isBind = named("bind");
  const protocolLine = lines.findLast(isProtocol);
  const bindLine = lines.findLast(isBind);
  const field = drafts.target.field("transport", "bind");
  const protocol = protocolLine?.value.toLowerCase() ?? "udp";
  if (bindLine && field) {
    const address = isIPv6(bindLine.value) ? `[${bindLine.value}]` : bindLine.value;
    const text = `${protocol}:${address}`;
    const fitted = fit(field.schema, text);
    if ("value" in fitted) {
      drafts.set(draft, field.key, text, bindLine);
      drafts.report.taken(bindLine, `[${draft.id}] transport bind`);
      if (protocolLine) drafts.report.taken(protocolLine, `[${draft.id}] transport protocol`);
    } else {
      drafts.report.missing(bindLine, `[${draft.id}] transport bind: ${fitted.why}`);
      if (protocolLine) drafts.report.missing(protocolLine, `[${draft.id}] transport protocol: ${protocol}`);
    }
  } else if (protocolLine) drafts.report.missing(protocolLine, `[${draft.id}] transport protocol: there is no bind`);
  return lines.filter((line) => !isProtocol(line) && !isBind(line));
};

/** TLS versions below 1.2 are not spoken; the words for "whatever is best" need no option. */
const tlsMethod: Step = (draft, lines, drafts) => {
  const isMethod = named("method");
  for (const line of lines.filter(isMethod)) {
    const method = line.value.toLowerCase();
    if (["tlsv1", "tlsv1_1", "sslv2", "sslv3", "sslv23"].includes(method)) {
      drafts.report.changed(line, `[${draft.id}] transport method ${method} is not spoken any more: 1.2 and later are`);
    } else if (method === "default" || method === "unspecified" || method === "") {
      drafts.report.taken(line, `[${draft.id}] transport method`);
    } else drafts.fill(draft, [line]);
  }
  return lines.filter((line) => !isMethod(line));
};

/** What `all` is in Asterisk, in its order. */
const everyCodec = [
  ...["g723", "ulaw", "alaw", "gsm", "g726", "g726aal2", "adpcm", "slin", "slin16", "lpc10", "g729"],
  ...["speex", "speex16", "speex32", "ilbc", "g722", "siren7", "siren14", "g719", "opus"],
  ...["h261", "h263", "h263p", "h264", "mpeg4", "vp8", "vp9", "h265"],
];

/** `allow` and `disallow` in their order give one list: Asterisk begins with none. */
const codecs: Step = (draft, lines, drafts) => {
  const isAllow = named("allow");
  const isCodec = named("allow", "disallow");
  const field = drafts.target.field("endpoint", "allow");
  if (!field) return lines;
  let list: string[] = [];
  for (const line of lines.filter(isCodec)) {
    const unknown: string[] = [];
    for (const item of line.value.split(",").map((one) => one.trim().toLowerCase()).filter((one) => one !== "")) {
      const not = isAllow(line) === item.startsWith("!");
      const name = item.replace(/^!/, "");
      if (name === "all") list = not ? [] : everyCodec.filter((one) => "value" in fit(field.schema, one));
      else if (!("value" in fit(field.schema, name))) unknown.push(name);
      else {
        list = list.filter((one) => one.split(":")[0] !== name.split(":")[0]);
        if (!not) list.push(name);
      }
    }
    const subject = `[${draft.id}] endpoint ${line.name}`;
    if (unknown.length === 0) drafts.report.taken(line, subject);
    else drafts.report.changed(line, `${subject}: without ${unknown.join(", ")}, which is not spoken here`);
  }
  drafts.set(draft, field.key, list, draft.where);
  return lines.filter((line) => !isCodec(line));
};

/** Access lists keep the order of their lines; the last that matches decides. */
const access: Step = (draft, lines, drafts) => {
  let rest = lines;
  for (const prefix of ["", "contact_"]) {
    const isRule = named(`${prefix}permit`, `${prefix}deny`);
    const rules = rest.filter(isRule);
    if (rules.length === 0) continue;
    rest = rest.filter((line) => !isRule(line));
    const own = drafts.target.field(draft.target.type, `${prefix}rules`);
    const list = drafts.target.field(draft.target.type, `${prefix}acl`);
    const texts = accessRules(rules, drafts, `[${draft.id}] ${draft.target.type}`);
    if (own) drafts.set(draft, own.key, texts, rules[0] ?? draft.where);
    else if (list) {
      const name = `${draft.id}-${prefix === "" ? "acl" : "contact-acl"}`;
      const made = drafts.open("acl_list", name, rules[0] ?? draft.where);
      if (made) made.values["rules"] = texts;
      else drafts.closedList(name, draft.where);
      const isList = named(`${prefix}acl`);
      const names = rest.filter(isList).flatMap((line) => line.value.split(",")).map((one) => one.trim());
      for (const line of rest.filter(isList)) drafts.report.taken(line, `[${draft.id}] ${line.name}`);
      rest = rest.filter((line) => !isList(line));
      drafts.set(draft, list.key, [...names.filter((one) => one !== ""), name], rules[0] ?? draft.where);
    }
  }
  return rest;
};

const special: Readonly<Record<string, readonly Step[]>> = {
  transport: [bind, tlsMethod],
  endpoint: [codecs, access],
  acl: [access],
};
