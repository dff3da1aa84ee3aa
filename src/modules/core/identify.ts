import type { ServiceUser } from "../../kernel/module.ts";
import type { Identifiers, IdentifyResult } from "../../kernel/services.ts";
import type { InboundContext } from "../../kernel/stages.ts";

type Identify = Parameters<Identifiers["add"]>[1];

interface Entry {
  readonly name: string | undefined;
  readonly identify: Identify;
  readonly user: Pick<ServiceUser, "fault">;
}

/** Who can tell which endpoint a request is from, in the order of `endpointIdentifierOrder`. */
export class IdentifierTable {
  readonly #entries = new Set<Entry>();
  #sorted: readonly Entry[] = [];
  #order: readonly string[] = [];

  setOrder(order: readonly string[]): void {
    this.#order = order;
    this.#sort();
  }

  get order(): readonly string[] {
    return this.#sorted.map(({ name }) => name ?? "");
  }

  add(entry: Entry): () => void {
    this.#entries.add(entry);
    this.#sort();
    return () => {
      this.#entries.delete(entry);
      this.#sort();
    };
  }

  /** Those without a name come first, those the option does not list last. */
  #sort(): void {
    const place = ({ name }: Entry) => {
      if (name === undefined) return -1;
      const at = this.#order.indexOf(name);
      return at < 0 ? this.#order.length : at;
    };
    this.#sorted = [...this.#entries].sort((a, b) => place(a) - place(b));
  }

  /** The first hit wins; every attempt is noted. */
  identify(context: InboundContext): IdentifyResult["endpoint"] {
    for (const { name, identify, user } of this.#sorted) {
      try {
        const { endpoint, looked, result } = identify(context.request, context.flow);
        context.tried.push({ identifier: name ?? "", looked, result });
        if (endpoint) return endpoint;
      } catch (error) {
        user.fault("identifier", error);
      }
    }
    return undefined;
  }
}
