import { type IpNetwork, NetworkTable, parseNetwork } from "../../kernel/network.ts";

/** One line of an access list. */
export interface Rule {
  readonly allow: boolean;
  readonly network: IpNetwork;
  readonly text: string;
}

/** `permit 192.0.2.0/24`, `deny !192.0.2.1`: `!` turns the sense round. Undefined when it is neither. */
export function parseRule(text: string): Rule | undefined {
  const [, word, not, address = ""] = /^\s*(permit|deny)[\s=]+(!?)\s*(\S+)\s*$/.exec(text) ?? [];
  const network = parseNetwork(address);
  return network && { allow: (word === "permit") !== (not === "!"), network, text: text.trim() };
}

/** Rules of which the last that matches decides; where none does the address may pass. IPv4 rules say nothing of IPv6. */
export class AccessList {
  readonly #table = new NetworkTable<{ readonly at: number; readonly rule: Rule }>();

  constructor(readonly name: string, readonly rules: readonly Rule[]) {
    for (const [at, rule] of rules.entries()) this.#table.add(rule.network, { at, rule });
  }

  /** The rule that denies; undefined: allowed. */
  denies(address: string): Rule | undefined {
    let last: { readonly at: number; readonly rule: Rule } | undefined;
    for (const values of this.#table.holding(address)) {
      const found = values.at(-1);
      if (found && found.at > (last?.at ?? -1)) last = found;
    }
    return last?.rule.allow === false ? last.rule : undefined;
  }
}

/** Nobody passes: what a list that does not exist means. */
export function closed(name: string): AccessList {
  const everything = ["deny 0.0.0.0/0", "deny ::/0"].map(parseRule).filter((rule) => rule !== undefined);
  return new AccessList(name, everything);
}

/** What sources, and hosts in Contact, are tested by. */
export interface Lists {
  readonly source: readonly AccessList[];
  readonly contact: readonly AccessList[];
}

/** The list and the rule that deny an address; all lists must allow. */
export function firstDenial(lists: readonly AccessList[], address: string): { list: string; rule: string } | undefined {
  for (const list of lists) {
    const rule = list.denies(address);
    if (rule) return { list: list.name, rule: rule.text };
  }
  return undefined;
}
