import type { Channel, Supplement } from "../../kernel/services.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";

/** Says where a module's code threw. */
export type Blame = (where: string, error: unknown) => void;

interface Entry {
  readonly supplement: Supplement;
  readonly blame: Blame;
}

/** What modules plugged into the requests and responses of sessions, in order: first, then unplaced, then last. */
export class Supplements {
  #entries: readonly Entry[] = [];

  /** Returns the way to take it out again. */
  add(supplement: Supplement, blame: Blame): () => void {
    const entry = { supplement, blame };
    const rank = (e: Entry) => e.supplement.at === "first" ? 0 : e.supplement.at === "last" ? 2 : 1;
    // Sorting is stable: within a place the order is that of loading.
    this.#entries = [...this.#entries, entry].sort((a, b) => rank(a) - rank(b));
    return () => this.#entries = this.#entries.filter((e) => e !== entry);
  }

  get methods(): readonly string[] {
    return [...new Set(this.#entries.filter((e) => e.supplement.incoming).map((e) => e.supplement.method))];
  }

  /** The first response; a module that throws fails this request with 500 and leaves the session alone. */
  async incoming(
    request: SipRequest,
    channel: Channel | undefined,
  ): Promise<SipResponse | { status: 500; reason: string } | undefined> {
    for (const { supplement, blame } of this.#entries) {
      if (supplement.method !== request.method || !supplement.incoming) continue;
      try {
        const response = await supplement.incoming(request, channel);
        if (response) return response;
      } catch (error) {
        blame(`supplement ${request.method}`, error);
        return { status: 500, reason: "Server Internal Error" };
      }
    }
    return undefined;
  }

  response(response: SipResponse, channel: Channel): void {
    const method = response.headers.get("CSeq")?.method;
    for (const { supplement, blame } of this.#entries) {
      if (supplement.method !== method || !supplement.response) continue;
      try {
        supplement.response(response, channel);
      } catch (error) {
        blame(`supplement response ${method}`, error);
      }
    }
  }

  outgoing(message: SipRequest | SipResponse, channel: Channel): void {
    const method = message.kind === "request" ? message.method : message.headers.get("CSeq")?.method;
    for (const { supplement, blame } of this.#entries) {
      if (supplement.method !== method || !supplement.outgoing) continue;
      try {
        supplement.outgoing(message, channel);
      } catch (error) {
        blame(`supplement outgoing ${method}`, error);
      }
    }
  }
}
