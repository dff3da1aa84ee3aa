import { expect, test } from "bun:test";
import { type DigestAlgorithm, digestResponse, userDigest } from "../../src/sip/digest.ts";
import { parseAuthValue } from "../../src/sip/message/auth_value.ts";
import { sender } from "../sender.ts";
import { headerOf, type Peer, server, type WireServer } from "../wire.ts";

const outcomes: (string | number)[] = [];

/** Sends a MESSAGE to the trunk, and notes what becomes of it. */
const { module: sending, send } = sender((outcome) => outcomes.push(outcome));
const message = {
  method: "MESSAGE",
  uri: "sip:them@192.0.2.9",
  headers: [
    ["From", "<sip:us@192.0.2.4>;tag=f1"],
    ["To", "<sip:them@192.0.2.9>"],
    ["Call-ID", "1@192.0.2.4"],
    ["CSeq", "5 MESSAGE"],
    ["Content-Type", "text/plain"],
  ],
  body: Buffer.from("hi"),
} as const;

interface Trunk {
  readonly running: WireServer;
  readonly peer: Peer;
  /** Requests heard so far. */
  readonly asked: () => readonly string[];
  /** Answers the last request with these challenges, or 200. */
  readonly answer: (status: number, ...challenges: string[]) => Promise<string>;
}

async function trunk(
  auths: Readonly<Record<string, unknown>>,
  global: Readonly<Record<string, unknown>> = {},
): Promise<Trunk> {
  outcomes.length = 0;
  const running = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { trunk: { outboundAuth: Object.keys(auths) } },
      auths,
      global,
    },
    authenticator_digest: {},
    outbound_authenticator_digest: {},
    sender: {},
  }, [sending]);
  const peer = await running.peer();
  send(message, "trunk");
  await running.advance(50);
  const asked = () => peer.heard.filter((message) => message.startsWith("MESSAGE "));
  const answer = async (status: number, ...challenges: string[]) => {
    const request = asked().at(-1) ?? "";
    const name = status === 407 ? "Proxy-Authenticate" : "WWW-Authenticate";
    const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((header) => `${header}: ${headerOf(request, header)}`);
    const lines = [...copied, ...challenges.map((challenge) => `${name}: ${challenge}`)];
    await peer.send(`SIP/2.0 ${status} x\r\n${lines.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`, 50);
    return asked().at(-1) ?? "";
  };
  return { running, peer, asked, answer };
}

const challenge = (realm: string, algorithm: string, more = 'qop="auth"', nonce = "n1") =>
  `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, ${more}`;

function shown(request: string, name = "Authorization"): ReadonlyMap<string, string>[] {
  return request.split("\r\n").filter((line) => line.startsWith(`${name}: `))
    .map((line) => parseAuthValue(line.slice(name.length + 2))?.params ?? new Map<string, string>());
}

/** Is the response right for user "us" with password "pw"? */
function right(params: ReadonlyMap<string, string> | undefined, algorithm: DigestAlgorithm): boolean {
  const part = (name: string) => params?.get(name) ?? "";
  const auth = params?.has("qop") ? { nc: part("nc"), cnonce: part("cnonce"), qop: part("qop") } : undefined;
  const ha1 = userDigest(algorithm, "us", part("realm"), "pw");
  const input = { algorithm, ha1, method: "MESSAGE", uri: part("uri"), nonce: part("nonce") };
  return part("response") === digestResponse(auth ? { ...input, auth } : input);
}

const US = { username: "us", password: "pw" };

test("the first algorithm of the peer that we can is used; the retry has CSeq + 1, a new branch, the same dialog ids", async () => {
  const { asked, answer } = await trunk({ us: US });
  const first = asked()[0] ?? "";
  const retry = await answer(401, challenge("r", "SHA-512-256"), challenge("r", "MD5"));
  expect(shown(retry).length).toBe(1);
  expect(shown(retry)[0]?.get("algorithm")).toBe("SHA-512-256");
  expect(right(shown(retry)[0], "SHA-512-256")).toBe(true);
  expect(headerOf(retry, "CSeq")).toBe("6 MESSAGE");
  for (const name of ["From", "Call-ID"]) expect(headerOf(retry, name)).toBe(headerOf(first, name));
  expect(headerOf(retry, "Via")).not.toBe(headerOf(first, "Via"));
  expect(retry).toEndWith("\r\n\r\nhi");
  await answer(200);
  expect(outcomes).toEqual([200]);
});

test("an auth object limited to MD5 answers the MD5 challenge, a stored digest answers without a password", async () => {
  const limited = await trunk({ us: { ...US, supportedAlgorithmsUac: "MD5" } });
  const retry = await limited.answer(401, challenge("r", "SHA-512-256"), challenge("r", "MD5"));
  expect(shown(retry).map((params) => params.get("algorithm"))).toEqual(["MD5"]);
  const passwordDigest = `SHA-256:${userDigest("SHA-256", "us", "r", "pw")}`;
  const stored = await trunk({ us: { username: "us", realm: "r", passwordDigest } });
  expect(right(shown(await stored.answer(401, challenge("r", "MD5"), challenge("r", "SHA-256")))[0], "SHA-256")).toBe(
    true,
  );
});

test("two realms in one 407 are answered in one retry; an exact realm comes before a wildcard", async () => {
  const { answer } = await trunk({ any: { username: "any", password: "pw" }, us: { ...US, realm: "R1" } });
  const retry = await answer(407, challenge("r1", "MD5"), challenge("r2", "MD5"));
  const params = shown(retry, "Proxy-Authorization");
  expect(params.map((one) => [one.get("realm"), one.get("username")])).toEqual([["r1", "us"], ["r2", "any"]]);
});

test("qop is auth when that is among what is offered; without it the form of RFC 2069; auth-int alone is not answered", async () => {
  const both =
    shown(await (await trunk({ us: US })).answer(401, challenge("r", "MD5", 'qop="auth-int, AUTH", opaque=""')))[0];
  expect([both?.get("qop"), both?.get("nc"), both?.get("opaque")]).toEqual(["auth", "00000001", ""]);
  expect(right(both, "MD5")).toBe(true);
  const old = shown(await (await trunk({ us: US })).answer(401, 'Digest realm="r", nonce="n1"'))[0];
  expect([old?.has("qop"), old?.has("algorithm"), right(old, "MD5")]).toEqual([false, false, true]);
  const integrity = await trunk({ us: US });
  await integrity.answer(401, challenge("r", "MD5", 'qop="auth-int"'));
  expect([integrity.asked().length, outcomes]).toEqual([1, [401]]);
});

test("the same nonce again means a wrong password: one retry, then the 401 goes up", async () => {
  const { running, asked, answer } = await trunk({ us: { ...US, password: "wrong" } });
  await answer(401, challenge("r", "MD5"));
  await answer(401, challenge("r", "MD5"));
  expect([asked().length, outcomes]).toEqual([2, [401]]);
  expect(running.log.some(({ text }) => text === "a peer refused our credentials")).toBe(true);
  expect(JSON.stringify(running.log)).not.toContain("wrong");
});

test("a peer that finds every nonce stale is answered a few times, not for ever", async () => {
  const { asked, answer } = await trunk({ us: US });
  for (let round = 1; round < 9; round++) {
    await answer(401, challenge("r", "MD5", 'qop="auth", stale=true', `n${round}`));
  }
  expect(asked().length).toBeLessThanOrEqual(5);
  expect(outcomes).toEqual([401]);
});

test("no credentials for a challenge: the 401 goes up and a warning names realm and algorithm", async () => {
  const { running, asked, answer } = await trunk({ us: { ...US, realm: "elsewhere" } });
  await answer(401, challenge("r", "MD5"), 'Bearer realm="r"', 'Digest realm="elsewhere"');
  expect([asked().length, outcomes]).toEqual([1, [401]]);
  expect(running.log.some(({ fields }) => fields["asked"]?.startsWith("r/MD5"))).toBe(true);
});
