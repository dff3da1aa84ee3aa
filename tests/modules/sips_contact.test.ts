import { expect, test } from "bun:test";
import * as v from "valibot";
import { defineModule } from "../../src/kernel/module.ts";
import { stack } from "../../src/kernel/services.ts";
import { headerList } from "../../src/sip/message/header_list.ts";
import { parseUri } from "../../src/sip/message/uri.ts";
import { headerOf, server } from "../wire.ts";

/** What became of the Contact of a request to `uri` with these header lines, as it left. */
async function contactOf(uri: string, lines: readonly (readonly [string, string])[]): Promise<string | undefined> {
  const sender = defineModule({
    name: "sender",
    summary: "sends for a test",
    requires: ["core"],
    options: v.object({}),
    setup(ctx) {
      const sip = ctx.use(stack);
      const target = parseUri(uri);
      if (!target) throw new Error(`${uri} is no URI`);
      const headers = headerList([
        ...lines,
        ["From", "<sip:us@192.0.2.4>;tag=f1"],
        ["To", "<sip:them@192.0.2.9>"],
        ["Call-ID", "1"],
        ["CSeq", "1 SUBSCRIBE"],
      ]);
      const request = { kind: "request", method: "SUBSCRIBE", uri: target, headers, body: new Uint8Array(0) } as const;
      const to = { protocol: "udp", address: { host: "192.0.2.9", port: 5060 } } as const;
      ctx.world.after(10, () => void sip.send(request, undefined, { response: () => {}, failed: () => {} }, to));
    },
  });
  const running = await server({ sender: {}, sips_contact: {} }, [sender]);
  const peer = await running.peer();
  await running.advance(50);
  const sent = peer.heard.find((message) => message.startsWith("SUBSCRIBE "));
  if (!sent) throw new Error("nothing was sent");
  return headerOf(sent, "Contact");
}

const OURS = ["Contact", "<sip:us@192.0.2.4:5060>"] as const;
const SECURE = "<sips:us@192.0.2.4:5060>";

for (
  const [title, uri, lines, contact] of [
    ["sip everywhere", "sip:them@192.0.2.9", [OURS], OURS[1]],
    ["a sips Request-URI", "sips:them@192.0.2.9", [OURS], SECURE],
    ["a sips first Route", "sip:them@192.0.2.9", [["Route", "<sips:proxy;lr>"], OURS], SECURE],
    ["a sips second Route", "sip:them@192.0.2.9", [["Route", "<sip:p;lr>"], ["Route", "<sips:q;lr>"], OURS], OURS[1]],
    ["a Contact that is sips", "sip:them@192.0.2.9", [["Contact", SECURE]], SECURE],
    ["no Contact", "sips:them@192.0.2.9", [], undefined],
    ["a star", "sips:them@192.0.2.9", [["Contact", "*"]], "*"],
    [
      "transport=tls goes, other parameters stay",
      "sips:them@192.0.2.9",
      [["Contact", "<sip:us@192.0.2.4:5061;transport=TLS;x=1>;q=0.5"]],
      "<sips:us@192.0.2.4:5061;x=1>;q=0.5",
    ],
    [
      "transport=tcp stays",
      "sips:them@192.0.2.9",
      [["Contact", "<sip:us@192.0.2.4;transport=tcp>"]],
      "<sips:us@192.0.2.4;transport=tcp>",
    ],
  ] as const
) {
  test(`Contact of a request: ${title}`, async () => {
    expect(await contactOf(uri, lines)).toBe(contact);
  });
}
