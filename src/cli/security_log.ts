import type { Events } from "../kernel/events.ts";
import { escapeLogged } from "../kernel/log.ts";

const WINDOW_MS = 60_000;
const LINES = 10; // per window, event and source
const MAX_SOURCES = 4096;

/**
 * Security events as lines that the fail2ban filters for Asterisk read. The same event of one source is written ten times
 * a minute at most; what was left out is said with the next one.
 */
export class SecurityLog {
  readonly #sources = new Map<string, { since: number; lines: number; left: number }>();

  constructor(readonly write: (line: string) => void, readonly pid: number) {}

  /** `at`: wall clock, ms. */
  event({ event, severity, fields }: Events["security"], at: number): void {
    const source = `${event} ${(fields.RemoteAddress ?? "").split("/").slice(0, 3).join("/")}`;
    const seen = this.#sources.get(source);
    if (seen && at - seen.since < WINDOW_MS) {
      if (++seen.lines > LINES) return void seen.left++;
    } else {
      this.#sources.delete(source);
      if (this.#sources.size >= MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value ?? "");
      this.#sources.set(source, { since: at, lines: 1, left: 0 });
    }
    const left = seen && at - seen.since >= WINDOW_MS && seen.left > 0 ? { Suppressed: String(seen.left) } : {};
    const time = new Date(at).toISOString();
    const pairs = {
      SecurityEvent: event,
      EventTV: time.replace("Z", "+0000"),
      Severity: severity,
      Service: "PJSIP",
      EventVersion: "2",
      ...fields,
      ...left,
    };
    const text = Object.entries(pairs).map(([name, value]) => `${name}="${escapeLogged(value)}"`).join(",");
    this.write(`[${time.slice(0, 19).replace("T", " ")}] SECURITY[${this.pid}] patchbay: ${text}`);
  }
}
