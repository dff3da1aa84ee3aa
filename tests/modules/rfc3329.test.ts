import { expect, test } from "bun:test";
import { headerOf, type Peer, server, type WireServer } from "../wire.ts";

const MECHANISMS = ["sdes-srtp;mediasec", "dtls-srtp"];
const CHALLENGE = 'WWW-Authenticate: Digest realm="itsp", nonce="n1", algorithm=MD5, qop="auth"';

async function operator(registration: Readonly<Record<string, unknown>> = {}) {
  const security = { securityNegotiation: "mediasec", securityMechanisms: MECHANISMS };
  const running: WireServer = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { itsp: { aors: "itsp", outboundAuth: "us", ...security } },
      aors: { itsp: { contact: ["sip:x@192.0.2.9"], qualifyFrequency: "30s" } },
      auths: { us: { username: "us", password: "s3cret-7-words" } },
    },
    registrar: {},
    qualify: {},
    rfc3329: {},
    outbound_authenticator_digest: {},
    outbound_registration: {
      registrations: {
        itsp: {
          serverUri: "sip:192.0.2.9",
          clientUri: "sip:us@192.0.2.9",
          outboundAuth: "us",
          maxRandomInitialDelay: "1s",
          line: true,
          endpoint: "itsp",
          ...security,
          ...registration,
        },
      },
    },
  });
  const peer = await running.peer();
  await running.advance(1500);
  const asked = (method = "REGISTER") => [...new Set(peer.heard.filter((message) => message.startsWith(`${method} `)))];
  return { running, peer, asked };
}

const answer = (peer: Peer, request: string, status: string, ...lines: string[]) =>
  peer.send(
    `SIP/2.0 ${status}\r\n${
      [...["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${headerOf(request, name)}`), ...lines]
        .join("\r\n")
    }\r\nContent-Length: 0\r\n\r\n`,
    20,
  );
const all = (message: string | undefined, name: string) =>
  (message ?? "").split("\r\n").filter((line) => line.startsWith(`${name}: `)).map((line) =>
    line.slice(name.length + 2)
  );

test("the first REGISTER tells what we can; off it says nothing", async () => {
  const [first] = (await operator()).asked();
  expect(all(first, "Security-Client")).toEqual(MECHANISMS);
  expect([headerOf(first!, "Require"), headerOf(first!, "Proxy-Require")]).toEqual(["mediasec", "mediasec"]);
  expect(all(first, "Security-Verify")).toEqual([]);
  const [silent] = (await operator({ securityNegotiation: "no" })).asked();
  for (const name of ["Security-Client", "Require", "Proxy-Require"]) expect(headerOf(silent!, name)).toBeUndefined();
});

test("the list of a challenge comes back in order, without q and without what nobody knows", async () => {
  const { peer, asked } = await operator();
  await answer(
    peer,
    asked()[0]!,
    "401 Unauthorized",
    CHALLENGE,
    "Security-Server: sdes-srtp;q=0.3;mediasec, ipsec-3gpp;alg=x",
    "Security-Server: msrp-tls;mediasec",
  );
  const retry = asked().at(-1);
  expect(all(retry, "Security-Verify")).toEqual(["sdes-srtp;mediasec", "msrp-tls;mediasec"]);
  expect(all(retry, "Security-Client")).toEqual(MECHANISMS);
  expect(headerOf(retry!, "Authorization")).toContain('username="us"');
  expect(all(retry, "Require")).toEqual(["mediasec"]);
});

test("494 is answered at once without Security-Client; a second one is final", async () => {
  const { running, peer, asked } = await operator();
  await answer(peer, asked()[0]!, "494 Security Agreement Required", "Security-Server: sdes-srtp");
  expect(asked()).toHaveLength(2);
  expect(all(asked()[1], "Security-Client")).toEqual([]);
  expect(all(asked()[1], "Security-Verify")).toEqual(["sdes-srtp"]);
  await answer(peer, asked()[1]!, "494 Security Agreement Required", "Security-Server: sdes-srtp");
  expect(asked()).toHaveLength(2);
  expect(running.told("registration.status").at(-1)).toMatchObject({ status: "Rejected" });
});

test("qualify through the trunk carries what the registrar said", async () => {
  const { running, peer, asked } = await operator();
  await answer(peer, asked()[0]!, "401 Unauthorized", CHALLENGE, "Security-Server: sdes-srtp;mediasec");
  await answer(peer, asked().at(-1)!, "200 OK");
  await running.advance(31_000);
  expect(all(asked("OPTIONS").at(-1), "Security-Verify")).toEqual(["sdes-srtp;mediasec"]);
  expect(all(asked("OPTIONS").at(-1), "Security-Client")).toEqual([]);
});

test("a refresh still carries the list; a mechanism nobody knows is left out with one warning", async () => {
  const { running, peer, asked } = await operator({ securityMechanisms: ["foo", "sdes-srtp"] });
  expect(all(asked()[0], "Security-Client")).toEqual(["sdes-srtp"]);
  await answer(peer, asked()[0]!, "401 Unauthorized", CHALLENGE, "Security-Server: dtls-srtp");
  await answer(peer, asked().at(-1)!, "200 OK", "Expires: 60");
  await running.advance(51_000);
  expect(all(asked().at(-1), "Security-Verify")).toEqual(["dtls-srtp"]);
  expect(running.log.filter(({ text }) => text.includes("unknown security mechanisms"))).toHaveLength(1);
});
