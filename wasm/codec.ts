// Codecs by number. The host gives names it does not know here numbers from 64 on: they are relayed, never decoded.
export const PCMU: i32 = 1;
export const PCMA: i32 = 2;
export const G722: i32 = 3;
export const L16: i32 = 4;
export const COMFORT_NOISE: i32 = 5;

/** What it decodes depends on what came before: a late packet is of no use. */
export function codecRemembers(kind: i32): bool {
  return kind == G722;
}

/** Its samples are known here: it is mixed, recorded, translated. */
export function codecIsDecoded(kind: i32): bool {
  return kind == PCMU || kind == PCMA || kind == G722;
}
