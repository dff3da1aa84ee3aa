import * as v from "valibot";
import { type Credentials, credentialsOf } from "../kernel/credentials.ts";
import { defineModule, type ModuleContext } from "../kernel/module.ts";
import { words } from "../kernel/schema.ts";
import { type ChallengeHistory, outboundAuthenticator } from "../kernel/services.ts";
import { type DigestAlgorithm, digestAlgorithm, digestResponse } from "../sip/digest.ts";
import { writeAuthValue } from "../sip/message/auth_value.ts";
import type { AuthValue } from "../sip/message/headers.ts";
import type { SipRequest, SipResponse } from "../sip/message/message.ts";
import { writeUri } from "../sip/message/uri.ts";

const algorithms = (fallback: readonly DigestAlgorithm[]) =>
  v.pipe(
    words(fallback),
    v.everyItem((name) => digestAlgorithm(name) !== undefined, 'expected "MD5", "SHA-256" or "SHA-512-256"'),
    v.transform((names) => names.map(digestAlgorithm).filter((name) => name !== undefined)),
  );

const fields = {
  auth: {
    /** Algorithms we answer with; absent: `global.defaultAuthAlgorithmsUac`. */
    supportedAlgorithmsUac: v.optional(algorithms([])),
  },
  global: {
    /** Algorithms of auth objects that name none. */
    defaultAuthAlgorithmsUac: algorithms(["SHA-512-256", "SHA-256", "MD5"]),
  },
};
type Context = ModuleContext<Record<never, never>, typeof fields>;

/** A nonce that keeps changing, or is called stale again and again, is answered this often for one request. */
const MOST_STALE = 3;

/** Answers the challenges of others (RFC 7616, RFC 8760): one set of credentials per realm, the strongest both can. */
export default defineModule({
  name: "outbound_authenticator_digest",
  summary: "Shows our password to peers that ask",
  replaces: "res_pjsip_outbound_authenticator_digest",
  requires: ["core"],
  options: v.object({}),
  fields,
  setup(ctx) {
    const answers = new Answers(ctx);
    ctx.provide(outboundAuthenticator, {
      answer: (request, challenge, authIds, history) => answers.answer(request, challenge, authIds, history),
    });
  },
});

type Answer = { readonly headers: readonly (readonly [name: string, value: string])[] } | { readonly refused: string };

/** A challenge and what we answer it with. */
interface Choice {
  readonly challenge: AuthValue;
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  readonly credentials: Credentials;
}

class Answers {
  constructor(readonly ctx: Context) {}

  answer(request: SipRequest, response: SipResponse, authIds: readonly string[], history: ChallengeHistory): Answer {
    const proxy = response.status === 407;
    if (!proxy && response.status !== 401) return { refused: `${response.status} is no challenge` };
    const challenges = response.headers.all(proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
    const choices = this.#choose(challenges, this.#credentials(authIds));
    if (choices.length === 0) {
      const asked = challenges.map(({ params }) => `${params.get("realm")}/${params.get("algorithm") ?? "MD5"}`);
      this.ctx.log.warning("no credentials for a challenge", { asked: asked.join(", "), auth: authIds.join(", ") });
      return this.#refuse("no credentials");
    }
    const name = proxy ? "Proxy-Authorization" : "Authorization";
    const carried = new Set(request.headers.all(name).map(({ params }) => params.get("realm")));
    for (const { realm } of choices) if (!carried.has(realm)) forgive(history, realm);
    const again = choices.find((choice) => carried.has(choice.realm) && !mayAnswer(choice, request, history));
    if (again) {
      const stale = (history.nonces.get(again.realm)?.stale ?? 0) >= MOST_STALE;
      this.ctx.log.warning(stale ? "a peer finds every nonce stale" : "a peer refused our credentials", {
        realm: again.realm,
        auth: again.credentials.id,
      });
      return this.#refuse(stale ? "nonce stale too often" : "credentials rejected");
    }
    const ours = choices.map((choice) => [name, this.#write(choice, request, history)] as const);
    this.ctx.metrics.count("answered");
    return { headers: [...keptHeaders(request, name, choices), ...ours] };
  }

  #refuse(why: string): Answer {
    this.ctx.metrics.count("refused", 1, { why });
    return { refused: why };
  }

  #credentials(authIds: readonly string[]): readonly Credentials[] {
    return authIds.flatMap((id) => {
      const object = this.ctx.objects.get("auth", id);
      if (!object) this.ctx.log.warning("an auth object does not exist", { auth: id });
      return object ? [credentialsOf(object)] : [];
    });
  }

  /** In the order of the challenges, which is what the peer prefers; each realm once. */
  #choose(challenges: readonly AuthValue[], all: readonly Credentials[]): readonly Choice[] {
    const choices = new Map<string, Choice>();
    for (const challenge of challenges) {
      const { scheme, params } = challenge;
      const [realm, nonce, algorithm] = [
        params.get("realm"),
        params.get("nonce"),
        digestAlgorithm(params.get("algorithm")),
      ];
      if (scheme.toLowerCase() !== "digest" || realm === undefined || nonce === undefined || !algorithm) continue;
      if (choices.has(realm) || !takesAuth(params.get("qop"))) continue;
      const able = all.filter((one) => this.#uses(one.id, algorithm) && one.ha1(algorithm, realm) !== undefined);
      const credentials = able.find((one) => one.realm.toLowerCase() === realm.toLowerCase()) ??
        able.find((one) => one.realm === "" || one.realm === "*");
      if (credentials) choices.set(realm, { challenge, realm, nonce, algorithm, credentials });
    }
    return [...choices.values()];
  }

  #uses(id: string, algorithm: DigestAlgorithm): boolean {
    const own = this.ctx.fieldsOf("auth", id)?.supportedAlgorithmsUac;
    const used = own ?? this.ctx.fieldsOf("global", "")?.defaultAuthAlgorithmsUac ?? ["MD5"];
    return used.includes(algorithm);
  }

  #write({ challenge, realm, nonce, algorithm, credentials }: Choice, request: SipRequest, history: ChallengeHistory) {
    const before = history.nonces.get(realm);
    const nc = before?.nonce === nonce ? before.nc + 1 : 1;
    history.nonces.set(realm, { nonce, nc, stale: before ? before.stale + 1 : 0 });
    const uri = writeUri(request.uri);
    const qop = challenge.params.has("qop");
    const auth = { nc: nc.toString(16).padStart(8, "0"), cnonce: this.ctx.world.random.token(8), qop: "auth" };
    const ha1 = credentials.ha1(algorithm, realm) ?? "";
    const response = digestResponse({ algorithm, ha1, method: request.method, uri, nonce, ...qop ? { auth } : {} });
    const params = new Map([["username", credentials.username], ["realm", realm], ["nonce", nonce], ["uri", uri]]);
    params.set("response", response);
    const echoed = challenge.params.get("algorithm");
    if (echoed !== undefined) params.set("algorithm", echoed);
    if (qop) params.set("cnonce", auth.cnonce).set("qop", auth.qop).set("nc", auth.nc);
    const opaque = challenge.params.get("opaque");
    if (opaque !== undefined) params.set("opaque", opaque);
    return writeAuthValue({ scheme: "Digest", params });
  }
}

/** `auth` is among the kinds of protection offered, or none is (RFC 2069). */
function takesAuth(qop: string | undefined): boolean {
  return qop === undefined || qop.split(",").some((one) => one.trim().toLowerCase() === "auth");
}

/** Credentials were refused: once more for a new nonce, or one called stale, but not for ever. */
function mayAnswer({ challenge, realm, nonce }: Choice, request: SipRequest, history: ChallengeHistory): boolean {
  const before = history.nonces.get(realm);
  const stale = challenge.params.get("stale")?.toLowerCase() === "true";
  // A registrar with a new nonce each time would be asked for ever: of it only "stale" counts (RFC 7616 §3.3).
  const renewed = request.method !== "REGISTER" && before?.nonce !== nonce;
  return (stale || renewed) && (before?.stale ?? 0) < MOST_STALE;
}

/** A new request of a dialog is challenged for the first time: what happened to others does not count. */
function forgive(history: ChallengeHistory, realm: string): void {
  const before = history.nonces.get(realm);
  if (before) history.nonces.set(realm, { ...before, stale: -1 });
}

/** Credentials that the request carries already, for other realms or the other header. */
function keptHeaders(
  request: SipRequest,
  answered: string,
  choices: readonly Choice[],
): readonly (readonly [name: string, value: string])[] {
  const { headers } = request;
  return (["Authorization", "Proxy-Authorization"] as const).flatMap((name) =>
    headers.all(name)
      .filter(({ params }) => name !== answered || !choices.some(({ realm }) => realm === params.get("realm")))
      .map((value) => [name, writeAuthValue(value)] as const)
  );
}
