import { expect, test } from "bun:test";
import { isSecureTo } from "../../src/modules/session/way.ts";
import { parseUri } from "../../src/sip/message/uri.ts";

const flow = (secure: boolean, open = true) => ({ secure, open, remote: { host: "192.0.2.10", port: 40_000 } });
type Way = ReturnType<typeof flow>;

test("a request is secret where its next hop is: sips, TLS, secure WebSocket, or the connection there is", () => {
  const rows: [string, Way | undefined, boolean][] = [
    ["sip:a@192.0.2.10", flow(true), true],
    ["sip:a@192.0.2.10", flow(true, false), false], // closed: it would be resolved, to UDP
    ["sip:a@192.0.2.10", flow(false), false],
    ["sip:a@192.0.2.99", flow(true), false], // the peer moved its Contact
    ["sip:a@192.0.2.99;transport=TLS", flow(true), true],
    ["sip:a@192.0.2.99;transport=udp", flow(true), false],
    ["sip:a@df7jal23ls0d.invalid;transport=ws", flow(true), true],
    ["sips:a@example.org", undefined, true],
    ["sip:a@example.org", undefined, false],
    ["tel:+1234", flow(true), false],
  ];
  for (const [text, over, secret] of rows) {
    const uri = parseUri(text);
    expect([text, uri && isSecureTo(uri, over)]).toEqual([text, secret]);
  }
});
