/** Results remembered: twice this many at most. */
const GENERATION = 2048;
/** A longer text is rare, and is read each time. */
const LONGEST = 256;

/**
 * A parser that remembers its last results by text: the From, To, Contact and URI of a call come again in each of its
 * messages. What it answers is shared, so it must never be changed. Two generations: the older one is forgotten at once.
 * A text cut out of a message would keep the whole message in memory, so what is remembered is read from a copy.
 */
export function remembered<T>(parse: (text: string) => T | undefined): (text: string) => T | undefined {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  return (text) => {
    if (text.length > LONGEST) return parse(text);
    const known = young.get(text);
    if (known !== undefined) return known;
    const before = old.get(text);
    const own = copyOf(text);
    const result = before ?? parse(own);
    if (result === undefined) return undefined; // what nobody can read does not push out what comes again
    if (young.size >= GENERATION) {
      old = young;
      young = new Map();
    }
    young.set(own, result);
    return result;
  };
}

/** The same text in characters of its own. */
function copyOf(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}
