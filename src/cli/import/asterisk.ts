// A folder of Asterisk's configuration becomes a manifest and a report.
import type { AnyModule } from "../../kernel/configuration.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { importAcl } from "./access.ts";
import { type ConfFile, readConf } from "./conf.ts";
import { type Manifest, ObjectDrafts } from "./drafts.ts";
import { type ImportedContext, importExtensions } from "./extensions.ts";
import type { ConfFolder } from "./folder.ts";
import { type ManifestText, removeAt, writeManifest } from "./manifest_text.ts";
import { chooseModules } from "./modules_conf.ts";
import { importNotify } from "./notify.ts";
import { importPjsip } from "./pjsip.ts";
import { Report } from "./report.ts";
import {
  type AriUser,
  importAri,
  importDirectories,
  importHttp,
  importMusic,
  importOptions,
  wantsHep,
} from "./small_files.ts";
import { importSrtp } from "./srtp.ts";
import { Target } from "./target.ts";
import { importWizards, type WizardHint } from "./wizard.ts";

export interface Imported {
  readonly manifest: ManifestText;
  readonly report: Report;
  readonly ariUsers: readonly AriUser[];
}

/** Files that are read here. */
const known = [
  "acl.conf",
  "ari.conf",
  "asterisk.conf",
  "extensions.conf",
  "hep.conf",
  "http.conf",
  "modules.conf",
  "musiconhold.conf",
  "pjsip.conf",
  "pjsip_notify.conf",
  "pjsip_wizard.conf",
  "rtp.conf",
];

/** Every fault of a manifest; a test of the kernel that opens nothing. */
export type CheckText = (manifest: string) => Promise<void>;

/** Reads the folder. `check` throws a ConfigError for a manifest that would not start; what it names is left out. */
export async function importAsterisk(
  folder: ConfFolder,
  catalog: readonly AnyModule[],
  head: readonly string[],
  check: CheckText,
): Promise<Imported> {
  const report = new Report();
  const files = new Map(known.map((name) => [name, readConf(name, folder.source)]));
  const conf = (name: string): ConfFile => files.get(name) ?? { sections: [], remarks: [] };
  const asked = new Set<string>();
  const http = importHttp(conf("http.conf"), report);
  if (http !== undefined) asked.add("management");
  if (wantsHep(conf("hep.conf"))) asked.add("hep");
  const modules = chooseModules(catalog, conf("modules.conf"), asked, report);
  const target = new Target(modules);
  const manifest: Manifest = Object.fromEntries(
    modules.map((module): [string, Record<string, unknown>] => [module.name, {}]),
  );
  if (http !== undefined && manifest["management"]) manifest["management"]["bind"] = http;

  const drafts = new ObjectDrafts(target, new Target(catalog), report);
  importAcl(conf("acl.conf"), drafts);
  importPjsip(conf("pjsip.conf"), drafts);
  const hints = importWizards(conf("pjsip_wizard.conf"), drafts);
  const options = { target, manifest, report };
  const media = modules.map((module) => module.name).filter((name) =>
    name === "sdp_rtp" || name === "ice" || name === "srtp"
  );
  importOptions(conf("rtp.conf"), media, options);
  importOptions(conf("hep.conf"), ["hep"], options);
  importNotify(conf("pjsip_notify.conf"), options);

  const directories = importDirectories(conf("asterisk.conf"), report);
  const music = importMusic(conf("musiconhold.conf"), directories.data, folder, report);
  const contexts = importContexts(conf("extensions.conf"), hints, { sounds: directories.sounds, music }, options);
  drafts.settle(contexts);
  importSrtp(conf("modules.conf"), drafts, options);
  drafts.write(manifest);
  const ariUsers = importAri(conf("ari.conf"), report);
  for (const { remarks } of files.values()) {
    for (const one of remarks) one.changed ? report.changed(one, one.text) : report.missing(one, one.text);
  }
  tellTheRest(folder, files, report);
  return { manifest: await startable(manifest, head, check, report), report, ariUsers };
}

/** Puts the dialplan into the manifest; answers its contexts, which may still grow. */
function importContexts(
  conf: ConfFile,
  hints: readonly WizardHint[],
  places: { readonly sounds: string; readonly music: string | undefined },
  { manifest, report }: { readonly manifest: Manifest; readonly report: Report },
): Record<string, unknown> {
  const dialplan = importExtensions(conf);
  const contexts: Record<string, Mutable> = {};
  for (const [name, context] of Object.entries(dialplan.contexts)) contexts[name] = writable(context);
  for (const { context, extension, device, application } of hints) {
    const one = contexts[context] ??= { include: [], hints: {}, extensions: {} };
    if (one.hints[extension] !== undefined || one.extensions[extension] !== undefined) continue;
    one.hints[extension] = device;
    if (application !== undefined) one.extensions[extension] = [application];
  }
  const written: Record<string, unknown> = manifest["dialplan"] ?? {};
  for (const remark of dialplan.remarks) {
    if (remark.changed) report.changed(remark, remark.text);
    else report.missing(remark, remark.text);
  }
  for (const section of conf.sections) {
    for (const line of [section, ...section.lines]) {
      if (report.knows(line)) continue;
      if (manifest["dialplan"]) report.taken(line, `[${section.name}]`);
      else report.missing(line, `[${section.name}]: the dialplan is not loaded`);
    }
  }
  written["general"] = {
    imported: true,
    sounds: places.sounds,
    ...(places.music === undefined ? {} : { musicOnHold: places.music }),
  };
  if (Object.keys(dialplan.globals).length > 0) written["globals"] = dialplan.globals;
  for (const [name, { include, hints, extensions }] of Object.entries(contexts)) {
    const there = include.filter((one) => contexts[one] !== undefined);
    for (const gone of include.filter((one) => contexts[one] === undefined)) {
      const at = conf.sections.find((one) => one.name === name);
      if (at) report.missing(at, `[${name}] includes [${gone}], which does not exist`);
    }
    written[name] = {
      ...(there.length > 0 ? { include: there } : {}),
      ...(Object.keys(hints).length > 0 ? { hints } : {}),
      ...extensions,
    };
  }
  return written;
}

interface Mutable {
  include: string[];
  hints: Record<string, string>;
  extensions: Record<string, readonly string[]>;
}

const writable = ({ include, hints, extensions }: ImportedContext): Mutable => ({
  include: [...include],
  hints: { ...hints },
  extensions: { ...extensions },
});

/** No line without a word: templates nobody uses, and files of features that are not here. */
function tellTheRest(folder: ConfFolder, files: ReadonlyMap<string, ConfFile>, report: Report): void {
  for (const { sections } of files.values()) {
    for (const section of sections) {
      for (const line of section.lines) {
        if (report.knows(line)) continue;
        if (section.template) report.missing(line, `[${section.name}] is a template that nobody uses`);
        else report.missing(line, `[${section.name}] ${line.name} has no counterpart`);
      }
      if (section.lines.length === 0 && !report.knows(section)) report.taken(section, `[${section.name}]`);
    }
  }
  const read = new Set(report.entries.map((entry) => entry.file));
  for (const name of folder.files) {
    if (!known.includes(name) && !read.has(name)) {
      report.missing({ file: name, line: 1 }, "this file has no counterpart");
    }
  }
}

/** What keeps somebody out: a manifest without it would let them in. */
const guarding = new Set(["acl", "acls", "lists", "auths", "authenticator_digest"]);

const MOST_FAULTS = 200;

/** Leaves out what the check of the manifest does not take, and says so. What guards is never left out. */
async function startable(
  manifest: Manifest,
  head: readonly string[],
  check: CheckText,
  report: Report,
): Promise<ManifestText> {
  for (let left = MOST_FAULTS;; left--) {
    const written = writeManifest(manifest, head);
    try {
      await check(written.text);
      return written;
    } catch (error) {
      if (!(error instanceof ConfigError) || left === 0) throw error;
      const [fault] = error.faults;
      const path = written.paths[(fault?.line ?? 0) - 1] ?? [];
      const guards = path.some((step) => guarding.has(step)) || (path.length === 1 && path[0] === "core");
      if (!fault || path.length === 0 || guards || !removeAt(manifest, path)) throw error;
      report.missing({ file: "modules.json", line: fault.line }, `${path.join(".")}: ${fault.message}`);
    }
  }
}
