// Streams with SRTP around the core of a rig.
import { cryptoSuites } from "../../src/sdp/crypto.ts";
import type { Rig, Setup } from "./rig.ts";

/** What it is named by in tests and by the peer program, and what the core is told. */
export const suites = cryptoSuites.map((suite) => {
  const bits = suite.keyOctets * 8;
  const name = suite.cipher === "AES-GCM" ? `gcm${bits}` : `cm${bits}-${suite.tagOctets * 8}`;
  const { keyOctets, saltOctets, tagOctets } = suite;
  return { name, kind: suite.cipher === "AES-CM" ? 1 : 2, keyOctets, tagOctets, octets: keyOctets + saltOctets };
});
export type Suite = (typeof suites)[number];

/** Gives a stream its keys. */
export function protect(core: Rig, slot: number, suite: Suite, send: Uint8Array, receive: Uint8Array): number {
  core.octets.set(send, core.core.streamKeys());
  core.octets.set(receive, core.core.streamKeys() + 48);
  return core.core.streamSrtp(slot, suite.kind, suite.keyOctets, suite.tagOctets);
}

/** A plain stream (port 4000) and a protected one (port 5000) that hear each other. */
export function pair(core: Rig, suite: Suite, send: Uint8Array, receive: Uint8Array, setup: Setup = {}) {
  const plain = core.open({ port: 4000 });
  const secure = core.open({ port: 5000, ...setup });
  protect(core, secure, suite, send, receive);
  core.core.bridgeConnect(plain, secure);
  return { plain, secure };
}
