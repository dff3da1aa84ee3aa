// Digest authentication as arithmetic (RFC 7616, RFC 8760, and RFC 2069 where a peer offers no qop).
import { createHash, timingSafeEqual } from "node:crypto";

export type DigestAlgorithm = "MD5" | "SHA-256" | "SHA-512-256";

/** Strongest first. */
export const digestAlgorithms: readonly DigestAlgorithm[] = ["SHA-512-256", "SHA-256", "MD5"];

const HASH_NAMES: Readonly<Record<DigestAlgorithm, string>> = {
  "MD5": "md5",
  "SHA-256": "sha256",
  "SHA-512-256": "sha512-256",
};

/** Hex digits of a digest. */
export const digestLength: Readonly<Record<DigestAlgorithm, number>> = { "MD5": 32, "SHA-256": 64, "SHA-512-256": 64 };

/** The `algorithm` of a challenge or of credentials: none means MD5 (RFC 7616 §3.3), undefined one we do not do. */
export function digestAlgorithm(name: string | undefined): DigestAlgorithm | undefined {
  if (name === undefined) return "MD5";
  return digestAlgorithms.find((algorithm) => algorithm === name.toUpperCase());
}

/** Lower-case hex of the UTF-8 of a text. */
export function digest(algorithm: DigestAlgorithm, text: string): string {
  return createHash(HASH_NAMES[algorithm]).update(text, "utf8").digest("hex");
}

/** HA1: what may be stored instead of a password. */
export function userDigest(algorithm: DigestAlgorithm, username: string, realm: string, password: string): string {
  return digest(algorithm, `${username}:${realm}:${password}`);
}

export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  readonly ha1: string;
  readonly method: string;
  readonly uri: string; // as in the credentials
  readonly nonce: string;
  /** Absent: the form of RFC 2069. */
  readonly auth?: { readonly nc: string; readonly cnonce: string; readonly qop: string };
}

/** The `response` of credentials. */
export function digestResponse({ algorithm, ha1, method, uri, nonce, auth }: DigestInput): string {
  const ha2 = digest(algorithm, `${method}:${uri}`);
  const between = auth ? `${nonce}:${auth.nc}:${auth.cnonce}:${auth.qop}` : nonce;
  return digest(algorithm, `${ha1}:${between}:${ha2}`);
}

/** Are two hex digests the same? Takes the same time wherever they differ; letter case does not matter. */
export function equalDigests(one: string, two: string): boolean {
  const first = Buffer.from(one.toLowerCase(), "latin1");
  const second = Buffer.from(two.toLowerCase(), "latin1");
  return first.length === second.length && timingSafeEqual(first, second);
}
