import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { ApiReply, ApiRoute } from "../../kernel/http.ts";
import type { ModuleContext } from "../../kernel/module.ts";
import { type Channel, locations, type OriginateOptions, sessions, stack } from "../../kernel/services.ts";
import { dialplan } from "../../kernel/dialplan.ts";
import { parseUri } from "../../sip/message/uri.ts";

const callView = v.object({
  id: v.string(),
  name: v.string(),
  endpoint: v.string(),
  direction: v.picklist(["incoming", "outgoing"]),
  state: v.string(),
  caller: v.string(),
  called: v.string(),
  codec: v.optional(v.string()),
  /** Name of the SRTP suite; absent: plain RTP. */
  encryption: v.optional(v.string()),
  remoteMedia: v.optional(v.string()),
  callId: v.string(),
  startedAt: v.string(),
  answeredAt: v.optional(v.string()),
  seconds: v.number(), // since the answer; before it since the start
});

const originateBody = v.object({
  /** Who is called first. */
  endpoint: v.string(),
  /** A SIP URI to call it at, instead of its first reachable contact. */
  uri: v.optional(v.string()),
  /** What it is connected to when it answers. */
  extension: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  /** Absent: the endpoint's own. */
  context: v.optional(v.string()),
  callerId: v.optional(v.object({ name: v.optional(v.string(), ""), number: v.string() })),
  timeoutSeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(600)), 30),
  variables: v.optional(v.record(v.string(), v.string()), {}),
});
type OriginateBody = v.InferOutput<typeof originateBody>;

type Host = Pick<ModuleContext<unknown>, "find" | "objects" | "log" | "world">;

const NORMAL_CLEARING = 16;
const NO_ANSWER = 19;

const fault = (status: number, error: string): ApiReply => ({ status, body: { error } });

export function callRoutes(ctx: Host): readonly ApiRoute[] {
  const view = (channel: Channel) => viewOf(channel, ctx.world.wallClock());
  return [
    {
      method: "GET",
      path: "/calls",
      summary: "The legs of all calls",
      scope: "read",
      reply: v.array(callView),
      run: () => ({ status: 200, body: (ctx.find(sessions)?.channels ?? []).map(view) }),
    },
    {
      method: "GET",
      path: "/calls/:id",
      summary: "One leg, with the counters of its audio",
      scope: "read",
      async run({ params: { id = "" } }) {
        const channel = ctx.find(sessions)?.channel(id);
        if (!channel) return fault(404, `there is no call "${id}"`);
        return { status: 200, body: { ...view(channel), audio: await channel.audio?.stats() } };
      },
    },
    {
      method: "DELETE",
      path: "/calls/:id",
      summary: "Hangs a leg up",
      scope: "write",
      run({ params: { id = "" } }) {
        const channel = ctx.find(sessions)?.channel(id);
        if (!channel) return fault(404, `there is no call "${id}"`);
        channel.hangup(NORMAL_CLEARING);
        return { status: 204, body: null };
      },
    },
    {
      method: "POST",
      path: "/calls",
      summary: "Calls an endpoint and connects it to a dialplan extension when it answers",
      scope: "write",
      body: originateBody,
      reply: callView,
      run: ({ body }) => originate(ctx, v.parse(originateBody, body)),
    },
  ];
}

async function originate(ctx: Host, body: OriginateBody): Promise<ApiReply> {
  const engine = ctx.find(sessions);
  const plan = ctx.find(dialplan);
  if (!engine || !plan) return fault(409, 'this needs the modules "session" and "dialplan"');
  const endpoint = ctx.objects.endpoint(body.endpoint);
  if (!endpoint) return fault(404, `there is no endpoint "${body.endpoint}"`);
  const context = body.context ?? endpoint.context;
  if (plan.lookup(context, body.extension) !== "found") {
    return fault(404, `there is no extension "${body.extension}" in the context "${context}"`);
  }
  const target = body.uri === undefined ? firstContact(ctx, endpoint) : uriTarget(body.uri);
  if (!target) {
    return body.uri === undefined
      ? fault(409, `endpoint "${endpoint.id}" has no reachable contact: is it registered?`)
      : fault(400, "uri is not a SIP URI");
  }
  const { name = "", number = body.extension } = body.callerId ?? {};
  const channel = await engine.originate({
    ...target,
    endpoint,
    caller: { name, number, allowed: true },
    variables: new Map(Object.entries(body.variables)),
  });
  connect(ctx, channel, body, () => plan.run(channel, context, body.extension));
  return { status: 201, body: viewOf(channel, ctx.world.wallClock()) };
}

/** Runs the extension once the channel is answered; gives up ringing after the time-out. */
function connect(ctx: Host, channel: Channel, body: OriginateBody, run: () => Promise<void>): void {
  const timeout = ctx.world.after(body.timeoutSeconds * 1000, () => channel.hangup(NO_ANSWER));
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    timeout.cancel();
    run().catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      ctx.log.error(`extension ${body.extension} of an originated call failed: ${why}`, { call: channel.id });
      channel.hangup(NORMAL_CLEARING);
    });
  };
  channel.on((event) => {
    if (event.kind === "answered") begin();
    else if (event.kind === "ended") timeout.cancel();
  });
  if (channel.state === "up") begin();
  else if (channel.state === "ended") timeout.cancel();
}

type Target = Pick<OriginateOptions, "uri" | "flow" | "path">;

function uriTarget(text: string): Target | undefined {
  const uri = parseUri(text);
  return uri === undefined || uri.scheme === "other" ? undefined : { uri };
}

/** Where the endpoint is reached: the contact with the highest q of its first aor that has one. */
function firstContact(ctx: Host, endpoint: Endpoint): Target | undefined {
  for (const aor of endpoint.aors) {
    const [contact] = [...ctx.find(locations)?.contacts(aor, "reachable") ?? []].sort((a, b) => b.q - a.q);
    const uri = contact && parseUri(contact.uri);
    if (!contact || !uri) continue;
    const flow = contact.flow === undefined
      ? undefined
      : ctx.find(stack)?.transports.flows.find((f) => f.id === contact.flow && f.open);
    return { uri, path: contact.path, ...(flow ? { flow } : {}) };
  }
  return undefined;
}

function viewOf(channel: Channel, now: number): v.InferOutput<typeof callView> {
  const {
    id,
    name,
    endpoint,
    direction,
    state,
    caller,
    called,
    codec,
    encryption,
    remoteMedia,
    createdAt,
    answeredAt,
  } = channel;
  return {
    id,
    name,
    endpoint: endpoint.id,
    direction,
    state,
    caller: caller.number,
    called,
    codec,
    encryption,
    remoteMedia: remoteMedia && `${remoteMedia.host}:${remoteMedia.port}`,
    callId: channel.sip.callId,
    startedAt: new Date(createdAt).toISOString(),
    answeredAt: answeredAt === undefined ? undefined : new Date(answeredAt).toISOString(),
    seconds: Math.max(0, Math.round((now - (answeredAt ?? createdAt)) / 1000)),
  };
}
