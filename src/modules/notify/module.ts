import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { type Contact, locations, type Sessions, sessions, stack } from "../../kernel/services.ts";
import { headerList } from "../../sip/message/header_list.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import { parseUri, sipUri, type Uri, writeUri } from "../../sip/message/uri.ts";
import type { Destination } from "../../sip/transport/flow.ts";
import { type Content, contentOf, lineFault, type Lines } from "./template.ts";

const WAIT_MS = 32_000; // for answers, where somebody asks for them

const line = v.pipe(
  v.strictTuple([v.string(), v.string()]),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? lineFault(dataset.value) : undefined;
    if (fault) addIssue({ message: fault });
  }),
);
const lines = v.pipe(v.array(line), v.minLength(1, "there is nothing to send"), v.maxLength(100));

const options = v.object({
  /** What may be sent, by name: header lines and `Content` in order. */
  templates: v.optional(v.record(v.string(), lines), {}),
});
type Context = ModuleContext<v.InferOutput<typeof options>>;

const request = v.strictObject({
  /** Exactly one of the three. */
  endpoint: v.optional(v.string()),
  uri: v.optional(v.string()),
  channel: v.optional(v.string()),
  /** Exactly one of the two. */
  template: v.optional(v.string()),
  lines: v.optional(lines),
  /** Answer when the peers have. */
  wait: v.optional(v.boolean(), false),
});

type Refusal = { readonly status: 400 | 404 | 409; readonly error: string };

/** Sends NOTIFY requests an operator asks for: check-sync, reboot, resync, to contacts, a URI or within a call. */
export default defineModule({
  name: "notify",
  summary: "Sends NOTIFY to phones: check-sync, reboot, resync",
  replaces: "res_pjsip_notify",
  requires: ["core", "registrar"],
  options,
  setup(ctx) {
    const notifier = new Notifier(ctx);
    ctx.http.route({
      method: "GET",
      path: "/notify/templates",
      summary: "Templates by name",
      scope: "read",
      reply: v.record(v.string(), lines),
      run: () => ({ status: 200, body: ctx.options.templates }),
    });
    ctx.http.route({
      method: "POST",
      path: "/notify",
      summary: "Sends a NOTIFY to every contact of an endpoint, to a URI, or within a call",
      scope: "write",
      body: request,
      reply: v.object({
        sent: v.number(),
        results: v.optional(v.array(v.object({ to: v.string(), status: v.number() }))),
      }),
      async run({ body }) {
        const asked = v.parse(request, body);
        const content = notifier.content(asked);
        if ("error" in content) return { status: content.status, body: { error: content.error } };
        const sent = await notifier.send(asked, content);
        if ("error" in sent) return { status: sent.status, body: { error: sent.error } };
        if (!asked.wait) return { status: 202, body: { sent: sent.length } };
        return {
          status: 200,
          body: { sent: sent.length, results: await Promise.all(sent.map(({ answer }) => answer)) },
        };
      },
    });
  },
});

type Asked = Pick<v.InferOutput<typeof request>, "endpoint" | "uri" | "channel" | "template" | "lines">;
/** On its way; `answer` comes with the peer's, or after the wait. */
interface Sent {
  readonly answer: Promise<{ readonly to: string; readonly status: number }>;
}

class Notifier {
  constructor(readonly ctx: Context) {}

  /** What is to be sent, or why nothing is. */
  content({ template, lines }: Asked): Content | Refusal {
    if ((template === undefined) === (lines === undefined)) {
      return { status: 400, error: "give either a template or lines" };
    }
    const known: Lines | undefined = template === undefined ? lines : this.ctx.options.templates[template];
    if (!known) return { status: 404, error: `there is no template "${template}"` };
    const content = contentOf(known);
    for (const warning of content.warnings) this.ctx.log.warning(warning, { template: template ?? "" });
    return content;
  }

  async send(asked: Asked, content: Content): Promise<readonly Sent[] | Refusal> {
    const targets = [asked.endpoint, asked.uri, asked.channel].filter((target) => target !== undefined);
    if (targets.length !== 1) return { status: 400, error: "give exactly one of endpoint, uri and channel" };
    if (asked.channel !== undefined) return this.#toChannel(asked.channel, content);
    if (asked.uri !== undefined) return await this.#toUri(asked.uri, content);
    return await this.#toEndpoint(asked.endpoint ?? "", content);
  }

  #toChannel(id: string, content: Content): readonly Sent[] | Refusal {
    const found: Sessions | undefined = this.ctx.find(sessions);
    const channel = found?.channel(id) ?? found?.channels.find(({ name }) => name === id);
    if (!channel) return { status: 404, error: `there is no call "${id}"` };
    if (channel.state !== "up" && channel.state !== "ringing") {
      return { status: 409, error: `the call is ${channel.state}: there is no dialog yet` };
    }
    const headers = [["Subscription-State", "terminated"], ...content.headers] as const;
    const status = channel.request("NOTIFY", headers, content.body);
    this.ctx.metrics.count("sent");
    return [{ answer: status.then((status) => ({ to: channel.name, status })) }];
  }

  async #toUri(text: string, content: Content): Promise<readonly Sent[] | Refusal> {
    const uri = parseUri(text);
    if (!uri || uri.scheme === "other") return { status: 400, error: `"${text}" is not a SIP URI` };
    const by = this.ctx.objects.get("global", "")?.values.defaultOutboundEndpoint; // a field of core
    const endpoint = typeof by === "string" ? this.ctx.objects.endpoint(by) : undefined;
    if (!endpoint) return { status: 409, error: `there is no endpoint "${by}" (global.defaultOutboundEndpoint)` };
    return [await this.#request(uri, endpoint, undefined, content)];
  }

  async #toEndpoint(id: string, content: Content): Promise<readonly Sent[] | Refusal> {
    const endpoint = this.ctx.objects.endpoint(id);
    if (!endpoint) return { status: 404, error: `there is no endpoint "${id}"` };
    if (endpoint.aors.length === 0) return { status: 409, error: `endpoint "${id}" has no aors` };
    const where = this.ctx.use(locations);
    const sent: Sent[] = [];
    for (const contact of endpoint.aors.flatMap((aor) => where.contacts(aor))) {
      const uri = parseUri(contact.uri);
      if (uri && uri.scheme !== "other") sent.push(await this.#request(uri, endpoint, contact, content));
    }
    return sent;
  }

  async #request(uri: Uri, endpoint: Endpoint, contact: Contact | undefined, content: Content): Promise<Sent> {
    const sip = this.ctx.use(stack);
    const flow = contact?.flow === undefined
      ? undefined
      : sip.transports.flows.find(({ id, open }) => id === contact.flow && open);
    const to: Destination | undefined = flow
      ? { protocol: flow.protocol, address: flow.remote, flow }
      : (await sip.resolve(uri, endpoint))[0];
    const text = writeUri(uri);
    if (!to) return { answer: Promise.resolve({ to: text, status: 503 }) };
    this.ctx.metrics.count("sent");
    const answer = new Promise<{ to: string; status: number }>((resolve) => {
      const settle = (status: number) => {
        late.cancel();
        this.ctx.metrics.count("answers", 1, { status: String(status) });
        resolve({ to: text, status });
      };
      const late = this.ctx.world.after(WAIT_MS, () => settle(408));
      sip.send(this.#message(uri, endpoint, contact, to, content), endpoint, {
        response: ({ status }) => status >= 200 && settle(status),
        failed: (why) => settle(why === "timeout" ? 408 : 503),
      }, flow ? to : undefined);
    });
    return { answer };
  }

  #message(
    uri: Uri,
    endpoint: Endpoint,
    contact: Contact | undefined,
    to: Destination,
    content: Content,
  ): SipRequest {
    const { random } = this.ctx.world;
    const user = endpoint.fromUser ?? endpoint.id;
    const local = this.ctx.use(stack).localContact(to, user);
    const address = parseUri(local);
    const host = endpoint.fromDomain ?? (address?.scheme === "sip" ? address.host : "localhost");
    const headers = headerList();
    for (const route of contact?.path ?? []) headers.append("Route", route);
    headers.append("From", `<${writeUri(sipUri(user, host))}>;tag=${random.token(8)}`);
    headers.append("To", `<${writeUri(uri)}>`);
    headers.append("Call-ID", random.token(16));
    headers.append("CSeq", `${1 + random.below(30_000)} NOTIFY`);
    headers.append("Contact", `<${local}>`);
    headers.append("Subscription-State", "terminated");
    for (const [name, value] of content.headers) headers.append(name, value);
    if (content.body) headers.append("Content-Type", content.body.type);
    return { kind: "request", method: "NOTIFY", uri, headers, body: content.body?.bytes ?? new Uint8Array(0) };
  }
}
