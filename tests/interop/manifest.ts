// The manifest of the interop tests: three phones, a trunk known by its address, and the numbers of the README.
import { join } from "node:path";
import { sine, writeWav } from "./audio.ts";

export const SIP = 15060;
export const ADDRESS = `127.0.0.1:${SIP}`;
export const HTTP = 18080;
export const PASSWORD = "correct-horse-7";
export const PLAYED = 620; // Hz of tone.wav

export function manifest(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const phone = (id: string) => [id, { use: "phone", password: PASSWORD }] as const;
  return {
    core: {
      transports: { udp: { bind: `udp:127.0.0.1:${SIP}` }, tcp: { bind: `tcp:127.0.0.1:${SIP}` } },
      templates: { phone: { context: "internal", allow: ["ulaw", "alaw", "g722"], maxContacts: 3 } },
      endpoints: {
        ...Object.fromEntries(["alice", "bob", "carol", "erin"].map(phone)),
        dave: { use: "phone", password: PASSWORD, dtmfMode: "info" },
        trunk: { context: "internal", allow: ["ulaw", "alaw"], aors: ["trunk"] },
      },
      aors: { trunk: { contact: ["sip:127.0.0.1:15190"] } },
    },
    session: {},
    sdp_rtp: { rtpStart: 20000, rtpEnd: 20999 },
    registrar: {},
    authenticator_digest: {},
    outbound_authenticator_digest: {},
    endpoint_identifier_user: {},
    endpoint_identifier_ip: { identifies: { trunk: { endpoint: "trunk", match: ["127.0.0.1:15180"] } } },
    nat: {},
    dlg_options: {},
    dtmf_info: {},
    logger: {},
    management: { bind: `127.0.0.1:${HTTP}` },
    dialplan: {
      internal: {
        alice: "dial(alice, 20s)",
        bob: "dial(bob, 20s)",
        carol: "dial(carol, 20s)",
        dave: "dial(dave, 20s)",
        600: ["answer", "conference(main)"],
        601: ["answer", "echo"],
        602: ["answer", "playback(tone.wav)", "hangup"],
        603: ["answer", "read(code, , 4)", "dial(${code}, 20s)"],
        _9X: "dial(PJSIP/${exten}@trunk, 20s)",
      },
    },
    ...more,
  };
}

/** `tone.wav` for extension 602: three seconds. */
export async function soundsInto(dir: string): Promise<void> {
  await Bun.write(join(dir, "tone.wav"), writeWav(sine(PLAYED, 3, -12)));
}
