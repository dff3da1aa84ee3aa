// pjsip_wizard.conf: one section becomes endpoint, aor, auths, identify and registrations.
import type { ConfFile, ConfLine, ConfSection } from "./conf.ts";
import type { ObjectDrafts } from "./drafts.ts";
import { importObject } from "./pjsip.ts";
import { readBool } from "./values.ts";

/** A hint that a wizard asks for. */
export interface WizardHint {
  readonly context: string;
  readonly extension: string;
  readonly device: string;
  readonly application: string | undefined;
}

const PREFIXES = ["endpoint", "aor", "inbound_auth", "outbound_auth", "identify", "registration", "phoneprov"];
const PLAIN = new Set([
  "type",
  "sends_auth",
  "accepts_auth",
  "sends_registrations",
  "sends_line_with_registrations",
  "accepts_registrations",
  "has_phoneprov",
  "has_hint",
  "transport",
  "remote_hosts",
  "outbound_proxy",
  "server_uri_pattern",
  "client_uri_pattern",
  "contact_pattern",
  "hint_context",
  "hint_exten",
  "hint_application",
]);

/** Expands every wizard; answers the hints they ask for. */
export function importWizards(conf: ConfFile, drafts: ObjectDrafts): readonly WizardHint[] {
  const hints: WizardHint[] = [];
  for (const section of conf.sections) {
    if (section.template) continue;
    if (section.lines.findLast((line) => line.name === "type")?.value !== "wizard") {
      drafts.report.missing(section, `[${section.name}] is not a wizard: it has no type=wizard`);
      for (const line of section.lines) drafts.report.missing(line, `[${section.name}] ${line.name}: not a wizard`);
      continue;
    }
    const hint = new Wizard(section, drafts).expand();
    if (hint) hints.push(hint);
  }
  return hints;
}

class Wizard {
  readonly id: string;
  readonly hosts: readonly string[];

  constructor(readonly section: ConfSection, readonly drafts: ObjectDrafts) {
    this.id = section.name;
    this.hosts = (this.#text("remote_hosts") ?? "").split(",").map((host) => host.trim()).filter((host) => host !== "");
  }

  expand(): WizardHint | undefined {
    this.#sayWhatIsKnown();
    const line = this.#flag("sends_line_with_registrations");
    const needsHosts = this.#flag("sends_registrations") || (!this.#flag("accepts_registrations") && !line);
    if (needsHosts && this.hosts.length === 0) {
      this.drafts.report.missing(
        this.section,
        `[${this.id}] wizard: remote_hosts is missing, so nothing says where it is`,
      );
    }
    const out = this.#flag("sends_auth") ? this.#auth("outbound_auth", "oauth") : undefined;
    const into = this.#flag("accepts_auth") ? this.#auth("inbound_auth", "iauth") : undefined;
    this.#aor();
    this.#object("endpoint", this.id, "endpoint", [
      ["aors", this.id],
      ["transport", this.#text("transport")],
      ["outbound_proxy", this.#text("outbound_proxy")],
      ["outbound_auth", out],
      ["auth", into],
    ]);
    if (!this.#flag("accepts_registrations") && !line && this.hosts.length > 0) {
      const match = this.#own("identify").some(({ name }) => name === "match") ? [] : this.hosts;
      this.#object("identify", `${this.id}-identify`, "identify", [
        ["endpoint", this.id],
        ...match.map((host): Pair => ["match", host]),
      ]);
    }
    if (this.#flag("sends_registrations")) this.#registrations(out, line);
    if (this.#flag("has_phoneprov")) {
      this.#object("phoneprov", `${this.id}-phoneprov`, "phoneprov", [["endpoint", this.id]]);
    }
    return this.#hint();
  }

  #registrations(auth: string | undefined, line: boolean): void {
    if (this.#flag("sends_auth") && auth === undefined) return; // told where the auth is missing
    const server = this.#text("server_uri_pattern") ?? "sip:${REMOTE_HOST}";
    const client = this.#text("client_uri_pattern") ?? "sip:${USERNAME}@${REMOTE_HOST}";
    for (const [at, host] of this.hosts.entries()) {
      this.#object("registration", `${this.id}-reg-${at}`, "registration", [
        ["server_uri", server === "" ? undefined : this.#pattern(server, host)],
        ["client_uri", client === "" ? undefined : this.#pattern(client, host)],
        ["outbound_auth", auth],
        ["transport", this.#text("transport")],
        ["outbound_proxy", this.#text("outbound_proxy")],
        ["line", line ? "yes" : undefined],
        ["endpoint", line ? this.id : undefined],
      ]);
    }
  }

  #aor(): void {
    const pattern = this.#text("contact_pattern") ?? "sip:${REMOTE_HOST}";
    const given = this.#own("aor").some(({ name }) => name === "contact") || pattern === "";
    this.#object("aor", this.id, "aor", [
      ...(given ? [] : this.hosts).map((host): Pair => ["contact", this.#pattern(pattern, host)]),
      ["outbound_proxy", this.#text("outbound_proxy")],
    ]);
  }

  #auth(prefix: string, suffix: string): string | undefined {
    const id = `${this.id}-${suffix}`;
    const own = this.#own(prefix);
    if (!own.some(({ name }) => name === "username")) {
      this.drafts.report.missing(this.section, `[${this.id}] wizard: ${prefix}/username is missing`);
      // Who is to show a password and none is known: the reference stays, and nobody gets in.
      return suffix === "iauth" ? id : undefined;
    }
    const typed = own.some(({ name }) => name === "auth_type");
    this.#object("auth", id, prefix, typed ? [] : [["auth_type", "userpass"]]);
    return id;
  }

  #hint(): WizardHint | undefined {
    const extension = this.#text("hint_exten") ?? "";
    if (!this.#flag("has_hint") || extension === "") return undefined;
    const context = this.#text("hint_context") ??
      this.#own("endpoint").findLast(({ name }) => name === "context")?.value;
    const device = `PJSIP/${this.id}`;
    return { context: context ?? "default", extension, device, application: this.#text("hint_application") };
  }

  /** Own options first, those of the wizard after them: of single values the later counts. */
  #object(type: string, id: string, prefix: string, more: readonly Pair[]): void {
    const { file, line } = this.section;
    const made = more.flatMap(([name, value]) =>
      value === undefined || value === "" ? [] : [{ name, value, file, line }]
    );
    importObject(type, id, this.section, [...this.#own(prefix), ...made], this.drafts);
  }

  #pattern(pattern: string, host: string): string {
    const user = this.#flag("sends_auth")
      ? this.#own("outbound_auth").findLast(({ name }) => name === "username")?.value ?? this.id
      : this.id;
    return pattern.replaceAll("${REMOTE_HOST}", host).replaceAll("${USERNAME}", user);
  }

  /** Options `prefix/name`, without the prefix. */
  #own(prefix: string): readonly ConfLine[] {
    return this.section.lines.filter((line) => line.name.startsWith(`${prefix}/`))
      .map((line) => ({ ...line, name: line.name.slice(prefix.length + 1) }));
  }

  #text(name: string): string | undefined {
    return this.section.lines.findLast((line) => line.name === name)?.value;
  }

  #flag(name: string): boolean {
    return readBool(this.#text(name) ?? "no") === true;
  }

  #sayWhatIsKnown(): void {
    for (const line of this.section.lines) {
      const [prefix = "", option] = line.name.split("/", 2);
      if (option === undefined && PLAIN.has(line.name)) {
        this.drafts.report.taken(line, `[${this.id}] wizard ${line.name}`);
      } else if (option === undefined || !PREFIXES.includes(prefix)) {
        this.drafts.report.missing(line, `[${this.id}] wizard ${line.name}: there is no such option`);
      } else if (!this.#makes(prefix)) {
        this.drafts.report.missing(line, `[${this.id}] wizard ${line.name}: this wizard makes no such object`);
      }
    }
  }

  #makes(prefix: string): boolean {
    switch (prefix) {
      case "inbound_auth":
        return this.#flag("accepts_auth");
      case "outbound_auth":
        return this.#flag("sends_auth");
      case "registration":
        return this.#flag("sends_registrations");
      case "phoneprov":
        return this.#flag("has_phoneprov");
      case "identify":
        return !this.#flag("accepts_registrations") && !this.#flag("sends_line_with_registrations");
      default:
        return true;
    }
  }
}

type Pair = readonly [name: string, value: string | undefined];
