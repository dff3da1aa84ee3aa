/** Edits (insert, delete, replace, swap of neighbours) that turn one word into the other; letter case counts half. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const a = from[row - 1] ?? "";
      const b = to[column - 1] ?? "";
      const replaced = a === b ? 0 : a.toLowerCase() === b.toLowerCase() ? 0.5 : 1;
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + replaced,
      );
      if (row > 1 && column > 1 && a === to[column - 2] && b === from[row - 2]) {
        best = Math.min(best, (before[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}

/** The valid name that was probably meant; undefined when none is close. */
export function nearest(name: string, valid: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = name.length < 3 ? 1 : Math.max(1, Math.floor(name.length / 3)) + 0.5;
  const plain = (word: string) => word.toLowerCase().replaceAll("_", "");
  for (const candidate of valid) {
    if (Math.abs(candidate.length - name.length) > bestDistance + 3 || candidate.length > 128) continue;
    // force_rport is forceRport, written as Asterisk does
    const found = plain(candidate) === plain(name) ? 0 : distance(name.slice(0, 128), candidate);
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}

/** `; did you mean "bind"?` or, for a short list, what there is. */
export function suggestion(name: string, valid: readonly string[]): string {
  const near = nearest(name, valid);
  if (near !== undefined) return `; did you mean "${near}"?`;
  if (valid.length === 0 || valid.length > 12) return "";
  return `; expected one of ${valid.map((v) => `"${v}"`).join(", ")}`;
}
