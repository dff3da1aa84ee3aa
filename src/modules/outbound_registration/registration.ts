import { type Endpoint, toEndpoint } from "../../kernel/endpoint.ts";
import type { SipStack } from "../../kernel/services.ts";
import { headerList } from "../../sip/message/header_list.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { parseUri, type Uri, writeUri } from "../../sip/message/uri.ts";
import type { Flow } from "../../sip/transport/flow.ts";
import type { Timer, World } from "../../world/world.ts";
import type { RegistrationValues } from "./fields.ts";
import { type Answer, granted, type Outcome, outcomeOf, refreshAfter } from "./outcome.ts";

const LINE_LETTERS = 7;
const JITTER = 0.1; // of a retry interval, either way
const MOST_REPEATS = 5; // at once, in one attempt: a registrar that never has enough is a failure

export type Status = "Registered" | "Unregistered" | "Rejected";

/** What a registration needs of its module. */
export interface RegistrationHost {
  readonly world: Pick<World, "now" | "after" | "random">;
  readonly stack: SipStack;
  /** The status is another one, or a failure came: `cause` says why. */
  changed(registration: Registration, cause: string): void;
  failed(registration: Registration, cause: string, next: number | undefined): void;
  answered(status: number): void;
  fault(error: unknown): void;
}

/** One binding at one registrar, kept alive. One request at a time; what is wanted meanwhile is done after it. */
export class Registration {
  readonly callId: string;
  /** Value of the `line` parameter; undefined where none is configured. */
  readonly line: string | undefined;
  status: Status = "Unregistered";
  /** When the next REGISTER goes out, in the world's time; undefined: none will. */
  nextAt: number | undefined;
  lastStatus: number | undefined;
  #cseq: number;
  #expiration: number;
  #retries = 0;
  #busy = false;
  #repeats = 0; // of this attempt, because the answer said how
  #agreed = false; // one of them answered a 494
  #moved = false; // or followed a 301 or 302
  #registerNext = false;
  #wanted: "register" | "unregister" | "nothing" = "nothing";
  #timer: Timer | undefined;
  #contact: Uri | undefined; // of the last REGISTER
  #stopFlow = () => {};
  #whenIdle: (() => void)[] = [];
  readonly #sender: Endpoint;
  readonly #tag: string;

  constructor(readonly id: string, readonly values: RegistrationValues, public host: RegistrationHost) {
    const { random } = host.world;
    this.callId = random.token(16);
    this.#tag = random.token(8);
    this.#cseq = 1 + random.below(30_000);
    this.#expiration = values.expiration;
    this.line = values.line
      ? Array.from({ length: LINE_LETTERS }, () => String.fromCharCode(97 + random.below(26))).join("")
      : undefined;
    const { outboundAuth, transport, endpoint, securityNegotiation, securityMechanisms } = values;
    // The stack sends on behalf of an endpoint: whose credentials, over which transport.
    this.#sender = toEndpoint({
      type: "endpoint",
      id: "",
      origin: "module",
      values: {
        outboundAuth,
        securityNegotiation,
        securityMechanisms,
        ...transport === undefined ? {} : { transport },
        ...endpoint === undefined ? {} : { endpoint },
      },
    });
  }

  /** The first attempt, some time from now. */
  start(): void {
    const within = Math.max(1, this.values.maxRandomInitialDelay);
    this.#schedule((1 + this.host.world.random.below(within)) * 1000);
  }

  /** Now, whatever came before: also after a rejection. */
  register(): void {
    this.#registerNext = false;
    this.#retries = 0;
    this.#want("register");
  }

  /** The same, with the old binding removed before. */
  restart(): void {
    this.#registerNext = this.status === "Registered" || this.#busy;
    if (this.#registerNext) this.#want("unregister");
    else this.register();
  }

  /** Removes the binding; nothing is sent again until told. */
  unregister(): void {
    this.#registerNext = false;
    this.#cancel();
    if (this.#busy || this.status === "Registered") this.#want("unregister");
    else this.#become("Unregistered", "");
  }

  /** Unregisters what is registered; resolves when that is answered. */
  stop(): Promise<void> {
    this.unregister();
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Seconds until the next REGISTER. */
  get nextSeconds(): number | undefined {
    return this.nextAt === undefined ? undefined : Math.max(0, Math.ceil((this.nextAt - this.host.world.now()) / 1000));
  }

  #want(what: "register" | "unregister"): void {
    this.#wanted = what;
    if (!this.#busy) this.#begin();
  }

  #begin(): void {
    const wanted = this.#wanted;
    this.#wanted = "nothing";
    this.#cancel();
    if (wanted === "nothing") return;
    this.#busy = true;
    this.#agreed = this.#moved = false;
    this.#repeats = 0;
    this.#try(wanted === "register" ? this.#expiration : 0, undefined);
  }

  #try(expires: number, target: Uri | undefined): void {
    this.#attempt(expires, target).catch((error: unknown) => {
      this.host.fault(error);
      this.#settle({ status: 500, response: undefined }, expires);
    });
  }

  #schedule(ms: number): void {
    this.#cancel();
    this.nextAt = this.host.world.now() + ms;
    this.#timer = this.host.world.after(ms, () => this.#want("register"));
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.nextAt = undefined;
  }

  /** `target`: where a 301 or 302 sent us. Expires 0 removes the binding. */
  async #attempt(expires: number, target: Uri | undefined): Promise<void> {
    const { stack } = this.host;
    const server = target ?? parseUri(this.values.serverUri);
    const proxy = this.values.outboundProxy === undefined ? undefined : parseUri(bare(this.values.outboundProxy));
    const [towards] = server ? await stack.resolve(proxy ?? server, this.#sender) : [];
    if (!server || !towards) return this.#settle({ status: 503, response: undefined }, expires);
    const contact = this.#contactFor(stack.localContact(towards, this.values.contactUser));
    this.#contact = contact;
    const sent = stack.send(this.#request(server, contact, expires), this.#sender, {
      response: (response, flow) => {
        if (response.status < 200) return;
        this.#cseq = sent.transaction?.request.headers.get("CSeq")?.number ?? this.#cseq;
        this.#settle({ status: response.status, response }, expires, flow);
      },
      failed: (why) => {
        this.#cseq = sent.transaction?.request.headers.get("CSeq")?.number ?? this.#cseq;
        this.#settle({ status: why === "timeout" ? 408 : 503, response: undefined }, expires);
      },
    });
  }

  #contactFor(local: string): Uri {
    const uri = parseUri(local);
    if (uri?.scheme !== "sip") throw new Error(`no address of ours towards ${this.values.serverUri}`);
    const params = new Map(uri.params);
    if (this.line !== undefined) params.set("line", this.line);
    const secure = parseUri(this.values.serverUri)?.scheme === "sips";
    return { ...uri, scheme: secure ? "sips" : "sip", params };
  }

  #request(server: Uri, contact: Uri, expires: number): SipRequest {
    const { values } = this;
    const aor = parseUri(values.clientUri);
    const address = aor ? writeUri(aor) : values.clientUri;
    const headers = headerList();
    if (values.outboundProxy !== undefined) headers.append("Route", `<${bare(values.outboundProxy)}>`);
    headers.append("From", `<${address}>;tag=${this.#tag}`);
    headers.append("To", `<${address}>`);
    headers.append("Call-ID", this.callId);
    headers.append("CSeq", `${++this.#cseq} REGISTER`);
    const params = values.contactHeaderParams.replace(/^;+/, "");
    headers.append("Contact", `<${writeUri(contact)}>${params === "" ? "" : `;${params}`}`);
    headers.append("Expires", String(expires));
    const tags = [...values.supportPath ? ["path"] : [], ...values.supportOutbound ? ["outbound"] : []];
    if (tags.length > 0) headers.append("Supported", tags.join(", "));
    if (values.userAgent !== "") headers.append("User-Agent", values.userAgent);
    return { kind: "request", method: "REGISTER", uri: server, headers, body: new Uint8Array(0) };
  }

  /** The answer to the one request on its way. */
  #settle(answer: Answer, asked: number, flow?: Flow): void {
    this.lastStatus = answer.status;
    this.host.answered(answer.status);
    const outcome = outcomeOf(answer, this.values, {
      retries: this.#retries,
      asked,
      moved: this.#moved,
      agreed: this.#agreed,
      mayRepeat: this.#repeats < MOST_REPEATS,
    });
    if (asked > 0 && this.#wanted !== "unregister" && this.#again(outcome)) return;
    this.#busy = false;
    if (asked === 0) {
      this.#stopFlow();
      this.#become("Unregistered", "");
    } else if (outcome.kind === "registered" && answer.response) this.#registered(answer.response, asked, flow);
    else this.#refused(answer, outcome);
    if (this.#wanted === "nothing" && this.#registerNext) this.register();
    else if (this.#wanted !== "nothing") this.#begin();
    if (this.#busy) return;
    for (const run of this.#whenIdle.splice(0)) run();
  }

  /** Asks once more at once where the answer says how. */
  #again(outcome: Outcome): boolean {
    if (outcome.kind !== "longer" && outcome.kind !== "moved" && outcome.kind !== "agreed") return false;
    this.#repeats++;
    this.#agreed ||= outcome.kind === "agreed";
    this.#moved ||= outcome.kind === "moved";
    if (outcome.kind === "longer") this.#expiration = outcome.expiration;
    this.#try(this.#expiration, outcome.kind === "moved" ? outcome.to : undefined);
    return true;
  }

  #registered(response: SipResponse, asked: number, flow: Flow | undefined): void {
    this.#retries = 0;
    const { seconds, ours } = this.#contact ? granted(response, this.#contact, asked) : { seconds: asked, ours: false };
    this.#become("Registered", ours ? "" : "the answer does not show our contact");
    this.#schedule(refreshAfter(seconds) * 1000);
    this.#stopFlow();
    // The connection is the way calls come in: without it the binding is worth nothing.
    this.#stopFlow = flow?.onClose(() => this.status === "Registered" && this.#want("register")) ?? (() => {});
  }

  #refused({ status, response }: Answer, outcome: Outcome): void {
    const cause = response ? `${status} ${response.reason}` : status === 408 ? "no answer" : "not reached";
    this.#stopFlow();
    this.#become("Rejected", cause);
    if (outcome.kind !== "retry") return this.host.failed(this, cause, undefined);
    if (outcome.counted) this.#retries++;
    const { random } = this.host.world;
    const spread = outcome.counted ? 1 - JITTER + random.below(2001) / 1000 * JITTER : 1;
    const ms = Math.round(outcome.seconds * 1000 * spread);
    this.host.failed(this, cause, ms);
    this.#schedule(ms);
  }

  #become(status: Status, cause: string): void {
    const before = this.status;
    this.status = status;
    if (before !== status || (status === "Registered" && cause !== "")) this.host.changed(this, cause);
  }
}

/** The URI in a route value. */
function bare(route: string): string {
  return /<(.*)>/.exec(route)?.[1] ?? route;
}
