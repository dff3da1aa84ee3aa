import type { SrtpConfig } from "../../kernel/media.ts";
import { type Crypto, cryptoLines, type CryptoSuite, cryptoSuites, readCrypto } from "../../sdp/crypto.ts";
import type { MediaDescription } from "../../sdp/description.ts";
import type { Random } from "../../world/world.ts";

/** In the order of our offers; the first may be exchanged for the one with a short tag. */
const offered = [
  "AES_CM_128_HMAC_SHA1_80",
  "AEAD_AES_128_GCM",
  "AES_256_CM_HMAC_SHA1_80",
  "AEAD_AES_256_GCM",
  "AES_192_CM_HMAC_SHA1_80",
];
const SHORT_TAG = "AES_CM_128_HMAC_SHA1_32";

/** Our keys of one line (RFC 4568): one for each suite, the same in every description, so that streams go on. */
export class Sdes {
  readonly #keys = new Map<CryptoSuite, Uint8Array>();

  constructor(readonly random: Random) {}

  /** The lines of an offer. */
  offer(shortTag: boolean): NonNullable<MediaDescription["crypto"]> {
    const names = shortTag ? [SHORT_TAG, ...offered.slice(1)] : offered;
    const suites = names.flatMap((name) => cryptoSuites.find((suite) => suite.name === name) ?? []);
    return cryptoLines(suites.map((suite, at) => this.#line(at + 1, suite)));
  }

  /** Our line for the first of theirs that we can do; undefined: there is none. */
  answer(media: MediaDescription): NonNullable<MediaDescription["crypto"]> | undefined {
    const [first] = readCrypto(media);
    return first && cryptoLines([this.#line(first.tag, first.suite)]);
  }

  /** The call is in the clear now: what is encrypted later begins anew, as its counters did not go on. */
  forget(): void {
    this.#keys.clear();
  }

  #line(tag: number, suite: CryptoSuite): Crypto {
    let keySalt = this.#keys.get(suite);
    if (!keySalt) this.#keys.set(suite, keySalt = this.random.bytes(suite.keyOctets + suite.saltOctets).slice());
    return { tag, suite, keySalt };
  }
}

/** The line both descriptions name, by tag and suite; undefined: they agree on none. */
export function agreedCrypto(local: MediaDescription, remote: MediaDescription): SrtpConfig | undefined {
  const ours = readCrypto(local);
  for (const { tag, suite, keySalt } of readCrypto(remote)) {
    const own = ours.find((line) => line.tag === tag && line.suite === suite);
    if (own) return { suite, send: own.keySalt, receive: keySalt };
  }
  return undefined;
}
