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
