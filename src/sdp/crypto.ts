import type { MediaDescription } from "./description.ts";

/** A way to protect RTP; lengths in octets. The tag is that of RTP, that of RTCP follows from the cipher. */
export interface CryptoSuite {
  readonly name: string;
  readonly cipher: "AES-CM" | "AES-GCM";
  readonly keyOctets: 16 | 24 | 32;
  readonly saltOctets: 12 | 14;
  readonly tagOctets: 4 | 10 | 16;
}

const counterMode = (name: string, keyOctets: 16 | 24 | 32, tagOctets: 4 | 10): CryptoSuite => ({
  name,
  cipher: "AES-CM",
  keyOctets,
  saltOctets: 14,
  tagOctets,
});
const galois = (name: string, keyOctets: 16 | 32): CryptoSuite => ({
  name,
  cipher: "AES-GCM",
  keyOctets,
  saltOctets: 12,
  tagOctets: 16,
});

/** RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14. */
export const cryptoSuites: readonly CryptoSuite[] = [
  counterMode("AES_CM_128_HMAC_SHA1_80", 16, 10),
  counterMode("AES_CM_128_HMAC_SHA1_32", 16, 4),
  counterMode("AES_192_CM_HMAC_SHA1_80", 24, 10),
  counterMode("AES_192_CM_HMAC_SHA1_32", 24, 4),
  counterMode("AES_256_CM_HMAC_SHA1_80", 32, 10),
  counterMode("AES_256_CM_HMAC_SHA1_32", 32, 4),
  galois("AEAD_AES_128_GCM", 16),
  galois("AEAD_AES_256_GCM", 32),
];

/** One `a=crypto` line (RFC 4568 §9.1) that we can do. */
export interface Crypto {
  readonly tag: number;
  readonly suite: CryptoSuite;
  /** Master key and salt. */
  readonly keySalt: Uint8Array;
}

const LEAST_LIFETIME = 2 ** 20; // packets
const MOST_TAG = 999_999_999;

/**
 * The lines that we can do, in order. Passed over: unknown suites, keys of a wrong length, more than one key or an MKI,
 * a lifetime below 2^20 packets, any session parameter.
 */
export function readCrypto(media: MediaDescription): readonly Crypto[] {
  return (media.crypto ?? []).flatMap((line) => {
    const tag = Number(line.id);
    const suite = cryptoSuites.find(({ name }) => name === line.suite);
    if (!suite || !Number.isInteger(tag) || tag < 0 || tag > MOST_TAG || line.sessionConfig) return [];
    const keySalt = inlineKey(String(line.config), suite);
    return keySalt ? [{ tag, suite, keySalt }] : [];
  });
}

/** `inline:` base64, and perhaps `|` lifetime. */
function inlineKey(text: string, suite: CryptoSuite): Uint8Array | undefined {
  const [, base64, power, number] = /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^(\d{1,2})|(\d{1,15})))?$/i.exec(text) ??
    [];
  if (base64 === undefined) return undefined;
  const lifetime = power === undefined ? Number(number ?? LEAST_LIFETIME) : 2 ** Number(power);
  if (lifetime < LEAST_LIFETIME) return undefined;
  const octets = Buffer.from(base64, "base64");
  return octets.length === suite.keyOctets + suite.saltOctets ? new Uint8Array(octets) : undefined;
}

/** As sdp-transform has them. */
export function cryptoLines(lines: readonly Crypto[]): NonNullable<MediaDescription["crypto"]> {
  return lines.map(({ tag, suite, keySalt }) => ({
    id: tag,
    suite: suite.name,
    config: `inline:${keySalt.toBase64()}`,
  }));
}
