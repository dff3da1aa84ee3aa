import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { NetworkTable, parseNetwork } from "../../kernel/network.ts";
import { bool, reference, seconds, words } from "../../kernel/schema.ts";
import { identifiers, type IdentifyResult } from "../../kernel/services.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import { writeHost, writeUri } from "../../sip/message/uri.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import { type Match, parseHeaderTest, parseMatch, parseTextTest, type TextTest } from "./match.ts";
import { addressesOf } from "./names.ts";

const pattern = (parse: (text: string) => unknown) =>
  v.optional(
    v.pipe(
      v.string(),
      v.rawCheck(({ dataset, addIssue }) => {
        const fault = dataset.typed ? parse(dataset.value) : undefined;
        if (typeof fault === "string") addIssue({ message: `this pattern is not valid: ${fault}` });
      }),
    ),
  );

const identifySchema = v.object({
  /** Whose requests these are. */
  endpoint: reference("endpoint"),
  /** Source addresses, networks and host names, each with or without a port: `192.0.2.0/24`, `192.0.2.5:5062`. */
  match: v.pipe(
    words(),
    v.everyItem(
      (entry) => parseMatch(entry) !== undefined,
      'expected an address, a network or a host name such as "192.0.2.5", "192.0.2.0/24", "sip.example.org:5060"',
    ),
  ),
  /** Host names without a port are looked up by SRV first. */
  srvLookups: bool(true),
  /** `Name: value` or `Name: /regex/`; any line of that name counts. */
  matchHeader: pattern(parseHeaderTest),
  /** The whole Request-URI, or `/regex/`. */
  matchRequestUri: pattern(parseTextTest),
  /** Header and Request-URI count only when the address matches too. */
  requireMatch: bool(false),
});
type Values = v.InferOutput<typeof identifySchema>;

const options = v.object({
  /** Between two look-ups of host names; 0: only when configured. */
  resolveInterval: seconds(0),
});
type Context = ModuleContext<v.InferOutput<typeof options>>;

/** Knows trunks by where their packets come from, by a header, or by what they ask for. */
export default defineModule({
  name: "endpoint_identifier_ip",
  summary: "Knows peers by their address, a header or the Request-URI",
  replaces: "res_pjsip_endpoint_identifier_ip",
  requires: ["core"],
  options,
  objects: { identify: { at: "identifies", schema: identifySchema } },
  setup(ctx) {
    const identifies = new Identifies(ctx);
    const faults = identifies.load();
    if (faults.length > 0) throw new Error(faults.join("; "));
    ctx.objects.onChange("identify", () => identifies.load().forEach((fault) => ctx.log.error(fault)));
    const offered = ctx.use(identifiers);
    offered.add("ip", (_, flow) => identifies.byAddress(flow));
    offered.add("header", (request, flow) => identifies.byHeader(request, flow));
    offered.add("request_uri", (request, flow) => identifies.byRequestUri(request, flow));
  },
});

/** One identify object, ready to be tested. */
interface Identify {
  readonly id: string;
  readonly endpoint: string;
  readonly matches: readonly Match[];
  readonly srvLookups: boolean;
  readonly header: { readonly name: string; readonly test: TextTest } | undefined;
  readonly requestUri: TextTest | undefined;
  readonly requireMatch: boolean;
}

interface Entry {
  readonly identify: Identify;
  readonly port: number | undefined;
}

class Identifies {
  #all: readonly Identify[] = [];
  #table = new NetworkTable<Entry>();
  readonly #resolved = new Map<string, ReadonlySet<string>>(); // by host name and SRV or not
  readonly #warned = new Map<string, number>(); // identify id: when it named a missing endpoint
  #round = 0;

  constructor(readonly ctx: Context) {}

  /** Reads all objects anew and looks host names up. Answers what is wrong, object by object. */
  load(): readonly string[] {
    const faults: string[] = [];
    this.#all = this.ctx.objects.all("identify").flatMap(({ id, values }) => {
      const identify = readIdentify(id, values as Values); // validated by the schema above
      if (typeof identify !== "string") return [identify];
      faults.push(`identify "${id}": ${identify}`);
      return [];
    });
    this.#index();
    this.#resolve(++this.#round);
    return faults;
  }

  #index(): void {
    this.#table = new NetworkTable();
    for (const identify of this.#all) {
      for (const match of identify.matches) {
        const networks = match.kind === "network"
          ? [match.network]
          : [...this.#resolved.get(nameKey(identify, match)) ?? []].map(parseNetwork).filter((one) =>
            one !== undefined
          );
        for (const network of networks) this.#table.add(network, { identify, port: match.port });
      }
    }
  }

  /** Names are looked up beside the running server: until they are, their owners are strangers. */
  #resolve(round: number): void {
    const wanted = new Map<string, { host: string; srv: boolean }>();
    for (const identify of this.#all) {
      for (const match of identify.matches) {
        if (match.kind === "name") {
          wanted.set(nameKey(identify, match), { host: match.host, srv: usesSrv(identify, match) });
        }
      }
    }
    if (wanted.size === 0) return;
    for (const [key, { host, srv }] of wanted) {
      addressesOf(this.ctx.world, host, srv).then((addresses) => {
        if (round !== this.#round) return;
        if (!addresses?.size) this.ctx.log.warning("a host name of an identify object has no address", { host });
        if (addresses === undefined) return; // DNS is away: what was known stays
        this.#resolved.set(key, addresses);
        this.#index();
      }).catch((error: unknown) =>
        this.ctx.log.error("a host name could not be looked up", { host, error: String(error) })
      );
    }
    const { resolveInterval } = this.ctx.options;
    if (resolveInterval > 0) {
      this.ctx.world.after(resolveInterval * 1000, () => {
        if (round === this.#round) this.#resolve(round);
      });
    }
  }

  byAddress(flow: Flow): IdentifyResult {
    const { host, port } = flow.remote;
    const looked = `${writeHost(host)}:${port}`;
    const entry = this.#find(host, port);
    return entry ? this.#hit(entry.identify, looked) : { endpoint: undefined, looked, result: "no identify matches" };
  }

  /** The longest prefix wins; in it an entry with a port, then the order of the configuration. */
  #find(host: string, port: number): Entry | undefined {
    for (const entries of this.#table.holding(host)) {
      const found = entries.find((entry) => entry.port === port) ?? entries.find((entry) => entry.port === undefined);
      if (found) return found;
    }
    return undefined;
  }

  byHeader(request: SipRequest, flow: Flow): IdentifyResult {
    const hit = this.#all.find(({ header, ...identify }) =>
      header && this.#near(identify, flow) && request.headers.texts(header.name).some(header.test)
    );
    const looked = this.#all.map(({ header }) => header?.name).filter((name) => name !== undefined).join(", ");
    return hit ? this.#hit(hit, looked) : { endpoint: undefined, looked, result: "no identify matches" };
  }

  byRequestUri(request: SipRequest, flow: Flow): IdentifyResult {
    const looked = writeUri(request.uri);
    const hit = this.#all.find((identify) => this.#near(identify, flow) && identify.requestUri?.(looked));
    return hit ? this.#hit(hit, looked) : { endpoint: undefined, looked, result: "no identify matches" };
  }

  #near({ id, requireMatch, matches }: Pick<Identify, "id" | "requireMatch" | "matches">, flow: Flow): boolean {
    if (!requireMatch || matches.length === 0) return true;
    const { host, port } = flow.remote;
    for (const entries of this.#table.holding(host)) {
      if (entries.some((entry) => entry.identify.id === id && (entry.port ?? port) === port)) return true;
    }
    return false;
  }

  #hit({ id, endpoint: name }: Pick<Identify, "id" | "endpoint">, looked: string): IdentifyResult {
    const endpoint: Endpoint | undefined = this.ctx.objects.endpoint(name);
    if (endpoint) {
      this.ctx.metrics.count("matched", 1, { identify: id });
      return { endpoint, looked, result: `matched identify "${id}"` };
    }
    this.#warnMissing(id, name);
    return { endpoint: undefined, looked, result: `identify "${id}" names endpoint "${name}", which does not exist` };
  }

  #warnMissing(id: string, endpoint: string): void {
    const now = this.ctx.world.now();
    if (now - (this.#warned.get(id) ?? -Infinity) < 60_000) return;
    this.#warned.set(id, now);
    this.ctx.log.warning("an identify object names an endpoint that does not exist", { identify: id, endpoint });
  }
}

function readIdentify(id: string, values: Values): Identify | string {
  const header = values.matchHeader === undefined ? undefined : parseHeaderTest(values.matchHeader);
  const requestUri = values.matchRequestUri === undefined ? undefined : parseTextTest(values.matchRequestUri);
  if (typeof header === "string") return header;
  if (typeof requestUri === "string") return requestUri;
  const matches = values.match.map(parseMatch).filter((match) => match !== undefined);
  if (matches.length === 0 && !header && !requestUri) {
    return "matches nothing: it needs match, matchHeader or matchRequestUri";
  }
  const { endpoint, srvLookups, requireMatch } = values;
  return { id, endpoint, matches, srvLookups, header, requestUri, requireMatch };
}

function usesSrv(identify: Identify, match: Match): boolean {
  return identify.srvLookups && match.port === undefined;
}

function nameKey(identify: Identify, match: Match & { readonly kind: "name" }): string {
  return `${usesSrv(identify, match) ? "srv" : "host"} ${match.host}`;
}
