/** Results remembered: twice this many at most. */
const GENERATION = 2048;

/**
 * A parser that remembers its last results by text: the From, To, Contact and URI of a call come again in each of its
 * messages. What it answers is shared, so it must never be changed. Two generations: the older one is forgotten at once.
 */
export function remembered<T>(parse: (text: string) => T): (text: string) => T {
  let young = new Map<string, T>();
  let old = new Map<string, T>();
  return (text) => {
    const known = young.get(text);
    if (known !== undefined) return known;
    const result = old.get(text) ?? parse(text);
    if (young.size >= GENERATION) {
      old = young;
      young = new Map();
    }
    young.set(text, result);
    return result;
  };
}
