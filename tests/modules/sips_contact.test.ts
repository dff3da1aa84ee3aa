import { expect, test } from "bun:test";
import { sender } from "../sender.ts";
import { headerOf, server } from "../wire.ts";

/** What became of the Contact of a request to `uri` with these header lines, as it left. */
async function contactOf(uri: string, lines: readonly (readonly [string, string])[]): Promise<string | undefined> {
  const { module, send } = sender();
  const running = await server({ sender: {}, sips_contact: {} }, [module]);
  const peer = await running.peer();
  const headers = [
    ...lines,
    ["From", "<sip:us@192.0.2.4>;tag=f1"],
    ["To", "<sip:them@192.0.2.9>"],
    ["Call-ID", "1"],
    ["CSeq", "1 SUBSCRIBE"],
  ] as const;
  send({ method: "SUBSCRIBE", uri, headers, to: { protocol: "udp", address: { host: "192.0.2.9", port: 5060 } } });
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
