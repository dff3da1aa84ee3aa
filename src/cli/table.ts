/** Lines of a table: a heading, then rows; columns are as wide as they must be. Control characters are shown as dots. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  // deno-lint-ignore no-control-regex -- what comes from the wire must not steer a terminal
  const clean = rows.map((row) => row.map((cell) => cell.replace(/[\x00-\x1f\x7f-\x9f]/g, ".")));
  const all = [heading, ...clean];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
}
