import { expect, test } from "bun:test";
import { SERVER, server, statusOf, wire } from "../wire.ts";
import { torture } from "./expected.ts";
import { tortureMessages } from "./messages.ts";

const manifest = {
  core: {
    transports: { udp: { bind: "udp:0.0.0.0:5060" } },
    endpoints: { peer: { aors: ["user", "j_user", "null-%00-null", "watson"], context: "internal" } },
    aors: Object.fromEntries(["user", "j_user", "null-%00-null", "watson"].map((id) => [id, { maxContacts: 10 }])),
  },
  session: {},
  sdp_rtp: {},
  registrar: {},
  nat: {},
  dlg_options: {},
  dialplan: { internal: { "_.": "hangup(17)" } },
};

const options = (serial: number) =>
  wire`
    OPTIONS sip:${SERVER} SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKafter${serial}
    Max-Forwards: 70
    From: <sip:bob@example.org>;tag=b
    To: <sip:alice@example.org>
    Call-ID: after${serial}@192.0.2.9
    CSeq: 1 OPTIONS
  `;

/** The final statuses the server sends because of one datagram. */
async function answers(octets: Uint8Array): Promise<{ readonly finals: number[]; readonly alive: number }> {
  const patchbay = await server(manifest);
  const peer = await patchbay.peer();
  const heard: string[] = [];
  patchbay.universe.watch = (from, _to, bytes) => {
    if (from.host === SERVER) heard.push(new TextDecoder().decode(bytes));
  };
  await peer.send(octets, 300);
  const finals = heard.map(statusOf).filter((status) => status >= 200);
  const alive = statusOf(await peer.ask(options(1)));
  expect(patchbay.told("module.fault")).toEqual([]);
  return { finals, alive };
}

for (const { name, bytes } of tortureMessages()) {
  const expectation = torture[name] ?? { parsed: "dropped", answered: [], why: "" };
  test(`${name}: ${expectation.why}`, async () => {
    const { finals, alive } = await answers(bytes);
    expect(alive).toBe(200);
    const status = finals[0];
    if (expectation.answered === undefined) {
      expect(status).toBeDefined();
      expect(status === 400 || (status ?? 0) >= 500).toBe(false);
    } else if (expectation.answered.length === 0) {
      expect(finals).toEqual([]);
    } else {
      // Silence where a reply cannot be built is for the parser's test to know.
      expect(expectation.answered).toContain(status ?? 0);
    }
  });
}
