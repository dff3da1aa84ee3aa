import { type DigestAlgorithm, digestAlgorithm, digestLength, userDigest } from "../sip/digest.ts";
import type { ConfigObject } from "./objects.ts";

/** Who an auth object is, and what it can answer or check. */
export interface Credentials {
  readonly id: string;
  readonly username: string;
  /** "" when none is written. */
  readonly realm: string;
  /** HA1 for a realm; undefined when neither a password nor this algorithm's digest is held. */
  ha1(algorithm: DigestAlgorithm, realm: string): string | undefined;
}

const text = (value: unknown): string | undefined => typeof value === "string" && value !== "" ? value : undefined;

/** Reads an auth object: `username` (its id by default), `password`, `passwordDigest`, `md5Cred`, `realm`. */
export function credentialsOf({ id, values }: ConfigObject): Credentials {
  const username = text(values["username"]) ?? id;
  const password = text(values["password"]);
  const stored = storedDigests(values);
  return {
    id,
    username,
    realm: text(values["realm"]) ?? "",
    ha1: (algorithm, realm) =>
      stored.get(algorithm) ?? (password === undefined ? undefined : userDigest(algorithm, username, realm, password)),
  };
}

function storedDigests(values: Readonly<Record<string, unknown>>): ReadonlyMap<DigestAlgorithm, string> {
  const list = values["passwordDigest"];
  const entries = Array.isArray(list) ? list.filter((entry) => typeof entry === "string") : [];
  const md5 = text(values["md5Cred"]);
  const digests = new Map<DigestAlgorithm, string>();
  for (const entry of md5 === undefined ? entries : [...entries, `MD5:${md5}`]) {
    const read = readPasswordDigest(entry);
    if (read) digests.set(read.algorithm, read.ha1);
  }
  return digests;
}

/** `SHA-256:<64 hex digits>`; undefined when the algorithm is unknown or the digits are not as many as it has. */
export function readPasswordDigest(entry: string): { algorithm: DigestAlgorithm; ha1: string } | undefined {
  const colon = entry.indexOf(":");
  const algorithm = colon < 1 ? undefined : digestAlgorithm(entry.slice(0, colon).trim());
  const ha1 = entry.slice(colon + 1).trim().toLowerCase();
  return algorithm && /^[0-9a-f]+$/.test(ha1) && ha1.length === digestLength[algorithm]
    ? { algorithm, ha1 }
    : undefined;
}
