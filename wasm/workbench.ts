// Where the host lays samples and octets for the nouns that it calls directly: the media commands, tests, benchmarks.
const bench: usize = memory.data(262144, 16);

/** Offset of 262,144 octets. No packet passes here. */
export function workbenchOffset(): i32 {
  return <i32> bench;
}
