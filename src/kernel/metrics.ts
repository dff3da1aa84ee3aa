/** Counters and gauges of one module; the kernel puts the module's name before each. */
export interface Metrics {
  /** Adds `by` (1) to a counter; labels have few values. */
  count(name: string, by?: number, labels?: Readonly<Record<string, string>>): void;
  /** A gauge read when somebody looks. */
  gauge(name: string, read: () => number): void;
}
