import type { Challenges } from "../../sip/dialog/host.ts";
import { digestAlgorithm, digestResponse, userDigest } from "../../sip/digest.ts";
import { writeAuthValue } from "../../sip/message/auth_value.ts";
import type { AuthValue } from "../../sip/message/headers.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { writeUri } from "../../sip/message/uri.ts";
import type { World } from "../../world/world.ts";
import type { Identity } from "./agent.ts";

const MOST_ROUNDS = 3;

/**
 * The header that answers a 401 or 407 with our one password: the first challenge whose algorithm we do. Undefined: no
 * password, nothing we do, or the credentials were refused (the same nonce came back without stale).
 */
export function answerChallenge(
  identity: Identity,
  request: SipRequest,
  response: SipResponse,
  challenges: Challenges,
  random: World["random"],
): readonly (readonly [name: string, value: string])[] | undefined {
  const proxy = response.status === 407;
  const offered = response.headers.all(proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
  const challenge = offered.find((c) => usable(c));
  const realm = challenge?.params.get("realm");
  const nonce = challenge?.params.get("nonce");
  if (challenge === undefined || realm === undefined || nonce === undefined) return undefined;
  if (identity.password === undefined || ++challenges.rounds > MOST_ROUNDS) return undefined;
  const before = challenges.nonces.get(realm);
  if (before?.nonce === nonce || (before && challenge.params.get("stale")?.toLowerCase() !== "true")) return undefined;
  challenges.nonces.set(realm, { nonce, nc: 1, stale: (before?.stale ?? 0) + 1 });
  return [[
    proxy ? "Proxy-Authorization" : "Authorization",
    credentials(identity.user, identity.password, request, challenge, realm, nonce, random.token(8)),
  ]];
}

function usable(challenge: AuthValue): boolean {
  const qop = challenge.params.get("qop");
  return challenge.scheme.toLowerCase() === "digest" &&
    digestAlgorithm(challenge.params.get("algorithm")) !== undefined &&
    (qop === undefined || qop.split(",").some((one) => one.trim().toLowerCase() === "auth"));
}

function credentials(
  user: string,
  password: string,
  request: SipRequest,
  challenge: AuthValue,
  realm: string,
  nonce: string,
  cnonce: string,
): string {
  const name = challenge.params.get("algorithm");
  const algorithm = digestAlgorithm(name) ?? "MD5";
  const uri = writeUri(request.uri);
  const auth = challenge.params.has("qop") ? { nc: "00000001", cnonce, qop: "auth" } : undefined;
  const ha1 = userDigest(algorithm, user, realm, password);
  const params = new Map([["username", user], ["realm", realm], ["nonce", nonce], ["uri", uri]]);
  params.set(
    "response",
    digestResponse({ algorithm, ha1, method: request.method, uri, nonce, ...(auth ? { auth } : {}) }),
  );
  if (name !== undefined) params.set("algorithm", name);
  if (auth) params.set("cnonce", cnonce).set("qop", auth.qop).set("nc", auth.nc);
  const opaque = challenge.params.get("opaque");
  if (opaque !== undefined) params.set("opaque", opaque);
  return writeAuthValue({ scheme: "Digest", params });
}
