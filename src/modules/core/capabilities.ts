import type { Capabilities } from "../../kernel/services.ts";

type What = Parameters<Capabilities["add"]>[0];

/** What the loaded modules understand together: the values of Allow, Supported and Accept. */
export class CapabilityTable {
  readonly #added = new Set<What>();
  methods: readonly string[] = [];
  optionTags: readonly string[] = [];
  bodyTypes: readonly string[] = [];
  allow = "";
  supported = "";
  accept = "";

  /** Answers the way to take it back. */
  add(what: What): () => void {
    this.#added.add(what);
    this.#join();
    return () => {
      this.#added.delete(what);
      this.#join();
    };
  }

  #join(): void {
    const all = (
      pick: (what: What) => readonly string[] | undefined,
    ) => [...new Set([...this.#added].flatMap((what) => pick(what) ?? []))];
    this.methods = all((what) => what.methods);
    this.optionTags = all((what) => what.optionTags);
    this.bodyTypes = all((what) => what.bodyTypes);
    this.allow = this.methods.join(", ");
    this.supported = this.optionTags.join(", ");
    this.accept = this.bodyTypes.join(", ");
  }
}
