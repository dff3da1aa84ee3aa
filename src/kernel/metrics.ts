/** Counters and gauges of one module; the kernel puts the module's name before each. */
export interface Metrics {
  /** Adds `by` (1) to a counter; labels have few values. */
  count(name: string, by?: number, labels?: Readonly<Record<string, string>>): void;
  /** A gauge read when somebody looks. */
  gauge(name: string, read: () => number): void;
}

interface Gauge {
  readonly name: string;
  readonly read: () => number;
}

/** All counters and gauges of a server. Counters outlive a reload of their module. */
export class MetricsRegistry {
  /** By `module.name`, with labels as `module.name{a="b"}`. */
  readonly counters = new Map<string, number>();
  readonly #gauges = new Set<Gauge>();

  count(name: string, by = 1, labels?: Readonly<Record<string, string>>): void {
    const key = labels ? name + labelText(labels) : name;
    this.counters.set(key, (this.counters.get(key) ?? 0) + by);
  }

  gauge(name: string, read: () => number): () => void {
    const gauge: Gauge = { name, read };
    this.#gauges.add(gauge);
    return () => this.#gauges.delete(gauge);
  }

  /** Prometheus text exposition 0.0.4: `patchbay_registrar_added_total 3`. */
  prometheus(): string {
    const families = new Map<string, string[]>();
    const add = (family: string, kind: string, line: string) => {
      const lines = families.get(family) ?? [`# TYPE ${family} ${kind}`];
      lines.push(line);
      families.set(family, lines);
    };
    for (const [key, value] of this.counters) {
      const brace = key.indexOf("{");
      const family = metricName(brace < 0 ? key : key.slice(0, brace)) + "_total";
      add(family, "counter", `${family}${brace < 0 ? "" : key.slice(brace)} ${value}`);
    }
    for (const { name, read } of this.#gauges) {
      const family = metricName(name);
      add(family, "gauge", `${family} ${read()}`);
    }
    return [...families].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([, lines]) => lines).join("\n") + "\n";
  }
}

const metricName = (name: string): string => "patchbay_" + name.replace(/[^a-zA-Z0-9_]/g, "_");

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return "";
  const escaped = (value: string) => value.slice(0, 128).replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
  return `{${pairs.sort().map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}
