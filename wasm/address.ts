// Socket addresses as Linux lays them out, in slots of 32 octets:
//   u16 family (2 or 10, host order; 0: none) | u16 port (network order) | v4: 4 octets | v6: u32 flow, 16 octets, u32 scope
// The portable host writes the same layout.

export const ADDRESS_BYTES: usize = 32;
const INET: u16 = 2;
const INET6: u16 = 10;

export function addressKnown(a: usize): bool {
  return load<u16>(a) != 0;
}

/** Octets the kernel wants for this address. */
export function addressLength(a: usize): i32 {
  return load<u16>(a) == INET ? 16 : load<u16>(a) == INET6 ? 28 : 0;
}

export function addressCopy(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

export function addressClear(a: usize): void {
  memory.fill(a, 0, ADDRESS_BYTES);
}

export function addressSameHost(a: usize, b: usize): bool {
  const family = load<u16>(a);
  if (family != load<u16>(b)) return false;
  if (family == INET) return load<u32>(a, 4) == load<u32>(b, 4);
  return family == INET6 && load<u64>(a, 8) == load<u64>(b, 8) && load<u64>(a, 16) == load<u64>(b, 16);
}

export function addressEquals(a: usize, b: usize): bool {
  return load<u16>(a, 2) == load<u16>(b, 2) && addressSameHost(a, b);
}
