import { expect, test } from "bun:test";
import type { StreamConnection } from "../../src/world/world.ts";
import { headerOf, type Peer, server, statusOf, type WireServer } from "../wire.ts";

const REGISTRAR = "192.0.2.9";

interface Provider {
  readonly running: WireServer;
  readonly peer: Peer;
  /** REGISTERs heard so far. */
  asked(): readonly string[];
  /** Answers the last one. */
  answer(status: number, ...lines: string[]): Promise<void>;
  statuses(): readonly string[];
}

function manifest(registration: Readonly<Record<string, unknown>>, core: Readonly<Record<string, unknown>> = {}) {
  return {
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" }, tcp: { bind: "tcp:0.0.0.0:5060" } },
      endpoints: { itsp: {}, peer: {} },
      auths: { itsp: { username: "555", password: "s3cret-7-words" } },
      ...core,
    },
    outbound_authenticator_digest: {},
    outbound_registration: {
      registrations: registration.serverUri === null ? {} : {
        itsp: {
          serverUri: `sip:${REGISTRAR}`,
          clientUri: `sip:555@${REGISTRAR}`,
          maxRandomInitialDelay: "1s",
          ...registration,
        },
      },
    },
  };
}

async function provider(
  registration: Readonly<Record<string, unknown>> = {},
  core: Readonly<Record<string, unknown>> = {},
): Promise<Provider> {
  const running = await server({ by_address: {}, ...manifest(registration, core) });
  const peer = await running.peer(REGISTRAR);
  const asked = () => [...new Set(peer.heard.filter((message) => message.startsWith("REGISTER ")))]; // each once
  const answer = async (status: number, ...lines: string[]) => {
    const request = asked().at(-1) ?? "";
    const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${headerOf(request, name)}`);
    await peer.send(`SIP/2.0 ${status} x\r\n${[...copied, ...lines].join("\r\n")}\r\nContent-Length: 0\r\n\r\n`, 20);
  };
  const statuses = () => running.told("registration.status").map(({ status }) => status);
  return { running, peer, asked, answer, statuses };
}

const contactOf = (message: string | undefined) => headerOf(message ?? "", "Contact") ?? "";
const cseqOf = (message: string | undefined) => Number.parseInt(headerOf(message ?? "", "CSeq") ?? "");
const CHALLENGE = 'WWW-Authenticate: Digest realm="itsp", nonce="n1", algorithm=MD5, qop="auth"';

test("registers soon after the start, answers the challenge, and says so", async () => {
  const { running, asked, answer, statuses } = await provider({ outboundAuth: "itsp" });
  await running.advance(2000);
  const [first] = asked();
  expect(first).toStartWith(`REGISTER sip:${REGISTRAR} SIP/2.0\r\n`);
  expect(headerOf(first!, "To")).toBe(`<sip:555@${REGISTRAR}>`);
  expect(headerOf(first!, "From")).toStartWith(`<sip:555@${REGISTRAR}>;tag=`);
  expect(contactOf(first)).toBe("<sip:s@192.0.2.4:5060>");
  expect(headerOf(first!, "Expires")).toBe("3600");
  await answer(401, CHALLENGE);
  const [, second] = asked();
  expect(headerOf(second!, "Authorization")).toContain('username="555"');
  expect(cseqOf(second)).toBe(cseqOf(first) + 1);
  expect(headerOf(second!, "Call-ID")).toBe(headerOf(first!, "Call-ID")!);
  await answer(200, `Contact: ${contactOf(second)};expires=3600`);
  expect(statuses()).toEqual(["Registered"]);
  expect(running.counter("outbound_registration.registered")).toBe(1);
});

test("is refreshed ten seconds before its end, with the same Call-ID and the next CSeq", async () => {
  const { running, asked, answer } = await provider();
  await running.advance(2000);
  await answer(200, `Contact: ${contactOf(asked()[0])};expires=60`);
  await running.advance(49_900);
  expect(asked()).toHaveLength(1);
  await running.advance(200);
  const [first, second] = asked();
  expect(headerOf(second!, "Call-ID")).toBe(headerOf(first!, "Call-ID")!);
  expect(cseqOf(second)).toBe(cseqOf(first) + 1);
});

test("a registrar that grants one second does not make us spin", async () => {
  const { running, asked, answer } = await provider();
  await running.advance(2000);
  await answer(200, `Contact: ${contactOf(asked()[0])};expires=1`);
  await running.advance(4900);
  expect(asked()).toHaveLength(1);
  await running.advance(200);
  expect(asked()).toHaveLength(2);
});

test("credentials that are refused are final, or tried again where the operator says so", async () => {
  const refused = await provider({ outboundAuth: "itsp" });
  await refused.running.advance(2000);
  for (let i = 0; i < 2; i++) await refused.answer(401, CHALLENGE);
  expect(refused.statuses()).toEqual(["Rejected"]);
  await refused.running.advance(3_600_000);
  expect(refused.asked()).toHaveLength(2);

  const renewing = await provider({ outboundAuth: "itsp" });
  await renewing.running.advance(2000);
  for (const nonce of ["n1", "n2"]) await renewing.answer(401, CHALLENGE.replace("n1", nonce));
  expect([renewing.asked().length, renewing.statuses()]).toEqual([2, ["Rejected"]]);

  const stale = await provider({ outboundAuth: "itsp" });
  await stale.running.advance(2000);
  await stale.answer(401, CHALLENGE);
  await stale.answer(401, `${CHALLENGE.replace("n1", "n2")}, stale=true`);
  expect(stale.asked()).toHaveLength(3);

  const patient = await provider({ outboundAuth: "itsp", authRejectionPermanent: false, retryInterval: "20s" });
  await patient.running.advance(2000);
  for (let i = 0; i < 2; i++) await patient.answer(401, CHALLENGE);
  await patient.running.advance(23_000);
  expect(patient.asked()).toHaveLength(3);
});

test("423 raises the expiration, before and after the challenge", async () => {
  const { running, asked, answer } = await provider({ expiration: 60, outboundAuth: "itsp" });
  await running.advance(2000);
  await answer(423, "Min-Expires: 1800");
  expect(headerOf(asked()[1]!, "Expires")).toBe("1800");
  await answer(401, CHALLENGE);
  await answer(423, "Min-Expires: 3000");
  expect(headerOf(asked().at(-1)!, "Expires")).toBe("3000");
  await answer(423, "Min-Expires: 3000");
  expect(running.told("registration.status").at(-1)).toMatchObject({ status: "Rejected", cause: "423 x" });
});

test("a registrar that never has enough, or sends us round and round, is a failure and no flood", async () => {
  const greedy = await provider({ expiration: 60, retryInterval: "60s" });
  await greedy.running.advance(2000);
  for (let i = 0; i < 20; i++) await greedy.answer(423, `Min-Expires: ${100 + i}`);
  expect(greedy.asked()).toHaveLength(6);
  expect(greedy.statuses()).toEqual(["Rejected"]);

  const dizzy = await provider({ expiration: 60 });
  await dizzy.running.advance(2000);
  for (let i = 0; i < 20; i++) {
    await dizzy.answer(302, `Contact: <sip:n${i}@${REGISTRAR}>`);
    await dizzy.answer(423, `Min-Expires: ${100 + i}`);
  }
  expect(dizzy.asked().length).toBeLessThanOrEqual(6);
  expect(dizzy.statuses()).toEqual(["Rejected"]);
});

test("the largest numbers a registrar can say are waited for", async () => {
  const granted = await provider();
  await granted.running.advance(2000);
  await granted.answer(200, `Contact: ${contactOf(granted.asked()[0])};expires=4294967295`);
  await granted.running.advance(86_400_000);
  expect([granted.asked().length, granted.statuses()]).toEqual([1, ["Registered"]]);

  const later = await provider();
  await later.running.advance(2000);
  await later.answer(503, "Retry-After: 99999999999");
  await later.running.advance(86_400_000);
  expect([later.asked().length, later.statuses()]).toEqual([1, ["Rejected"]]);
});

test("503 of the first SRV target goes to the second at once", async () => {
  const { running, peer } = await provider({ serverUri: null });
  const { names } = running.universe;
  names.service(
    "_sip._udp.itsp.example",
    { priority: 1, weight: 0, port: 5060, target: "one.itsp.example" },
    { priority: 2, weight: 0, port: 5060, target: "two.itsp.example" },
  );
  names.address("one.itsp.example", REGISTRAR);
  names.address("two.itsp.example", "192.0.2.10");
  const second = await running.peer("192.0.2.10");
  await running.reload(manifest({ serverUri: "sip:itsp.example" }));
  await running.advance(2000);
  const request = peer.heard.find((message) => message.startsWith("REGISTER "))!;
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${headerOf(request, name)}`);
  await peer.send(`SIP/2.0 503 x\r\n${copied.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`, 20);
  expect(second.heard.filter((message) => message.startsWith("REGISTER "))).toHaveLength(1);
});

test("Retry-After is obeyed and not counted", async () => {
  const { running, asked, answer } = await provider({ maxRetries: 1, retryInterval: "60s" });
  await running.advance(2000);
  for (let i = 0; i < 4; i++) {
    await answer(500, "Retry-After: 7");
    await running.advance(6900);
    expect(asked()).toHaveLength(i + 1);
    await running.advance(200);
    expect(asked()).toHaveLength(i + 2);
  }
});

test("gives up after maxRetries; a command revives it", async () => {
  const { running, asked, answer } = await provider({ maxRetries: 2, retryInterval: "1s" });
  await running.advance(2000);
  for (let i = 0; i < 5; i++) {
    await answer(503);
    await running.advance(1200);
  }
  await running.advance(600_000);
  expect(asked()).toHaveLength(3);
  const route = running.kernel.routes.find(({ route }) => route.path === "/outbound-registrations/:id/register")!.route;
  expect(await route.run({ params: { id: "nobody" }, query: {}, body: undefined })).toMatchObject({ status: 404 });
  expect(await route.run({ params: { id: "itsp" }, query: {}, body: undefined })).toMatchObject({ status: 202 });
  await running.advance(100);
  expect(asked()).toHaveLength(4);
});

test("a registrar that never answers is tried again, and does not hold the end up for long", async () => {
  const { running, asked, statuses } = await provider({ retryInterval: "60s" });
  await running.advance(2000 + 32_000);
  expect(running.told("registration.status").at(-1)).toMatchObject({ status: "Rejected", cause: "no answer" });
  await running.advance(67_000);
  expect([asked().length, statuses()]).toEqual([2, ["Rejected"]]);
  const stopping = running.kernel.stop();
  await running.advance(6000);
  await stopping;
});

test("403 is final, or tried again in the interval for it", async () => {
  const final = await provider();
  await final.running.advance(2000);
  await final.answer(403);
  await final.running.advance(600_000);
  expect(final.asked()).toHaveLength(1);

  const again = await provider({ forbiddenRetryInterval: "2s" });
  await again.running.advance(2000);
  for (let i = 1; i < 4; i++) {
    await again.answer(403);
    await again.running.advance(2300);
    expect(again.asked()).toHaveLength(i + 1);
  }
});

test("a line parameter tells whose a call is, before the address does", async () => {
  const { running, peer, asked, answer } = await provider({ line: true, endpoint: "itsp" });
  await running.advance(2000);
  const [contact] = /sip:[^>]*/.exec(contactOf(asked()[0])) ?? [];
  expect(contact).toMatch(/;line=[a-z]{7}$/);
  await answer(200, `Contact: ${contactOf(asked()[0])};expires=3600`);
  const call = (uri: string) =>
    peer.ask(
      `MESSAGE ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP ${REGISTRAR}:5060;branch=z9hG4bK${uri.length}\r\nFrom: <sip:a@b>;tag=1\r\n` +
        `To: <sip:555@${REGISTRAR}>\r\nCall-ID: ${uri.length}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n`,
    );
  expect(statusOf(await call(contact!))).toBe(405);
  expect(running.told("request.refused").at(-1)).toMatchObject({ endpoint: "itsp" });
  await call("sip:s@192.0.2.4;line=aaaaaaa");
  expect(running.told("request.refused").at(-1)).toMatchObject({ endpoint: "peer" });
});

test("a reload leaves an unchanged registration alone and renews a changed one", async () => {
  const { running, asked, answer } = await provider();
  await running.advance(2000);
  await answer(200, `Contact: ${contactOf(asked()[0])};expires=3600`);
  await running.reload(manifest({}));
  await running.advance(5000);
  expect(asked()).toHaveLength(1);
  await running.reload(manifest({ expiration: 600 }));
  await running.advance(10);
  expect(headerOf(asked()[1]!, "Expires")).toBe("0");
  expect(contactOf(asked()[1])).toBe(contactOf(asked()[0]));
  await answer(200);
  await running.advance(2000);
  expect(headerOf(asked()[2]!, "Expires")).toBe("600");
  expect(headerOf(asked()[2]!, "Call-ID")).not.toBe(headerOf(asked()[0]!, "Call-ID")!);
});

test("one that is removed, and all at the end, take their bindings back", async () => {
  const removed = await provider();
  await removed.running.advance(2000);
  await removed.answer(200, `Contact: ${contactOf(removed.asked()[0])};expires=3600`);
  await removed.running.reload(manifest({ serverUri: null }));
  await removed.running.advance(10);
  expect(headerOf(removed.asked()[1]!, "Expires")).toBe("0");

  const stopped = await provider();
  await stopped.running.advance(2000);
  await stopped.answer(200, `Contact: ${contactOf(stopped.asked()[0])};expires=3600`);
  const stopping = stopped.running.kernel.stop();
  await stopped.running.advance(10);
  expect(headerOf(stopped.asked()[1]!, "Expires")).toBe("0");
  await stopped.answer(200);
  await stopped.running.advance(10_000);
  await stopping;
});

test("301 is followed once in an attempt", async () => {
  const { running, asked, answer } = await provider({ retryInterval: "60s" });
  await running.advance(2000);
  await answer(301, `Contact: <sip:other@${REGISTRAR}>`);
  expect(asked()[1]).toStartWith(`REGISTER sip:other@${REGISTRAR} SIP/2.0`);
  await answer(302, `Contact: <sip:third@${REGISTRAR}>`);
  expect(asked()).toHaveLength(2);
});

test("a bad URI is a fault of the manifest; line without endpoint is not used", async () => {
  const fault = await provider({ serverUri: "tel:+4930" }).then(() => "", String);
  expect(fault).toContain("serverUri");
  const { running, asked } = await provider({ line: true });
  await running.advance(20_000);
  expect(asked()).toHaveLength(0);
  expect(running.log.some(({ text }) => text.includes("line and endpoint go together"))).toBe(true);
});

test("when its connection closes a binding is made anew at once", async () => {
  const { running } = await provider({ serverUri: null });
  const accepted: StreamConnection[] = [];
  const heard: string[] = [];
  const registrar = running.universe.host("192.0.2.30");
  await registrar.network.listenStream({ host: "192.0.2.30", port: 5060 }, {
    accepted(connection) {
      accepted.push(connection);
      connection.listen({
        received(bytes) {
          const request = new TextDecoder().decode(bytes);
          heard.push(request);
          const copied = ["Via", "From", "To", "Call-ID", "CSeq", "Contact"]
            .map((name) => `${name}: ${headerOf(request, name)}`);
          const answer = `SIP/2.0 200 OK\r\n${copied.join("\r\n")}\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n`;
          connection.write(new TextEncoder().encode(answer));
        },
        drained() {},
        closed() {},
      });
    },
    failed() {},
  });
  await running.reload(manifest({ serverUri: "sip:192.0.2.30;transport=tcp" }));
  await running.advance(2000);
  expect(heard).toHaveLength(1);
  expect(contactOf(heard[0])).toBe("<sip:s@192.0.2.4:5060;transport=tcp>");
  accepted[0]?.destroy();
  await running.advance(500);
  expect(accepted).toHaveLength(2);
  expect(heard).toHaveLength(2);
});
