import { expect, test } from "bun:test";
import { sender } from "../sender.ts";
import { headerOf, type Peer, server, statusOf, type WireServer } from "../wire.ts";

const { module: sending, send } = sender();
/** Sends a MESSAGE to a URI on behalf of alice. */
function say(uri: string, ...lines: readonly (readonly [string, string])[]): void {
  const headers = [
    ...lines,
    ["From", "<sip:us@192.0.2.4>;tag=f1"],
    ["To", `<${uri}>`],
    ["Call-ID", `${uri} ${lines.length}`.replaceAll(" ", "-")],
    ["CSeq", "5 MESSAGE"],
  ] as const;
  send({ method: "MESSAGE", uri, headers }, "alice");
}

async function edge(aor: Readonly<Record<string, unknown>>, endpoint: Readonly<Record<string, unknown>> = {}) {
  const running: WireServer = await server({
    core: {
      transports: { udp: { bind: "udp:0.0.0.0:5060" } },
      endpoints: { alice: { aors: ["alice"], ...endpoint } },
      aors: { alice: { maxContacts: 2, ...aor } },
    },
    by_address: { addresses: { "192.0.2.9": "alice" } },
    registrar: {},
    path: {},
    sender: {},
  }, [sending]);
  return { running, first: await running.peer("192.0.2.9"), second: await running.peer("192.0.2.20") };
}

const register = (peer: Peer, contact: string, ...lines: string[]) =>
  peer.ask([
    "REGISTER sip:192.0.2.4 SIP/2.0",
    `Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK${contact.replace(/\W/g, "")}`,
    "From: <sip:alice@192.0.2.4>;tag=1",
    "To: <sip:alice@192.0.2.4>",
    `Call-ID: ${contact}`,
    "CSeq: 1 REGISTER",
    `Contact: <${contact}>`,
    ...lines,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n"));

const messages = (peer: Peer) => peer.heard.filter((message) => message.startsWith("MESSAGE "));
const routes = (message = "") =>
  message.split("\r\n").filter((line) => line.startsWith("Route: ")).map((line) => line.slice(7));

test("a request that only has the URI of a contact goes by its path", async () => {
  const { running, first, second } = await edge({ supportPath: true });
  const contact = "sip:1000@10.1.2.3:5060";
  const answer = await register(
    first,
    contact,
    "Supported: path",
    "Path: <sip:192.0.2.20;lr>",
    "Path: <sip:edge2.example.net;lr>",
  );
  expect(statusOf(answer)).toBe(200);
  say(contact);
  await running.advance(20);
  const [message] = messages(second);
  expect(message).toStartWith(`MESSAGE ${contact} SIP/2.0`);
  expect(routes(message)).toEqual(["<sip:192.0.2.20;lr>", "<sip:edge2.example.net;lr>"]);
  expect(headerOf(message!, "Supported")).toContain("path");
  expect(running.counter('path.used{aor="alice"}')).toBe(1);
});

test("a path that leads already is not put there twice", async () => {
  const { running, first, second } = await edge({ supportPath: true });
  await register(first, "sip:1000@10.1.2.3", "Supported: path", "Path: <sip:192.0.2.20;lr>");
  say("sip:1000@10.1.2.3", ["Route", "<sip:192.0.2.20;lr>"]);
  await running.advance(20);
  expect(routes(messages(second)[0])).toEqual(["<sip:192.0.2.20;lr>"]);
});

test("the path comes before the proxy of the endpoint, which is then left out", async () => {
  const { running, first, second } = await edge({ supportPath: true }, { outboundProxy: "sip:192.0.2.9;lr" });
  await register(first, "sip:1000@10.1.2.3", "Supported: path", "Path: <sip:192.0.2.20;lr>");
  say("sip:1000@10.1.2.3");
  await running.advance(20);
  expect(routes(messages(second)[0])).toEqual(["<sip:192.0.2.20;lr>"]);
});

test("another URI, or an aor without supportPath, has no path", async () => {
  const known = await edge({ supportPath: true });
  await register(known.first, "sip:1000@10.1.2.3", "Supported: path", "Path: <sip:192.0.2.20;lr>");
  say("sip:1001@192.0.2.9");
  await known.running.advance(20);
  expect(routes(messages(known.first)[0])).toEqual([]);

  const deaf = await edge({});
  const answer = await register(deaf.first, "sip:1000@192.0.2.9", "Supported: path", "Path: <sip:192.0.2.20;lr>");
  expect(headerOf(answer ?? "", "Path")).toBeUndefined();
  say("sip:1000@192.0.2.9");
  await deaf.running.advance(20);
  expect(routes(messages(deaf.first)[0])).toEqual([]);
});
