// Reads Asterisk's configuration format: sections, templates, (+) additions, includes, comments.

/** One `name = value` or `name => value` line. */
export interface ConfLine {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  readonly line: number; // from 1
}

export interface ConfSection {
  readonly name: string;
  readonly template: boolean; // [x](!): only inherited from
  readonly file: string;
  readonly line: number;
  /** Inherited lines first, in the order of the templates, then its own. */
  readonly lines: readonly ConfLine[];
}

export interface ConfRemark {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** What the line says was carried out in another way; else it was left out. */
  readonly changed?: true;
}

export interface ConfFile {
  readonly sections: readonly ConfSection[];
  readonly remarks: readonly ConfRemark[]; // what could not be taken, in the user's words
}

/** Answers the text of a file named as in an #include, or undefined; a pattern with * may answer several. */
export type ConfSource = (name: string) => readonly { readonly file: string; readonly text: string }[];

interface OpenSection {
  name: string;
  template: boolean;
  file: string;
  line: number;
  lines: ConfLine[];
}

const MAX_INCLUDE_DEPTH = 16;
const MAX_FILES = 1000; // read for one file with all that it includes

/** Reads `name` and all that it includes. A missing file has no sections. */
export function readConf(name: string, source: ConfSource): ConfFile {
  const sections: OpenSection[] = [];
  const latest = new Map<string, OpenSection>(); // by name
  const remarks: ConfRemark[] = [];
  let files = 0;
  let current: OpenSection | undefined;

  function open(header: RegExpMatchArray, file: string, line: number): void {
    const name = (header[1] ?? "").trim();
    const options = (header[2] ?? "").split(",").map((o) => o.trim()).filter((o) => o !== "");
    if (options.includes("+")) {
      const earlier = latest.get(name);
      if (earlier) {
        for (const parent of options.filter((o) => o !== "+" && o !== "!")) inherit(earlier, parent, file, line);
        current = earlier;
        return;
      }
      remarks.push({
        file,
        line,
        text: `[${name}](+) adds to a section that does not exist before it; taken as a new one`,
        changed: true,
      });
    }
    current = { name, template: options.includes("!"), file, line, lines: [] };
    for (const parent of options.filter((o) => o !== "!" && o !== "+")) inherit(current, parent, file, line);
    sections.push(current);
    latest.set(name, current);
  }

  function inherit(section: OpenSection, parent: string, file: string, line: number): void {
    const template = latest.get(parent);
    if (template) section.lines.push(...template.lines);
    else {remarks.push({
        file,
        line,
        text: `[${section.name}] inherits from [${parent}], which does not exist before it`,
      });}
  }

  function assign(text: string, file: string, line: number): void {
    const at = text.indexOf("=");
    if (at < 0) {
      remarks.push({ file, line, text: `there is no "=" in this line` });
      return;
    }
    if (!current) {
      remarks.push({ file, line, text: "this line stands before the first section" });
      return;
    }
    let name = text.slice(0, at).trim();
    let value = text.slice(at + 1);
    if (value.startsWith(">")) value = value.slice(1);
    value = value.trim();
    if (name.endsWith("+")) { // "a += b": appended to the last value of that name
      name = name.slice(0, -1).trim();
      const earlier = current.lines.findLastIndex((l) => l.name === name);
      const before = current.lines[earlier];
      if (before) {
        current.lines[earlier] = { ...before, value: before.value + value };
        return;
      }
    }
    current.lines.push({ name, value, file, line });
  }

  function directive(text: string, file: string, line: number, depth: number): void {
    const match = text.match(/^#\s*(\w+)\s*(.*)$/);
    const word = match?.[1]?.toLowerCase();
    if (word !== "include" && word !== "tryinclude") {
      remarks.push({ file, line, text: `"#${word ?? ""}" is not carried out` });
      return;
    }
    const target = (match?.[2] ?? "").trim().replace(/^["<]|[">]$/g, "");
    if (depth >= MAX_INCLUDE_DEPTH) {
      remarks.push({ file, line, text: `#include of ${target} is nested deeper than ${MAX_INCLUDE_DEPTH}` });
      return;
    }
    if (files >= MAX_FILES) {
      remarks.push({ file, line, text: `#include of ${target}: more than ${MAX_FILES} files are included` });
      return;
    }
    const found = source(target);
    if (found.length === 0 && word === "include") {
      remarks.push({ file, line, text: `#include of ${target}: no such file` });
    }
    for (const part of found) read(part.text, part.file, depth + 1);
  }

  function read(text: string, file: string, depth: number): void {
    files++;
    const strip = commentStripper();
    text.split(/\r?\n/).forEach((raw, index) => {
      const line = strip(raw).trim();
      if (line === "") return;
      const header = line.match(/^\[([^\]]*)\](?:\s*\(([^)]*)\))?/);
      if (header) open(header, file, index + 1);
      else if (line.startsWith("#")) directive(line, file, index + 1, depth);
      else assign(line, file, index + 1);
    });
  }

  for (const part of source(name)) read(part.text, part.file, 0);
  return { sections, remarks };
}

/** Takes comments out line by line: `; ...` to the end of the line, `;-- ... --;` over lines (nested), `\;` is a semicolon. */
function commentStripper(): (line: string) => string {
  let depth = 0;
  return (line) => {
    let kept = "";
    for (let i = 0; i < line.length; i++) {
      if (depth > 0) {
        if (line.startsWith("--;", i)) {
          depth--;
          i += 2;
        } else if (line.startsWith(";--", i) && line[i + 3] !== "-") {
          depth++;
          i += 2;
        }
      } else if (line[i] === "\\" && line[i + 1] === ";") {
        kept += ";";
        i++;
      } else if (line.startsWith(";--", i) && line[i + 3] !== "-") {
        depth++;
        i += 2;
      } else if (line[i] === ";") {
        break;
      } else {
        kept += line[i];
      }
    }
    return kept;
  };
}
