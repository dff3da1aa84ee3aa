import * as v from "valibot";
import type { Endpoint } from "../kernel/endpoint.ts";
import { defineModule, type ModuleContext } from "../kernel/module.ts";
import { words } from "../kernel/schema.ts";
import { stack } from "../kernel/services.ts";
import type { SipHeaders } from "../sip/message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../sip/message/message.ts";
import { splitList } from "../sip/message/params.ts";

const TAG = "mediasec";
const MECHANISMS = ["msrp-tls", "sdes-srtp", "dtls-srtp"];
const MOST_MECHANISMS = 16;
const MOST_CALLS = 10_000; // challenged Call-IDs remembered

const fields = {
  endpoint: {
    /** "mediasec": tells which media security we can do, and repeats what the peer said it can. */
    securityNegotiation: v.optional(v.picklist(["no", TAG]), "no"),
    /** What we tell: `sdes-srtp;mediasec`, each a header of its own. */
    securityMechanisms: words(),
  },
};
type Context = ModuleContext<Record<never, never>, typeof fields>;

/** The client's side of the security agreement some operators ask for (RFC 3329 with the mechanisms of mediasec). */
export default defineModule({
  name: "rfc3329",
  summary: "Security-Client, -Server and -Verify headers for media security",
  replaces: "res_pjsip_rfc3329",
  requires: ["core"],
  options: v.object({}),
  fields,
  setup(ctx) {
    const agreement = new Agreement(ctx);
    ctx.use(stack).repair((message, _flow, endpoint) => agreement.learn(message, endpoint));
    ctx.outbound("headers", ({ message, endpoint }) => {
      if (message.kind === "request" && endpoint) agreement.speak(message, endpoint);
    });
  },
});

class Agreement {
  /** What the peers of an endpoint, or a registrar, said they can, by the id or by the sender of a registration. */
  readonly #servers = new Map<string, readonly string[]>();
  readonly #senders = new WeakMap<Endpoint, { list: readonly string[]; refused: boolean }>();
  readonly #challenged = new Set<string>(); // Call-IDs whose first answer was a challenge
  readonly #warned = new Set<string>();

  constructor(readonly ctx: Context) {}

  /** A challenge, or 494, brings the list of the server; any answer within a call fills an empty one. */
  learn(message: SipMessage, endpoint: Endpoint): void {
    if (message.kind !== "response" || this.#settings(endpoint).mechanisms.length === 0) return;
    const list = this.#listOf(message);
    const challenge = message.status === 401 || message.status === 407 || message.status === 494;
    const register = message.headers.get("CSeq")?.method === "REGISTER";
    if (register) {
      if (!challenge) return;
      this.#senders.set(endpoint, { list, refused: message.status === 494 });
      const owner = endpoint.values.endpoint; // whose calls the registration brings
      if (typeof owner === "string" && list.length > 0 && !this.#servers.has(owner)) this.#servers.set(owner, list);
      return;
    }
    if (challenge) {
      if (this.#challenged.size >= MOST_CALLS) this.#challenged.clear();
      this.#challenged.add(message.headers.get("Call-ID") ?? "");
    }
    if (list.length > 0 && !this.#servers.has(endpoint.id)) this.#servers.set(endpoint.id, list);
  }

  speak(request: SipRequest, endpoint: Endpoint): void {
    const { method, headers } = request;
    const { mechanisms } = this.#settings(endpoint);
    if (mechanisms.length === 0 || method === "ACK" || method === "CANCEL") return;
    if (method === "REGISTER") {
      const known = this.#senders.get(endpoint);
      this.#put(headers, known?.refused ? [] : mechanisms, known?.list ?? []);
      return;
    }
    if (method !== "OPTIONS" && !this.#isOfCall(request)) return;
    const again = this.#challenged.has(headers.get("Call-ID") ?? "");
    this.#put(headers, again ? mechanisms : [], this.#servers.get(endpoint.id) ?? []);
  }

  #isOfCall({ method }: SipRequest): boolean {
    return ["INVITE", "BYE", "UPDATE", "PRACK", "INFO", "REFER"].includes(method);
  }

  #put(headers: SipHeaders, client: readonly string[], verify: readonly string[]): void {
    if (!headers.has("Security-Client")) { for (const one of client) headers.append("Security-Client", one); }
    if (!headers.has("Security-Verify")) { for (const one of verify) headers.append("Security-Verify", one); }
    if (!headers.has("Security-Client") && !headers.has("Security-Verify")) return;
    for (const name of ["Require", "Proxy-Require"] as const) {
      if (!headers.all(name).includes(TAG)) headers.append(name, TAG);
    }
  }

  /** Known mechanisms in order, without their q. */
  #listOf({ headers }: SipResponse): readonly string[] {
    return headers.texts("Security-Server").flatMap(splitList)
      .filter((value) => MECHANISMS.includes(nameOf(value)))
      .map((value) => value.split(";").filter((part) => !/^\s*q\s*=/i.test(part)).join(";"))
      .slice(0, MOST_MECHANISMS);
  }

  /** What the endpoint, or the sender of a registration, tells. */
  #settings(endpoint: Endpoint): { readonly mechanisms: readonly string[] } {
    const { securityNegotiation, securityMechanisms = [] } = this.ctx.fields(endpoint);
    if (securityNegotiation !== TAG) return { mechanisms: [] };
    const known = securityMechanisms.filter((one) => MECHANISMS.includes(nameOf(one)));
    const strange = securityMechanisms.filter((one) => !known.includes(one)).join(", ");
    if (strange !== "" && !this.#warned.has(strange)) {
      this.#warned.add(strange);
      this.ctx.log.warning(`unknown security mechanisms are left out: ${strange}`, { endpoint: endpoint.id });
    }
    return { mechanisms: known.slice(0, MOST_MECHANISMS) };
  }
}

function nameOf(value: string): string {
  return value.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
