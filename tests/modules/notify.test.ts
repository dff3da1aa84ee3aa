import { expect, test } from "bun:test";
import type { ApiReply } from "../../src/kernel/http.ts";
import { headerOf, type Peer, server, type WireServer } from "../wire.ts";

const templates = {
  "check-sync": [["Event", "check-sync"], ["X-Foo", "bar"]],
  "text": [["Event", "service-control"], ["Content-type", "text/plain"], ["Content", "action=restart"], [
    "Content",
    "",
  ]],
  "odd": [["Event", "a"], ["Call-ID", "mine"], ["Event", "b"], ["Contact", "<sip:x@y>"], ["Content", "lost"]],
};

async function notifier(global: Readonly<Record<string, unknown>> = {}) {
  const running: WireServer = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { alice: { aors: ["desk", "lab"], outboundAuth: "us" }, out: {}, none: {} },
      aors: { desk: { contact: ["sip:a@192.0.2.9", "sip:b@192.0.2.9"] }, lab: { contact: ["sip:c@192.0.2.9"] } },
      auths: { us: { username: "us", password: "s3cret-7-words" } },
      global,
    },
    registrar: {},
    outbound_authenticator_digest: {},
    notify: { templates },
  });
  const peer = await running.peer();
  const post = async (body: unknown): Promise<ApiReply> => {
    const route = running.kernel.routes.find(({ route }) => route.path === "/notify")!.route;
    const reply = Promise.resolve(route.run({ params: {}, query: {}, body }))
      .catch((error: unknown): ApiReply => ({ status: 400, body: { error: String(error) } }));
    await running.advance(20);
    return await reply;
  };
  return { running, peer, post };
}

const notifies = (peer: Peer) => peer.heard.filter((message) => message.startsWith("NOTIFY "));
const answer = (peer: Peer, request: string, status: string, ...lines: string[]) =>
  peer.send(
    `SIP/2.0 ${status}\r\n${
      [...["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${headerOf(request, name)}`), ...lines].join(
        "\r\n",
      )
    }\r\nContent-Length: 0\r\n\r\n`,
  );

test("every contact of every aor gets its own NOTIFY with the headers in order", async () => {
  const { peer, post } = await notifier();
  expect(await post({ endpoint: "alice", template: "check-sync" })).toEqual({ status: 202, body: { sent: 3 } });
  const sent = notifies(peer);
  expect(sent.map((message) => message.split(" ")[1]!)).toEqual([
    "sip:a@192.0.2.9",
    "sip:b@192.0.2.9",
    "sip:c@192.0.2.9",
  ]);
  expect(sent[0]).toContain("\r\nSubscription-State: terminated\r\nEvent: check-sync\r\nX-Foo: bar\r\n");
  expect(headerOf(sent[0]!, "Contact")).toBe("<sip:alice@192.0.2.4:5060>");
  expect(headerOf(sent[0]!, "Content-Length")).toBe("0");
});

test("content lines are the body", async () => {
  const { peer, post } = await notifier();
  await post({ endpoint: "alice", template: "text" });
  const [sent] = notifies(peer);
  expect(headerOf(sent!, "Content-Type")).toBe("text/plain");
  expect(sent!.split("\r\n\r\n")[1]).toBe("action=restart\r\n");
  expect(headerOf(sent!, "Content-Length")).toBe("16");
});

test("what is ours to say is left out with a warning, and so is a second Event", async () => {
  const { running, peer, post } = await notifier();
  await post({ endpoint: "alice", template: "odd" });
  const [sent] = notifies(peer);
  expect(headerOf(sent!, "Call-ID")).not.toBe("mine");
  expect(sent!.match(/Event: /g)).toHaveLength(1);
  expect(sent!.split("\r\n\r\n")[1]).toBe("");
  const warnings = running.log.filter(({ module, level }) => module === "notify" && level === "warning").map((r) =>
    r.text
  );
  expect(warnings).toEqual([
    "Call-ID cannot be set",
    "there is one Event already",
    "Contact cannot be set",
    "Content without Content-type is not sent",
  ]);
});

test("a URI goes by the default outbound endpoint, and not without one", async () => {
  const without = await notifier();
  expect((await without.post({ uri: "sip:x@192.0.2.9", template: "check-sync" })).status).toBe(409);
  expect(notifies(without.peer)).toHaveLength(0);
  const { peer, post } = await notifier({ defaultOutboundEndpoint: "out" });
  expect((await post({ uri: "sip:x@192.0.2.9", lines: [["Event", "resync"]] })).status).toBe(202);
  expect(headerOf(notifies(peer)[0]!, "Event")).toBe("resync");
});

test("a challenge is answered, and with `wait` the answers are told", async () => {
  const { running, peer } = await notifier();
  const route = running.kernel.routes.find(({ route }) => route.path === "/notify")!.route;
  const body = { endpoint: "alice", template: "check-sync", wait: true };
  const reply = route.run({ params: {}, query: {}, body });
  await running.advance(20);
  const [one, two] = notifies(peer);
  await answer(peer, one!, "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5');
  expect(headerOf(notifies(peer).at(-1)!, "Authorization")).toContain('username="us"');
  await answer(peer, notifies(peer).at(-1)!, "200 OK");
  await answer(peer, two!, "489 Bad Event");
  await running.advance(33_000);
  expect(await reply).toEqual({
    status: 200,
    body: {
      sent: 3,
      results: [
        { to: "sip:a@192.0.2.9", status: 200 },
        { to: "sip:b@192.0.2.9", status: 489 },
        { to: "sip:c@192.0.2.9", status: 408 },
      ],
    },
  });
});

test("what cannot be meant is refused and nothing is sent", async () => {
  const { peer, post } = await notifier();
  for (
    const [body, status] of [
      [{ endpoint: "alice", uri: "sip:x@y", template: "text" }, 400],
      [{ template: "text" }, 400],
      [{ endpoint: "alice" }, 400],
      [{ endpoint: "alice", template: "text", lines: [["Event", "x"]] }, 400],
      [{ endpoint: "alice", template: "nothing" }, 404],
      [{ endpoint: "nobody", template: "text" }, 404],
      [{ endpoint: "none", template: "text" }, 409],
      [{ uri: "mailto:x@y", template: "text" }, 400],
      [{ channel: "PJSIP/x-1", template: "text" }, 404],
    ] as const
  ) {
    expect([body, (await post(body)).status]).toEqual([body, status]);
  }
  const fault = await post({ endpoint: "alice", lines: [["Event", "x\r\nVia: y"]] });
  expect(fault).toMatchObject({ status: 400, body: { error: expect.stringContaining("line end") } });
  expect(notifies(peer)).toHaveLength(0);
});
