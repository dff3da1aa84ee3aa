import { configureSync, getJsonLinesFormatter, getLogger, getTextFormatter } from "@logtape/logtape";
import type { LogLevel, LogRecord } from "../kernel/log.ts";

const levels = {
  debug: "trace",
  verbose: "debug",
  info: "info",
  notice: "info",
  warning: "warning",
  error: "error",
} as const;

/** Lines on stderr, as text or as JSON. The answer writes one record. */
export function openLog(options: { readonly lowest: LogLevel; readonly json: boolean }): (record: LogRecord) => void {
  const format = options.json ? getJsonLinesFormatter() : getTextFormatter({ timestamp: "date-time-tz" });
  configureSync({
    reset: true,
    sinks: { stderr: (record) => void process.stderr.write(format(record)) },
    loggers: [
      { category: ["logtape"], sinks: [] },
      { category: ["patchbay"], sinks: ["stderr"], lowestLevel: levels[options.lowest] },
    ],
  });
  return ({ level, module, text, fields }) => {
    const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`).join("");
    const message = (options.json ? text : text + pairs).replace(/[{}]/g, "$&$&"); // braces are no placeholders
    getLogger(["patchbay", module])[methods[level]](message, fields);
  };
}

const methods = {
  debug: "trace",
  verbose: "debug",
  info: "info",
  notice: "info",
  warning: "warn",
  error: "error",
} as const;
