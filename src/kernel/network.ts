// IP networks, and tables of them that answer in the number of prefix lengths, not of entries.
import { isIP } from "node:net";

/** An address as a number; IPv4-mapped IPv6 is IPv4. */
export interface IpNumber {
  readonly version: 4 | 6;
  readonly value: bigint;
}

export interface IpNetwork extends IpNumber {
  readonly prefix: number; // 0..32 or 0..128
}

/** Undefined when it is no address literal (without brackets). */
export function parseIp(text: string): IpNumber | undefined {
  const version = isIP(text);
  if (version === 4) return { version: 4, value: v4(text) };
  if (version !== 6 || text.includes("%")) return undefined;
  const value = v6(text);
  return value >> 32n === 0xffffn ? { version: 4, value: value & 0xffff_ffffn } : { version: 6, value };
}

function v4(text: string): bigint {
  return text.split(".").reduce((sum, octet) => sum << 8n | BigInt(octet), 0n);
}

function v6(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const last = dotted ? v4(dotted[2] ?? "") : 0n;
  const hex = dotted ? `${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}` : text;
  const [head = "", tail] = hex.split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":");
  const after = groups(tail ?? "");
  const before = groups(head);
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].reduce((sum, group) => sum << 16n | BigInt(`0x${group}`), 0n);
}

/** `192.0.2.1`, `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `2001:db8::/32`; undefined for anything else. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [address = "", mask, more] = text.split("/");
  const ip = parseIp(address);
  if (!ip || more !== undefined) return undefined;
  const most = ip.version === 4 ? 32 : 128;
  const prefix = mask === undefined ? most : prefixOf(mask, ip.version);
  return prefix === undefined || prefix > most ? undefined : masked(ip, prefix);
}

function prefixOf(mask: string, version: 4 | 6): number | undefined {
  if (/^[0-9]{1,3}$/.test(mask)) return Number(mask);
  if (version !== 4 || isIP(mask) !== 4) return undefined;
  const bits = v4(mask).toString(2).padStart(32, "0");
  return /^1*0*$/.test(bits) ? bits.replace(/0/g, "").length : undefined; // a mask with holes is none
}

function masked(ip: IpNumber, prefix: number): IpNetwork {
  const rest = BigInt((ip.version === 4 ? 32 : 128) - prefix);
  return { version: ip.version, value: ip.value >> rest << rest, prefix };
}

const keyOf = ({ version, value, prefix }: IpNetwork): string => `${version}/${prefix}/${value.toString(36)}`;

/** Values by network. */
export class NetworkTable<T> {
  readonly #values = new Map<string, T[]>();
  readonly #prefixes: Record<4 | 6, number[]> = { 4: [], 6: [] }; // longest first

  add(network: IpNetwork, value: T): void {
    const key = keyOf(network);
    const values = this.#values.get(key);
    if (values) values.push(value);
    else this.#values.set(key, [value]);
    const prefixes = this.#prefixes[network.version];
    if (!prefixes.includes(network.prefix)) prefixes.push(network.prefix);
    prefixes.sort((a, b) => b - a);
  }

  /** Values of every network that holds the address, the longest prefix first, in each in the order of adding. */
  *holding(address: string): Iterable<readonly T[]> {
    const ip = parseIp(address);
    if (!ip) return;
    for (const prefix of this.#prefixes[ip.version]) {
      const values = this.#values.get(keyOf(masked(ip, prefix)));
      if (values) yield values;
    }
  }
}
