import * as v from "valibot";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { bool, integer, secret } from "../../kernel/schema.ts";
import { sessions } from "../../kernel/services.ts";
import type { Observation } from "../../kernel/stages.ts";
import { decodeText } from "../../sip/message/octets.ts";
import { peek, peekCallId } from "../../sip/message/peek.ts";
import { Collector, readCollector } from "./collector.ts";
import { hepPacket } from "./packet.ts";

const options = v.object({
  /** False: nothing is sent, no socket is open. */
  enabled: bool(true),
  /** The capture server: `192.0.2.5:9060`, `[2001:db8::5]:9060`, `homer.example.org:9060`. */
  captureAddress: v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const read = readCollector(dataset.value);
      if (read) return read;
      addIssue({ message: `expected an address such as "192.0.2.5:9060", found ${JSON.stringify(dataset.value)}` });
      return NEVER;
    }),
  ),
  /** Shown to the capture server. */
  capturePassword: v.optional(secret(), ""),
  /** Number of this server at the capture server. */
  captureId: integer(0, 0, 2 ** 32 - 1),
  /** Name of this server at the capture server. */
  captureName: v.optional(v.string(), ""),
  /** What ties the messages of a call together: its Call-ID, or the name of its channel. */
  uuidType: v.optional(v.picklist(["call-id", "channel"]), "call-id"),
});
type Context = ModuleContext<v.InferOutput<typeof options>>;

const RETAIN_MS = 32_000; // what a call says after its end

/** Mirrors every SIP message to a capture server such as Homer, as HEP version 3. */
export default defineModule({
  name: "hep",
  summary: "Mirrors SIP messages to a capture server (HEPv3)",
  replaces: "res_hep_pjsip",
  requires: ["core"],
  options,
  setup(ctx) {
    if (!ctx.options.enabled) return;
    const collector = new Collector(ctx.options.captureAddress, ctx);
    collector.open();
    const names = ctx.options.uuidType === "channel" ? channelNames(ctx) : undefined;
    const identity = { password: ctx.options.capturePassword, name: ctx.options.captureName };
    const mirrored = (observation: Observation) => {
      const { direction, bytes, flow } = observation;
      const text = decodeText(bytes);
      const callId = peekCallId(text);
      if (callId === undefined || peek(text).kind === "junk") return;
      const [from, to] = direction === "in" ? [flow.remote, flow.local] : [flow.local, flow.remote];
      const packet = hepPacket({
        from,
        to,
        reliable: flow.reliable,
        wallMs: ctx.world.wallClock(),
        captureId: ctx.options.captureId,
        correlation: names?.get(callId) ?? callId,
        payload: bytes,
      }, identity);
      if (!packet) return ctx.metrics.count("two_families");
      if (packet.cut) ctx.metrics.count("cut");
      collector.send(packet.bytes);
    };
    let on = true;
    ctx.observe((observation) => {
      if (on) mirrored(observation);
    });
    const state = () => ({ on, target: collector.destination, sent: collector.sent, lastError: collector.lastError });
    ctx.http.route({
      method: "GET",
      path: "/hep",
      summary: "The capture server and what went there",
      scope: "read",
      run: () => ({ status: 200, body: state() }),
    });
    ctx.http.route({
      method: "PUT",
      path: "/hep",
      summary: "Switches the mirror on and off",
      scope: "admin",
      body: v.strictObject({ on: v.boolean() }),
      run({ body }) {
        on = v.parse(v.object({ on: v.boolean() }), body).on;
        return { status: 200, body: state() };
      },
    });
    ctx.metrics.gauge("sent", () => collector.sent);
  },
});

/** Names of the channels of running calls by Call-ID. */
function channelNames(ctx: Context): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const callIds = new Map<string, string>(); // by call
  ctx.events.on("call.started", ({ call, name }) => {
    const callId = ctx.find(sessions)?.channel(call)?.sip.callId;
    if (callId === undefined) return;
    callIds.set(call, callId);
    names.set(callId, name);
  });
  ctx.events.on("call.ended", ({ call }) => {
    const callId = callIds.get(call);
    callIds.delete(call);
    if (callId !== undefined) ctx.world.after(RETAIN_MS, () => void names.delete(callId));
  });
  return names;
}
