import * as v from "valibot";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { parseNetwork } from "../../kernel/network.ts";
import { references, words } from "../../kernel/schema.ts";
import { securityEvent } from "../../kernel/security.ts";
import type { InboundContext } from "../../kernel/stages.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply, statelessTag } from "../../sip/message/reply.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import { ContactHosts } from "./contacts.ts";
import { AccessList, closed, firstDenial, type Lists, parseRule, type Rule } from "./rules.ts";

const networks = () =>
  v.pipe(
    words(),
    v.everyItem(
      (entry) => parseNetwork(entry.replace(/^!/, "")) !== undefined,
      'expected an address or a network such as "192.0.2.0/24", or "!192.0.2.1" for the opposite',
    ),
  );
const ruleLines = () =>
  v.optional(
    v.pipe(
      v.array(v.string()),
      v.everyItem((line) => parseRule(line) !== undefined, 'expected "permit 192.0.2.0/24" or "deny 0.0.0.0/0"'),
    ),
    [],
  );

/** The fields of an acl object and of an endpoint. */
const entries = {
  /** Named lists for the source of a packet. */
  acl: references("aclList"),
  /** Networks for the source: those of `deny` come first, so `permit` opens what `deny` closed. */
  deny: networks(),
  permit: networks(),
  /** The same for the hosts in Contact. */
  contactAcl: references("aclList"),
  contactDeny: networks(),
  contactPermit: networks(),
};
const aclSchema = v.object({
  ...entries,
  /** `permit <network>` and `deny <network>` in an order of your own; the last that matches decides. */
  rules: ruleLines(),
  contactRules: ruleLines(),
});
const listSchema = v.object({ rules: ruleLines() });
const fields = { endpoint: entries };

type Values = v.InferOutput<v.ObjectSchema<typeof entries, undefined>> & {
  readonly rules?: readonly string[];
  readonly contactRules?: readonly string[];
};
type Context = ModuleContext<Record<never, never>, typeof fields>;

/** Who may talk to us at all, and from where each endpoint may speak. A list that is missing or broken lets nobody in. */
export default defineModule({
  name: "acl",
  summary: "Refuses requests by source address and Contact",
  replaces: "res_pjsip_acl",
  requires: ["core"],
  options: v.object({}),
  fields,
  objects: {
    acl: { at: "acls", schema: aclSchema },
    aclList: { at: "lists", schema: listSchema },
  },
  setup(ctx) {
    const filter = new Filter(ctx);
    for (const type of ["acl", "aclList", "endpoint"]) ctx.objects.onChange(type, () => filter.load());
    filter.load();
    ctx.inbound("filter", (context) => filter.everybody(context), "first");
    ctx.inbound("acl", (context) => filter.endpoint(context));
  },
});

const QUIET_MS = 10_000;
const MOST_SOURCES = 1000;

class Filter {
  #everybody: readonly Lists[] = [];
  #endpoints = new Map<string, Lists>();
  readonly #hosts: ContactHosts;
  readonly #told = new Map<string, { readonly since: number; silent: number }>(); // by source

  constructor(readonly ctx: Context) {
    this.#hosts = new ContactHosts(ctx.world);
  }

  load(): void {
    const { objects } = this.ctx;
    const named = new Map(
      objects.all("aclList").map(({ id, values }) => {
        const lines = values["rules"];
        return [id, new AccessList(id, Array.isArray(lines) ? readRules(lines) : [])];
      }),
    );
    // Validated by the schemas above, which make these values.
    this.#everybody = objects.all("acl").map(({ id, values }) => this.#lists(id, values as Values, named));
    this.#endpoints = new Map();
    for (const endpoint of objects.endpoints()) {
      const lists = this.#lists(endpoint.id, this.ctx.fields(endpoint), named);
      if (lists.source.length + lists.contact.length > 0) this.#endpoints.set(endpoint.id, lists);
    }
  }

  #lists(id: string, values: Values, named: ReadonlyMap<string, AccessList>): Lists {
    const pick = (
      names: readonly string[],
      deny: readonly string[],
      permit: readonly string[],
      lines: readonly string[],
    ) => {
      const lists = names.map((name) => named.get(name) ?? this.#missing(id, name));
      const rules = readRules([...deny.map((one) => `deny ${one}`), ...permit.map((one) => `permit ${one}`), ...lines]);
      return rules.length > 0 ? [...lists, new AccessList(id, rules)] : lists;
    };
    const { acl, deny, permit, rules = [], contactAcl, contactDeny, contactPermit, contactRules = [] } = values;
    return {
      source: pick(acl, deny, permit, rules),
      contact: pick(contactAcl, contactDeny, contactPermit, contactRules),
    };
  }

  #missing(id: string, name: string): AccessList {
    this.ctx.log.error("an access list does not exist: everything is denied", { of: id, list: name });
    return closed(name);
  }

  /** Before anybody is asked who they are. */
  everybody({ request, flow }: InboundContext): SipResponse | undefined | Promise<SipResponse | undefined> {
    if (this.#everybody.length === 0) return undefined;
    const refuse = (why: string) => {
      this.#tell(request, flow, why);
      return reply(request, 403, "Forbidden", {}, undefined, statelessTag(request));
    };
    const denial = firstDenial(this.#everybody.flatMap(({ source }) => source), flow.remote.host);
    if (denial) return refuse(`${denial.list}: ${denial.rule}`);
    const lists = this.#everybody.flatMap(({ contact }) => contact);
    if (lists.length === 0) return undefined;
    return this.#contactDenial(request, lists).then((why) => why === undefined ? undefined : refuse(why));
  }

  /** An endpoint from where it may not speak is nobody: it is challenged for ever. */
  endpoint(context: InboundContext): undefined | Promise<undefined> {
    const { endpoint, request, flow } = context;
    const lists = endpoint && this.#endpoints.get(endpoint.id);
    if (!lists || context.artificial) return undefined;
    const refuse = (why: string) => {
      context.endpoint = undefined;
      context.artificial = true;
      context.tried.push({ identifier: "acl", looked: flow.remote.host, result: why });
      this.#tell(request, flow, why, endpoint.id);
    };
    const denial = firstDenial(lists.source, flow.remote.host);
    if (denial) {
      refuse(`${denial.list}: ${denial.rule}`);
      return undefined;
    }
    if (lists.contact.length === 0) return undefined;
    return this.#contactDenial(request, lists.contact).then((why) => {
      if (why !== undefined) refuse(why);
      return undefined;
    });
  }

  async #contactDenial(request: SipRequest, lists: readonly AccessList[]): Promise<string | undefined> {
    const addresses = await this.#hosts.addressesOf(request);
    if (!addresses) return "too many hosts in Contact";
    for (const address of addresses) {
      const denial = firstDenial(lists, address);
      if (denial) return `${denial.list}: ${denial.rule} for Contact ${address}`;
    }
    return undefined;
  }

  /** One line and one event for a source in ten seconds; how many were left out is told with the next. */
  #tell(request: SipRequest, flow: Flow, why: string, account = ""): void {
    const { host, port } = flow.remote;
    this.ctx.metrics.count("denied");
    const now = this.ctx.world.now();
    const told = this.#told.get(host);
    if (told && now - told.since < QUIET_MS) {
      told.silent++;
      return;
    }
    if (this.#told.size >= MOST_SOURCES) this.#told.clear();
    this.#told.set(host, { since: now, silent: 0 });
    const source = `${host}:${port}`;
    this.ctx.log.warning("denied by an access list", {
      source,
      method: request.method,
      why,
      silent: told?.silent ?? 0,
    });
    securityEvent(this.ctx.events, "FailedACL", request, flow, account, { ACLName: why.split(":", 1)[0] ?? "" });
  }
}

function readRules(lines: readonly unknown[]): readonly Rule[] {
  return lines.map((line) => parseRule(String(line))).filter((rule) => rule !== undefined);
}
