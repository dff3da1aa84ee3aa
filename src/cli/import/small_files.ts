// rtp.conf, hep.conf, http.conf, ari.conf, musiconhold.conf, asterisk.conf: a few options each.
import { isIPv6 } from "node:net";
import { isAbsolute, join } from "node:path";
import type { ConfFile, ConfLine, ConfSection } from "./conf.ts";
import type { Manifest } from "./drafts.ts";
import type { ConfFolder } from "./folder.ts";
import type { Report } from "./report.ts";
import type { Target } from "./target.ts";
import { fit, fitList, readBool } from "./values.ts";

const section = (conf: ConfFile, name: string): readonly ConfLine[] =>
  conf.sections.filter((one) => !one.template && one.name.toLowerCase() === name).flatMap((one) => one.lines);

/** The lines of `[general]` as options of the first of these modules that has them. */
export function importOptions(
  conf: ConfFile,
  modules: readonly string[],
  around: { readonly target: Target; readonly manifest: Manifest; readonly report: Report },
): void {
  const { target, manifest, report } = around;
  for (const line of section(conf, "general")) {
    const name = modules.find((one) => target.option(one, line.name) !== undefined);
    const option = name === undefined ? undefined : target.option(name, line.name);
    if (name === undefined || !option) {
      report.missing(line, `${line.name}: there is no such option here`);
      continue;
    }
    const single = fit(option.schema, line.value, line.name);
    const fitted = "value" in single ? single : fitList(option.schema, [line.value]) ?? single;
    if ("why" in fitted) report.missing(line, `${line.name}: ${fitted.why}`);
    else {
      (manifest[name] ??= {})[option.key] = fitted.value;
      report.taken(line, `${name} ${option.key}`);
    }
  }
  others(conf, ["general"], report);
}

/** Sections a file of options does not have. */
function others(conf: ConfFile, known: readonly string[], report: Report): void {
  for (const one of conf.sections) {
    if (known.includes(one.name.toLowerCase())) continue;
    for (const line of [one, ...one.lines]) report.missing(line, `[${one.name}] has no counterpart`);
  }
}

/** Whether hep.conf turns the mirror on. */
export const wantsHep = (conf: ConfFile): boolean => {
  const lines = section(conf, "general");
  return lines.length > 0 && readBool(lines.findLast((line) => line.name === "enabled")?.value ?? "yes") === true;
};

/** The address of the HTTP endpoint, "192.0.2.1:8088"; undefined when it is not enabled. */
export function importHttp(conf: ConfFile, report: Report): string | undefined {
  const lines = section(conf, "general");
  const text = (name: string) => lines.findLast((line) => line.name.toLowerCase() === name)?.value;
  const enabled = readBool(text("enabled") ?? "no") === true;
  const host = text("bindaddr") ?? "0.0.0.0";
  const local = host.startsWith("127.") || host === "::1";
  for (const line of lines) {
    const name = line.name.toLowerCase();
    if (name === "enabled" || name === "bindport") report.taken(line, `HTTP API ${name}`);
    else if (name !== "bindaddr") report.missing(line, `${line.name}: there is no such option here`);
    else if (local) report.taken(line, "HTTP API bindaddr");
    else {
      report.changed(
        line,
        "the HTTP API listens on 127.0.0.1: what others can reach needs TLS (management.tls), or management.insecure",
      );
    }
  }
  others(conf, ["general"], report);
  if (!enabled) {
    if (conf.sections[0]) report.changed(conf.sections[0], "HTTP is not enabled: the manifest has no management");
    return undefined;
  }
  const bound = local ? host : "127.0.0.1";
  return `${isIPv6(bound) ? `[${bound}]` : bound}:${text("bindport") ?? "8088"}`;
}

/** A user of ARI: kept for a module that serves it. */
export interface AriUser {
  readonly name: string;
  readonly password: string;
  readonly readOnly: boolean;
  readonly crypt: boolean;
}

export function importAri(conf: ConfFile, report: Report): readonly AriUser[] {
  const users: AriUser[] = [];
  for (const one of conf.sections) {
    if (one.template) continue;
    const text = (name: string) => one.lines.findLast((line) => line.name.toLowerCase() === name)?.value;
    if (one.name.toLowerCase() === "general" || text("type") !== "user") {
      for (const line of one.lines) report.missing(line, `[${one.name}] ${line.name}: there is no such option here`);
      continue;
    }
    users.push({
      name: one.name,
      password: text("password") ?? "",
      readOnly: readBool(text("read_only") ?? "no") === true,
      crypt: text("password_format")?.toLowerCase() === "crypt",
    });
    for (const line of one.lines) {
      if (["type", "password", "read_only", "password_format"].includes(line.name.toLowerCase())) {
        report.changed(line, `[${one.name}] ${line.name}: kept in ari.json`);
      } else report.missing(line, `[${one.name}] ${line.name}: there is no such option here`);
    }
  }
  return users;
}

/** Folders of asterisk.conf that mean something here. */
export interface Directories {
  readonly sounds: string;
  readonly data: string;
}

export function importDirectories(conf: ConfFile, report: Report): Directories {
  let data = "/var/lib/asterisk";
  let language = "en";
  for (const line of section(conf, "directories")) {
    if (line.name.toLowerCase() === "astdatadir") {
      data = line.value;
      report.taken(line, "astdatadir: where sounds are");
    } else report.missing(line, `${line.name}: state, captures and logs are where the manifest is`);
  }
  for (const line of section(conf, "options")) {
    if (line.name.toLowerCase() === "defaultlanguage") {
      language = line.value;
      report.taken(line, "defaultlanguage: which sounds");
    } else report.missing(line, `[options] ${line.name} has no counterpart`);
  }
  others(conf, ["directories", "options"], report);
  return { sounds: join(data, "sounds", language), data };
}

/** The music of class "default": its first file, without its ending. */
export function importMusic(conf: ConfFile, data: string, folder: ConfFolder, report: Report): string | undefined {
  let music: string | undefined;
  for (const one of conf.sections) {
    if (one.template) continue;
    const directory = one.lines.findLast((line) => line.name.toLowerCase() === "directory");
    const found = directory && one.name.toLowerCase() === "default" ? firstSound(directory, data, folder) : undefined;
    music ??= found;
    for (const line of one.lines) tellMusic(one, line, found, report);
  }
  return music;
}

function firstSound(directory: ConfLine, data: string, folder: ConfFolder): string | undefined {
  const path = isAbsolute(directory.value) ? directory.value : join(data, directory.value);
  const first = folder.list(path).find((name) => /\.(wav|sln16|sln|ulaw|alaw)$/.test(name));
  return first === undefined ? undefined : join(path, first.replace(/\.\w+$/, ""));
}

function tellMusic(one: ConfSection, line: ConfLine, found: string | undefined, report: Report): void {
  const name = line.name.toLowerCase();
  if (found !== undefined && name === "directory") {
    report.changed(line, `[${one.name}] ${line.name}: its first sound is the music`);
  } else if (found !== undefined && name === "mode" && line.value === "files") {
    report.taken(line, `[${one.name}] ${line.name}`);
  } else report.missing(line, `[${one.name}] ${line.name} has no counterpart`);
}
