import * as v from "valibot";
import { credentialsOf, readPasswordDigest } from "../../kernel/credentials.ts";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { seconds, words } from "../../kernel/schema.ts";
import { securityEvent } from "../../kernel/security.ts";
import { authenticator, type AuthVerdict } from "../../kernel/services.ts";
import { type DigestAlgorithm, digestAlgorithm } from "../../sip/digest.ts";
import { hasRepeatedParameter } from "../../sip/message/auth_value.ts";
import { quote } from "../../sip/message/params.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply, statelessTag } from "../../sip/message/reply.ts";
import type { IncomingRequest } from "../../sip/transaction/layer.ts";
import { Account, accountOf, type Finding } from "./account.ts";
import { Nonces } from "./nonces.ts";

/** A list of algorithms, the preferred one first. */
const algorithms = (fallback: readonly DigestAlgorithm[]) =>
  v.pipe(
    words(fallback),
    v.everyItem((name) => digestAlgorithm(name) !== undefined, 'expected "MD5", "SHA-256" or "SHA-512-256"'),
    v.transform((names) => names.map(digestAlgorithm).filter((name) => name !== undefined)),
  );

const fields = {
  auth: {
    /** `userpass` and `md5` are what older Asterisk configurations say for `digest`. */
    authType: v.optional(v.picklist(["digest", "userpass", "md5"]), "digest"),
    /** `SHA-256:<hex>` of "username:realm:password", instead of the password. One per algorithm. */
    passwordDigest: v.pipe(
      words(),
      v.everyItem(
        (entry) => readPasswordDigest(entry) !== undefined,
        'expected "MD5:", "SHA-256:" or "SHA-512-256:" and 32, 64 or 64 hex digits',
      ),
      v.metadata({ secret: true }),
    ),
    /** The same as `passwordDigest: "MD5:..."`. */
    md5Cred: v.optional(
      v.pipe(v.string(), v.regex(/^[0-9A-Fa-f]{32}$/, "expected 32 hex digits"), v.metadata({ secret: true })),
    ),
    /** Realm of challenges, and the one the digests were made with; absent: `global.defaultRealm`. */
    realm: v.optional(v.pipe(v.string(), v.regex(/^[^\r\n\0"\\]*$/, "expected one line without quotes"))),
    /** How long a nonce may be used. */
    nonceLifetime: seconds(30),
    /** Algorithms offered and taken, the preferred one first; absent: `global.defaultAuthAlgorithmsUas`. */
    supportedAlgorithmsUas: v.optional(algorithms([])),
  },
  global: {
    /** Algorithms offered to senders nobody knows, and by auth objects that name none. */
    defaultAuthAlgorithmsUas: algorithms(["MD5"]),
  },
};

type Context = ModuleContext<Record<never, never>, typeof fields>;

/** Challenges and checks requests (RFC 7616, RFC 8760). A stranger cannot tell an unknown user from a wrong password. */
export default defineModule({
  name: "authenticator_digest",
  summary: "Asks peers for a password",
  replaces: "res_pjsip_authenticator_digest",
  requires: ["core"],
  options: v.object({}),
  fields,
  setup(ctx) {
    const key = ctx.restored instanceof Uint8Array ? ctx.restored : ctx.world.random.bytes(32);
    const accounts = new Accounts(ctx);
    const fault = accounts.fault();
    if (fault !== undefined) throw new Error(fault);
    for (const type of ["auth", "global"]) ctx.objects.onChange(type, () => accounts.forget());
    const checks = new Checks(ctx, accounts, new Nonces(ctx.world, key));
    ctx.provide(authenticator, { check: (incoming, endpoint) => checks.check(incoming, endpoint) });
    ctx.save(() => key);
  },
});

/** Auth objects as accounts, made when first needed. */
class Accounts {
  readonly #accounts = new Map<string, Account | undefined>();
  #stranger: Account | undefined;

  constructor(readonly ctx: Context) {}

  forget(): void {
    this.#accounts.clear();
    this.#stranger = undefined;
    const fault = this.fault();
    if (fault !== undefined) this.ctx.log.error(fault);
  }

  /** An auth object that names an algorithm it holds nothing for, in words. */
  fault(): string | undefined {
    for (const { id } of this.ctx.objects.all("auth")) {
      const account = this.get(id);
      const bare = this.ctx.fieldsOf("auth", id)?.supportedAlgorithmsUas
        ?.find((algorithm) => !account?.holds(algorithm));
      if (bare) {
        return `auth "${id}": supportedAlgorithmsUas has ${bare}, but there is no password and no ${bare} digest`;
      }
    }
    return undefined;
  }

  get(id: string): Account | undefined {
    if (!this.#accounts.has(id)) this.#accounts.set(id, this.#make(id));
    return this.#accounts.get(id);
  }

  #make(id: string): Account | undefined {
    const object = this.ctx.objects.get("auth", id);
    const own = this.ctx.fieldsOf("auth", id);
    if (!object || !own) return undefined;
    const credentials = credentialsOf(object);
    const realm = credentials.realm || this.#defaultRealm;
    const held = own.supportedAlgorithmsUas ??
      this.#defaults.filter((algorithm) => credentials.ha1(algorithm, realm) !== undefined);
    return accountOf(credentials, realm, held, own.nonceLifetime);
  }

  /** Of senders nobody knows. */
  get stranger(): Account {
    return this.#stranger ??= new Account("", this.#defaultRealm, this.#defaults, 30, () => "0".repeat(64), true);
  }

  get #defaultRealm(): string {
    const realm = this.ctx.objects.get("global", "")?.values["defaultRealm"];
    return typeof realm === "string" && realm !== "" ? realm : "patchbay";
  }

  get #defaults(): readonly DigestAlgorithm[] {
    return this.ctx.fieldsOf("global", "")?.defaultAuthAlgorithmsUas ?? ["MD5"];
  }
}

class Checks {
  constructor(readonly ctx: Context, readonly accounts: Accounts, readonly nonces: Nonces) {}

  check(incoming: IncomingRequest, endpoint: Endpoint | undefined): AuthVerdict {
    const { request } = incoming;
    if (endpoint && !asks(endpoint, request)) return { kind: "success" };
    const accounts = endpoint ? endpoint.auth.map((id) => this.accounts.get(id)) : [this.accounts.stranger];
    if (!accounts.every((account) => account !== undefined)) {
      this.#report(incoming, endpoint, "Error to authenticate");
      const response = reply(request, 500, "Server Internal Error", {}, undefined, statelessTag(request));
      return { kind: "failed", response, why: "an auth object of the endpoint does not exist" };
    }
    if (ambiguous(request)) {
      this.#count("failed", endpoint);
      const response = reply(request, 400, "Bad Request", {}, undefined, statelessTag(request));
      return { kind: "failed", response, why: "repeated credentials or parameters" };
    }
    return this.#decide(incoming, endpoint, accounts);
  }

  #decide(incoming: IncomingRequest, endpoint: Endpoint | undefined, accounts: readonly Account[]): AuthVerdict {
    const { request, flow } = incoming;
    const source = flow.remote.host;
    const given = request.headers.all("Authorization");
    const findings = request.headers.has("Authorization")
      ? accounts.map((account): Finding => {
        const value = given.find(({ params }) => params.get("realm") === account.realm);
        return value ? account.judge(value, request, source, this.nonces) : "failed";
      })
      : [];
    if (findings.includes("success")) {
      this.#count("success", endpoint);
      return { kind: "success" };
    }
    const stale = findings.includes("stale");
    const response = this.#challenge(request, source, accounts, stale);
    if (stale || findings.length === 0) {
      const kind = stale ? "stale" : "challenge";
      this.#count(kind, endpoint);
      return { kind, response, why: stale ? "nonce is stale" : "no credentials" };
    }
    this.#count("failed", endpoint);
    if (endpoint) {
      this.#report(incoming, endpoint, "Failed to authenticate");
      securityEvent(this.ctx.events, "ChallengeResponseFailed", request, flow, endpoint.id);
    }
    return { kind: "failed", response, why: "credentials are wrong" };
  }

  #challenge(request: SipRequest, source: string, accounts: readonly Account[], stale: boolean): SipResponse {
    const challenges = new Map<string, string>(); // by realm and algorithm: each pair once
    for (const { realm, algorithms } of accounts) {
      const nonce = this.nonces.issue(source, realm);
      const opaque = this.ctx.world.random.token(8);
      for (const algorithm of algorithms) {
        const key = `${algorithm} ${realm}`;
        if (challenges.has(key)) continue;
        challenges.set(
          key,
          `Digest realm=${quote(realm)},nonce="${nonce}",opaque="${opaque}",algorithm=${algorithm}` +
            `,qop="auth"${stale ? ",stale=true" : ""}`,
        );
      }
    }
    const headers = { "WWW-Authenticate": [...challenges.values()] };
    return reply(request, 401, "Unauthorized", headers, undefined, statelessTag(request));
  }

  /** People run fail2ban on this line: its last words stay as they are. */
  #report({ request, flow }: IncomingRequest, endpoint: Endpoint | undefined, phrase: string): void {
    const from = request.headers.text("From") ?? "";
    const { host, port } = flow.remote;
    this.ctx.log.notice(
      `Request '${request.method}' from '${from}' failed for '${host}:${port}' ` +
        `(callid: ${request.headers.get("Call-ID") ?? ""}) - ${phrase}`,
      { endpoint: endpoint?.id ?? "" },
    );
  }

  #count(what: string, endpoint: Endpoint | undefined): void {
    this.ctx.metrics.count(what, 1, { endpoint: endpoint?.id ?? "" });
  }
}

/** Must this endpoint show credentials for this request? */
function asks(endpoint: Endpoint, request: SipRequest): boolean {
  if (endpoint.auth.length === 0 || request.method === "ACK") return false;
  return request.method !== "OPTIONS" || endpoint.values["allowUnauthenticatedOptions"] !== true;
}

/** Two credentials for one realm, or one parameter twice: which one counts would be a guess. */
function ambiguous(request: SipRequest): boolean {
  const { headers } = request;
  const realms = headers.all("Authorization").map(({ params }) => params.get("realm"));
  return new Set(realms).size < realms.length || headers.texts("Authorization").some(hasRepeatedParameter);
}
