/** Thrown deep below a handler; the kernel answers with it. */
export class SipError extends Error {
  constructor(readonly status: number, readonly reason: string, options?: ErrorOptions) {
    super(`${status} ${reason}`, options);
  }
}

/** One fault the operator can mend, in their words. */
export interface ConfigFault {
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1
  readonly module?: string;
  readonly message: string; // what was expected, what was found, the nearest valid name
}

/** All faults of a manifest at once. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly ConfigFault[], options?: ErrorOptions) {
    super(faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`).join("\n"), options);
  }
}
