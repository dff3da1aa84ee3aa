import type { Credentials } from "../../kernel/credentials.ts";
import { type DigestAlgorithm, digestAlgorithm, digestResponse, equalDigests } from "../../sip/digest.ts";
import type { AuthValue } from "../../sip/message/headers.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import type { Nonces } from "./nonces.ts";

/** What one set of credentials came to. */
export type Finding = "success" | "stale" | "failed";

/** One auth object as the checking side sees it: HA1 per algorithm, never the password. */
export class Account {
  readonly #ha1 = new Map<DigestAlgorithm, string>();

  /** `never`: the account of senders nobody knows. It costs the same to check and never succeeds. */
  constructor(
    readonly username: string,
    readonly realm: string,
    readonly algorithms: readonly DigestAlgorithm[],
    readonly nonceLifetime: number,
    ha1: (algorithm: DigestAlgorithm) => string | undefined,
    readonly never = false,
  ) {
    for (const algorithm of algorithms) {
      const digest = ha1(algorithm);
      if (digest !== undefined) this.#ha1.set(algorithm, digest);
    }
  }

  /** Is there something to check this algorithm with? */
  holds(algorithm: DigestAlgorithm): boolean {
    return this.#ha1.has(algorithm);
  }

  /**
   * Checks the credentials for this realm (RFC 7616 §3.4.6). Their `uri` is not held against the Request-URI: proxies on the
   * way rewrite that one (RFC 3261 §22.4), and phones name the server instead.
   */
  judge(value: AuthValue, request: SipRequest, source: string, nonces: Nonces): Finding {
    const given = readCredentials(value);
    if (!given) return "failed";
    const ha1 = this.#ha1.get(given.algorithm);
    if (ha1 === undefined) return "failed";
    const { algorithm, uri, nonce, nc, cnonce, response } = given;
    const auth = { nc, cnonce, qop: given.qop };
    const right = equalDigests(digestResponse({ algorithm, ha1, method: request.method, uri, nonce, auth }), response);
    const known = given.username === this.username && !this.never;
    if (!right || !known) return "failed";
    if (!nonces.fresh(nonce, source, this.realm, this.nonceLifetime)) return "stale";
    return nonces.use(nonce, Number.parseInt(nc, 16)) ? "success" : "stale";
  }
}

/** The account of an auth object. `realm`: where it names none. */
export function accountOf(
  credentials: Credentials,
  realm: string,
  algorithms: readonly DigestAlgorithm[],
  nonceLifetime: number,
): Account {
  const own = credentials.realm || realm;
  return new Account(
    credentials.username,
    own,
    algorithms,
    nonceLifetime,
    (algorithm) => credentials.ha1(algorithm, own),
  );
}

interface Given {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly uri: string;
  readonly nonce: string;
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: string;
  readonly response: string;
}

/** Everything that a response to `qop="auth"` must have; undefined when a part is missing or not as it must be. */
function readCredentials({ scheme, params }: AuthValue): Given | undefined {
  const algorithm = digestAlgorithm(params.get("algorithm"));
  const part = (name: string) => params.get(name) ?? "";
  const [qop, nc, cnonce] = [part("qop"), part("nc"), part("cnonce")];
  const wellFormed = scheme.toLowerCase() === "digest" && qop.toLowerCase() === "auth" &&
    /^[0-9a-f]{8}$/i.test(nc) && cnonce !== "" && params.get("userhash") !== "true";
  if (!algorithm || !wellFormed) return undefined;
  return {
    algorithm,
    username: part("username"),
    uri: part("uri"),
    nonce: part("nonce"),
    nc,
    cnonce,
    qop,
    response: part("response"),
  };
}
