import { expect, test } from "bun:test";
import { type DigestAlgorithm, digestResponse, userDigest } from "../../src/sip/digest.ts";
import { parseAuthValue, writeAuthValue } from "../../src/sip/message/auth_value.ts";
import { headerOf, type Peer, server, statusOf, wire, type WireServer } from "../wire.ts";

const TRANSPORTS = { udp: { bind: "udp:0.0.0.0:5060" } };
const REALM = "patchbay";

const patchbay = (core: Readonly<Record<string, unknown>> = {}) =>
  server({
    core: {
      transports: TRANSPORTS,
      endpoints: { alice: { password: "secret" } },
      global: { defaultAuthAlgorithmsUas: ["SHA-256", "MD5"] },
      ...core,
    },
    endpoint_identifier_user: {},
    authenticator_digest: {},
  });

let serial = 0;

interface Ask {
  readonly user?: string;
  readonly method?: string;
  readonly authorization?: readonly string[];
}

/** A request that core itself answers once it is authenticated. */
function request({ user = "alice", method = "OPTIONS", authorization = [] }: Ask = {}): string {
  const lines = authorization.map((value) => `Authorization: ${value}`).join("\n");
  return wire`
    ${method} sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <sip:${user}@192.0.2.4>;tag=b
    To: <sip:${user}@192.0.2.4>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 ${method}
    ${lines === "" ? "Subject: none" : lines}
  `;
}

interface Answer {
  readonly algorithm?: DigestAlgorithm;
  readonly username?: string;
  readonly password?: string;
  readonly realm?: string;
  readonly nc?: string;
  readonly uri?: string;
  readonly method?: string;
  readonly without?: readonly string[];
}

/** Credentials for the first challenge of that algorithm. */
function credentials(challenge: string, answer: Answer = {}): string {
  const { algorithm = "SHA-256", username = "alice", password = "secret", nc = "00000001", method = "OPTIONS" } =
    answer;
  const { uri = "sip:192.0.2.4", without = [] } = answer;
  const found = challengesOf(challenge).find((one) => one.get("algorithm") === algorithm) ?? challengesOf(challenge)[0];
  const nonce = found?.get("nonce") ?? "";
  const realm = answer.realm ?? found?.get("realm") ?? "";
  const auth = { nc, cnonce: "0a4f113b", qop: "auth" };
  const ha1 = userDigest(algorithm, username, realm, password);
  const response = digestResponse({ algorithm, ha1, method, uri, nonce, auth });
  const params = new Map(Object.entries({ username, realm, nonce, uri, response, algorithm, ...auth }));
  for (const name of without) params.delete(name);
  return writeAuthValue({ scheme: "Digest", params });
}

function challengesOf(message: string): ReadonlyMap<string, string>[] {
  return message.split("\r\n").filter((line) => line.startsWith("WWW-Authenticate: "))
    .map((line) => parseAuthValue(line.slice(18))?.params ?? new Map<string, string>());
}

async function challenged(peer: Peer, ask: Ask = {}): Promise<string> {
  const answer = await peer.ask(request(ask)) ?? "";
  expect(statusOf(answer)).toBe(401);
  return answer;
}

async function statusWith(peer: Peer, authorization: string | readonly string[], ask: Ask = {}): Promise<number> {
  const list = typeof authorization === "string" ? [authorization] : authorization;
  return statusOf(await peer.ask(request({ ...ask, authorization: list })));
}

test("SHA-256 is offered before MD5 when asked for, and both let alice in", async () => {
  const peer = await (await patchbay()).peer();
  const challenge = await challenged(peer);
  expect(challengesOf(challenge).map((one) => [one.get("algorithm"), one.get("qop"), one.get("realm")]))
    .toEqual([["SHA-256", "auth", REALM], ["MD5", "auth", REALM]]);
  expect(await statusWith(peer, credentials(challenge))).toBe(200);
  expect(await statusWith(peer, credentials(await challenged(peer), { algorithm: "MD5" }))).toBe(200);
});

test("a wrong password gets 401 without stale, an event, and a line that fail2ban knows", async () => {
  const running = await patchbay();
  const peer = await running.peer();
  const challenge = await challenged(peer);
  const refusal = await peer.ask(request({ authorization: [credentials(challenge, { password: "guess" })] })) ?? "";
  expect(statusOf(refusal)).toBe(401);
  expect(refusal).not.toContain("stale");
  expect(running.told("security").map(({ event, fields }) => [event, fields["AccountID"]])).toEqual([
    ["ChallengeResponseFailed", "alice"],
  ]);
  expect(running.log.some(({ text }) => text.endsWith("Failed to authenticate"))).toBe(true);
  expect(running.told("request.refused").at(-1)).toMatchObject({ endpoint: "alice", why: "credentials are wrong" });
  expect(JSON.stringify([running.log, running.events])).not.toContain("guess");
});

test("an unknown user and a known one get answers of the same shape, with and without credentials", async () => {
  const peer = await (await patchbay()).peer();
  const shape = (message: string) =>
    message.replace(/nonce="[^"]*"|opaque="[^"]*"|tag=[0-9a-f]{16}|branch=\w+|alice|nobody|\d+@192/g, "*");
  const known = await challenged(peer);
  const unknown = await challenged(peer, { user: "nobody" });
  expect(shape(unknown)).toBe(shape(known));
  const wrong = { password: "guess" };
  const knownAgain = await peer.ask(request({ authorization: [credentials(known, wrong)] })) ?? "";
  const unknownAgain = await peer.ask(
    request({ user: "nobody", authorization: [credentials(unknown, { ...wrong, username: "nobody" })] }),
  ) ?? "";
  expect(statusOf(knownAgain)).toBe(401);
  expect(shape(unknownAgain)).toBe(shape(knownAgain));
});

test("a nonce that is too old, used before, or made for another source is stale; a new one is right", async () => {
  const running = await patchbay();
  const peer = await running.peer();
  const first = await challenged(peer);
  await running.advance(31_000);
  const late = await peer.ask(request({ authorization: [credentials(first)] })) ?? "";
  expect([statusOf(late), challengesOf(late)[0]?.get("stale")]).toEqual([401, "true"]);
  expect(await statusWith(peer, credentials(late))).toBe(200);
  expect(await statusWith(peer, credentials(late))).toBe(401); // the same nc again
  expect(await statusWith(peer, credentials(late, { nc: "00000002" }))).toBe(200);
  const other = await running.peer("192.0.2.77");
  const stolen = await other.ask(request({ authorization: [credentials(late, { nc: "00000003" })] })) ?? "";
  expect([statusOf(stolen), challengesOf(stolen)[0]?.get("stale")]).toEqual([401, "true"]);
});

test("credentials for another method, user, realm, or without qop or algorithm let nobody in", async () => {
  const peer = await (await patchbay({
    endpoints: { alice: { auth: "alice", aors: [] } },
    auths: { alice: { password: "secret", supportedAlgorithmsUas: ["SHA-256"] } },
    limits: { failures: 1000 },
  })).peer();
  const challenge = await challenged(peer);
  expect(challengesOf(challenge).map((one) => one.get("algorithm"))).toEqual(["SHA-256"]);
  const wrong: Answer[] = [
    { method: "INVITE" },
    { username: "Alice" },
    { realm: "elsewhere" },
    { without: ["qop"] },
    { without: ["algorithm"] },
    { without: ["nc"] },
    { without: ["response"] },
    { algorithm: "MD5" },
  ];
  for (const answer of wrong) {
    expect([answer, await statusWith(peer, credentials(challenge, answer))]).toEqual([answer, 401]);
  }
  expect(await statusWith(peer, 'Digest username="alice')).toBe(401);
  expect(await statusWith(peer, "Bearer x")).toBe(401);
  expect(await statusWith(peer, credentials(challenge))).toBe(200);
});

test("the uri of credentials may differ from the Request-URI: proxies rewrite that (RFC 3261 §22.4)", async () => {
  const peer = await (await patchbay()).peer();
  const challenge = await challenged(peer);
  expect(await statusWith(peer, credentials(challenge, { uri: "sip:192.0.2.4:5060" }))).toBe(200);
});

test("a parameter twice, and two credentials for one realm, get 400; other realms are ignored", async () => {
  const peer = await (await patchbay()).peer();
  const value = credentials(await challenged(peer));
  expect(await statusWith(peer, `${value}, realm="x"`)).toBe(400);
  expect(await statusWith(peer, [value, value])).toBe(400);
  expect(await statusWith(peer, [value.replace(/realm="[^"]*"/, 'realm="other"'), value])).toBe(200);
});

test("a stored digest does for a password, and for no other algorithm", async () => {
  const digest = userDigest("SHA-256", "alice", "office", "secret");
  const peer = await (await patchbay({
    endpoints: { alice: { auth: "alice", aors: [] } },
    auths: { alice: { passwordDigest: `SHA-256:${digest}`, realm: "office" } },
  })).peer();
  const challenge = await challenged(peer);
  expect(challengesOf(challenge).map((one) => [one.get("algorithm"), one.get("realm")])).toEqual([[
    "SHA-256",
    "office",
  ]]);
  expect(await statusWith(peer, credentials(challenge, { algorithm: "MD5" }))).toBe(401);
  expect(await statusWith(peer, credentials(challenge))).toBe(200);
});

test("an algorithm without password or digest stops the start and is named", async () => {
  const auths = { alice: { md5Cred: "0".repeat(32), supportedAlgorithmsUas: "SHA-256" } };
  await expect(patchbay({ auths, endpoints: {} })).rejects.toThrow('auth "alice": supportedAlgorithmsUas has SHA-256');
  const short = { alice: { passwordDigest: "MD5:abc" } };
  await expect(patchbay({ auths: short, endpoints: {} })).rejects.toThrow("hex digits");
});

test("allowUnauthenticatedOptions lets OPTIONS pass and nothing else", async () => {
  const peer = await (await patchbay({ endpoints: { alice: { password: "x", allowUnauthenticatedOptions: true } } }))
    .peer();
  expect(statusOf(await peer.ask(request()))).toBe(200);
  await challenged(peer, { method: "MESSAGE" });
});

test("nonces outlive a reload of the module", async () => {
  const running = await patchbay();
  const peer = await running.peer();
  const challenge = await challenged(peer);
  await reloadModule(running);
  expect(await statusWith(peer, credentials(challenge))).toBe(200);
});

function reloadModule(running: WireServer): Promise<unknown> {
  return running.kernel.reloadModule("authenticator_digest");
}

test("garbage in Authorization never lets anybody in and never breaks anything", async () => {
  const running = await patchbay({ limits: { failures: 10_000, strangerRate: 100_000, strangerBurst: 100_000 } });
  const peer = await running.peer();
  const value = credentials(await challenged(peer));
  let state = 3;
  const random = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8;
  for (let round = 0; round < 500; round++) {
    const at = random() % value.length;
    const character = String.fromCharCode(33 + random() % 90);
    const mutated = value.slice(0, at) + (character === value[at] ? "" : character) +
      value.slice(at + 1 + random() % 3);
    const status = await statusWith(peer, mutated);
    expect([401, 400]).toContain(status);
  }
  expect(running.told("module.fault")).toEqual([]);
  expect(headerOf(await challenged(peer), "WWW-Authenticate")).toStartWith("Digest realm=");
});
