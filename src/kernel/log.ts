export type LogLevel = "debug" | "verbose" | "info" | "notice" | "warning" | "error";

/** One line per call; `fields` go behind the text (or into the JSON record). Values from the wire are escaped here. */
export interface Logger {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  verbose(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  notice(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warning(text: string, fields?: Readonly<Record<string, unknown>>): void;
  error(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** One line before it is written: the values are escaped already. */
export interface LogRecord {
  readonly level: LogLevel;
  readonly module: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** A logger whose records carry a module's name. */
export function moduleLogger(module: string, write: (record: LogRecord) => void): Logger {
  const at = (level: LogLevel) => (text: string, fields: Readonly<Record<string, unknown>> = {}) => {
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
    const escaped = pairs.map(([name, value]) => [name, escapeLogged(fieldText(value))]);
    write({ level, module, text: escapeLogged(text, 2048), fields: Object.fromEntries(escaped) });
  };
  return {
    debug: at("debug"),
    verbose: at("verbose"),
    info: at("info"),
    notice: at("notice"),
    warning: at("warning"),
    error: at("error"),
  };
}

function fieldText(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** Control characters, quotes and backslashes as `\xNN`; 128 characters unless more are wanted. */
export function escapeLogged(text: string, characters = 128): string {
  const cut = text.length > characters ? text.slice(0, characters) + "..." : text;
  const hex = (char: string) => "\\x" + char.charCodeAt(0).toString(16).padStart(2, "0");
  return characters > 128 ? cut.replace(/\p{Cc}/gu, hex) : cut.replace(/[\p{Cc}"\\]/gu, hex);
}
