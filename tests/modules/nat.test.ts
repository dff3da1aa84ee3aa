import { expect, test } from "bun:test";
import * as v from "valibot";
import { defineModule } from "../../src/kernel/module.ts";
import { stack } from "../../src/kernel/services.ts";
import { parseUri } from "../../src/sip/message/uri.ts";
import { headerList } from "../../src/sip/message/header_list.ts";
import type { SipRequest } from "../../src/sip/message/message.ts";
import { encodeText } from "../../src/sip/message/octets.ts";
import { reply } from "../../src/sip/message/reply.ts";
import { headerOf, server, wire } from "../wire.ts";

let serial = 0;
const register = (contact: string) =>
  wire`
    REGISTER sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK${++serial}
    Max-Forwards: 70
    From: <sip:phone@192.0.2.4>;tag=b
    To: <sip:phone@192.0.2.4>
    Call-ID: register@10.0.0.5
    CSeq: ${serial} REGISTER
    Contact: ${contact}
    Expires: 600
  `;

/** Answers MESSAGE with the headers it saw, and sends what the test wants. */
function probe() {
  const seen: SipRequest[] = [];
  const answers: string[] = [];
  let send: (uri: string, body?: string) => void = () => {};
  const module = defineModule({
    name: "probe",
    summary: "looks for a test",
    requires: ["core", "nat"],
    options: v.object({}),
    setup(ctx) {
      const core = ctx.use(stack);
      ctx.inbound("method", ({ request }) => {
        if (request.method !== "MESSAGE") return undefined;
        seen.push(request);
        return reply(request, 200, "OK", { "Contact": "<sip:us@192.0.2.4>" });
      });
      send = (text, body = "") => {
        const uri = parseUri(text);
        if (!uri || uri.scheme !== "sip") throw new Error(text);
        const destination = { protocol: "udp", address: { host: uri.host, port: uri.port ?? 5060 } } as const;
        const headers = headerList([
          ["From", "<sip:us@192.0.2.4>;tag=1"],
          ["To", `<${text}>`],
          ["Call-ID", `out${++serial}`],
          ["CSeq", "1 INVITE"],
          ["Contact", `<${core.localContact(destination, "us")}>`],
          ...(body === "" ? [] : [["Content-Type", "application/sdp"] as const]),
        ]);
        core.send(
          { kind: "request", method: "INVITE", uri, headers, body: encodeText(body) },
          ctx.objects.endpoint("peer"),
          {
            response: (response) => answers.push(`${response.status} ${response.headers.text("Contact")}`),
            failed: (why) => answers.push(why),
          },
        );
      };
    },
  });
  return { module, seen, answers, send: (uri: string, body?: string) => send(uri, body) };
}

const core = (endpoint: Readonly<Record<string, unknown>>, transport: Readonly<Record<string, unknown>> = {}) => ({
  transports: { udp: { bind: "udp:192.0.2.4:5060", ...transport } },
  endpoints: { peer: { aors: "phone", ...endpoint } },
  aors: { phone: { maxContacts: 5 } },
});

test("a Contact is stored where the packets come from and listed as its owner wrote it", async () => {
  const { module, send } = probe();
  const patchbay = await server({ core: core({ rewriteContact: true }), nat: {}, registrar: {}, probe: {} }, [module]);
  const phone = await patchbay.peer("192.0.2.9", 40000);
  const ok = await phone.ask(register("<sip:phone@10.0.0.5:5070;transport=tcp>"), 100) ?? "";
  expect(headerOf(ok, "Contact")).toStartWith("<sip:phone@10.0.0.5:5070>"); // the stale transport is gone
  expect(ok).not.toContain("x-ast");
  const [contact] = patchbay.told("contact.added");
  expect(contact?.uri).toStartWith("sip:phone@192.0.2.9:40000");
  send(contact?.uri ?? "");
  await patchbay.advance(10);
  const invite = phone.heard.at(-1) ?? "";
  expect(invite).toStartWith("INVITE sip:phone@192.0.2.9:40000 SIP/2.0\r\n");
  expect(invite).not.toContain("x-ast");
});

test("x-ast-orig-host from the wire is stripped", async () => {
  const { module } = probe();
  const patchbay = await server({ core: core({}), nat: {}, registrar: {}, probe: {} }, [module]);
  const phone = await patchbay.peer("192.0.2.9", 40000);
  await phone.ask(register("<sip:phone@10.0.0.5:5070;x-ast-orig-host=203.0.113.1:1>"), 100);
  expect(patchbay.told("contact.added")[0]?.uri).toBe("sip:phone@10.0.0.5:5070");
});

const message = (...more: string[]) =>
  wire`
    MESSAGE sip:us@192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK${++serial}
    Max-Forwards: 70
    From: <sip:phone@192.0.2.4>;tag=b
    To: <sip:us@192.0.2.4>
    Call-ID: ${serial}@10.0.0.5
    CSeq: 1 MESSAGE
    ${["Contact: <sip:phone@10.0.0.5>", ...more].join("\n")}
  `;

test("of two Record-Route only the top one changes, and Contact stays", async () => {
  const { module, seen } = probe();
  const patchbay = await server({ core: core({ rewriteContact: true }), nat: {}, registrar: {}, probe: {} }, [module]);
  const phone = await patchbay.peer("192.0.2.9", 5062);
  await phone.ask(message("Record-Route: <sip:10.0.0.1;lr>", "Record-Route: <sip:10.0.0.2;lr>"));
  const { headers } = seen[0] ?? { headers: headerList() };
  expect(headers.text("Record-Route")).toBe("<sip:192.0.2.9:5062;lr>, <sip:10.0.0.2;lr>");
  expect(headers.text("Contact")).toBe("<sip:phone@10.0.0.5>");
});

test("forceRport answers to the source port although Via has no rport; without it to the sent-by port", async () => {
  for (const force of [true, false]) {
    const { module } = probe();
    const patchbay = await server({ core: core({ forceRport: force }), nat: {}, registrar: {}, probe: {} }, [module]);
    const source = await patchbay.peer("192.0.2.9", 40000);
    const named = await patchbay.peer("192.0.2.9", 5062);
    await source.send(message());
    expect([source.heard.length, named.heard.length]).toEqual(force ? [1, 0] : [0, 1]);
  }
});

test("the Contact of an answer is rewritten too, so that ACK and BYE arrive", async () => {
  const { module, answers, send } = probe();
  const patchbay = await server({ core: core({ rewriteContact: true }), nat: {}, registrar: {}, probe: {} }, [module]);
  const phone = await patchbay.peer("192.0.2.9", 40000);
  send("sip:phone@192.0.2.9:40000");
  await patchbay.advance(10);
  const lines = (phone.heard[0] ?? "").split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  await phone.send(["SIP/2.0 200 OK", ...lines, "Contact: <sip:phone@10.0.0.5:5060>", "", ""].join("\r\n"));
  expect(answers).toEqual(["200 <sip:phone@192.0.2.9:40000>"]);
});

const sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const external = {
  localNet: ["192.0.2.0/24"],
  externalSignalingAddress: "198.51.100.7",
  externalSignalingPort: 5080,
  externalMediaAddress: "198.51.100.8",
};

test("somebody outside sees the external addresses, somebody inside our own", async () => {
  const { module, send } = probe();
  const patchbay = await server({ core: core({}, external), nat: {}, registrar: {}, probe: {} }, [module]);
  const outside = await patchbay.peer("203.0.113.5");
  const inside = await patchbay.peer("192.0.2.9");
  send("sip:x@203.0.113.5", sdp);
  send("sip:x@192.0.2.9", sdp);
  await patchbay.advance(10);
  const [far, near] = [outside.heard[0] ?? "", inside.heard[0] ?? ""];
  expect(headerOf(far, "Via")).toStartWith("SIP/2.0/UDP 198.51.100.7:5080;");
  expect(headerOf(far, "Contact")).toBe("<sip:us@198.51.100.7:5080>");
  expect(far).toContain("o=- 1 1 IN IP4 198.51.100.8\r\n");
  expect(far).toContain("c=IN IP4 198.51.100.8\r\n");
  expect(headerOf(near, "Via")).toStartWith("SIP/2.0/UDP 192.0.2.4:5060;");
  expect(headerOf(near, "Contact")).toBe("<sip:us@192.0.2.4:5060>");
  expect(near).not.toContain("198.51.100");
});

test("an external name is looked up at the start and again later", async () => {
  const { module, send } = probe();
  const named = { externalSignalingAddress: "pbx.example.org" };
  const starting = server({ core: core({}, named), nat: {}, registrar: {}, probe: {} }, [module]);
  const patchbay = await starting;
  expect(patchbay.log.some(({ text }) => text.includes("pbx.example.org is absent"))).toBe(true);
  patchbay.universe.names.address("pbx.example.org", "198.51.100.7");
  await patchbay.advance(301_000);
  const outside = await patchbay.peer("203.0.113.5");
  send("sip:x@203.0.113.5");
  await patchbay.advance(10);
  expect(headerOf(outside.heard[0] ?? "", "Contact")).toBe("<sip:us@198.51.100.7:5060>");
});

test("an external address and an external name at once are an error at load", async () => {
  const both = { externalSignalingAddress: "198.51.100.7", externalSignalingHostname: "pbx.example.org" };
  await expect(server({ core: core({}, both), nat: {}, registrar: {} })).rejects.toThrow("externalSignalingHostname");
});
