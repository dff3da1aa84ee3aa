import * as v from "valibot";
import { defineModule, type ModuleContext } from "../../kernel/module.ts";
import { bool, cidr, port, seconds } from "../../kernel/schema.ts";
import { stack } from "../../kernel/services.ts";
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { OutboundContext } from "../../kernel/stages.ts";
import type { SipMessage } from "../../sip/message/message.ts";
import type { Destination, Flow } from "../../sip/transport/flow.ts";
import { forceRport } from "../../sip/transport/received.ts";
import { External } from "./external.ts";
import { restoreOriginal, rewriteContact, stripOriginal } from "./peer.ts";

const fields = {
  endpoint: {
    /** Answer to the port a request came from, as if its Via had asked for it. */
    forceRport: bool(true),
    /** Reach the endpoint where its packets come from, whatever its Contact says. */
    rewriteContact: bool(false),
  },
  transport: {
    /** Networks on our side of the NAT; none: everybody is outside. */
    localNet: v.optional(v.array(cidr()), []),
    /** Our address as those outside see it: an address, or a name that is looked up. */
    externalSignalingAddress: v.optional(v.string()),
    /** The same, a name that is written as it stands. */
    externalSignalingHostname: v.optional(v.string()),
    /** 0: the port we listen on. */
    externalSignalingPort: port(0),
    /** Address in SDP for those outside. */
    externalMediaAddress: v.optional(v.string()),
  },
};
const options = v.object({
  /** Between two lookups of external names. */
  externalRefresh: seconds(300),
});
type Context = ModuleContext<v.InferOutput<typeof options>, typeof fields>;

/** Peers behind a NAT, and we behind one. */
export default defineModule({
  name: "nat",
  summary: "Reaches peers behind a NAT, and shows our own outside address",
  replaces: "res_pjsip_nat",
  requires: ["core"],
  options,
  fields,
  async setup(ctx) {
    const core = ctx.use(stack);
    const repaired = new WeakSet<SipMessage>();

    const repair = (message: SipMessage, flow: Flow, endpoint: Endpoint) => {
      if (repaired.has(message)) return;
      repaired.add(message);
      const { forceRport: force, rewriteContact: rewrite } = ctx.fields(endpoint);
      if (message.kind === "request") {
        stripOriginal(message.headers);
        if (force) forceRport(message, flow.remote);
      }
      const done = rewrite ? rewriteContact(message, flow) : undefined;
      if (done !== undefined) ctx.log.debug(done, { endpoint: endpoint.id });
    };
    core.repair(repair);
    ctx.inbound("nat", ({ request, flow, endpoint }) => {
      if (endpoint) repair(request, flow, endpoint);
      return undefined;
    });

    const outside = await externals(ctx);
    const towards = (destination: Destination | Flow, transport: string | undefined): External | undefined => {
      const external = transport === undefined ? undefined : outside.get(transport);
      const { host } = "id" in destination ? destination.remote : destination.address;
      return external?.outside(host) ? external : undefined;
    };
    ctx.onUnload(
      core.transports.advertise((destination, transport) => towards(destination, transport)?.signaling()),
    );
    ctx.outbound("route", ({ message, destination, answers }: OutboundContext) => {
      if (message.kind === "response" && answers?.method === "REGISTER") return restoreOriginal(message);
      towards(destination, core.transports.transportFor(destination))?.describe(message);
    });
  },
});

/** The outside of every transport, kept up to date. */
async function externals(ctx: Context): Promise<ReadonlyMap<string, External>> {
  const outside = new Map<string, External>();
  const read = async () => {
    for (const id of outside.keys()) if (!ctx.objects.get("transport", id)) outside.delete(id);
    for (const { id } of ctx.objects.all("transport")) {
      const own = ctx.fieldsOf("transport", id);
      if (!own || outside.get(id)?.fields === own) continue;
      if (own.externalSignalingAddress !== undefined && own.externalSignalingHostname !== undefined) {
        throw new Error(`transport ${id} has both externalSignalingAddress and externalSignalingHostname`);
      }
      const external = new External(id, own);
      await external.refresh(ctx.world, ctx.log);
      outside.set(id, external);
    }
  };
  const refresh = () => {
    ctx.world.after(ctx.options.externalRefresh * 1000, () => {
      void Promise.all([...outside.values()].map(async (external) => {
        if (await external.refresh(ctx.world, ctx.log)) ctx.log.notice(`transport ${external.id} has another address`);
      }));
      refresh();
    });
  };
  await read();
  if ([...outside.values()].some(({ named }) => named)) refresh();
  ctx.objects.onChange("transport", () => {
    read().catch((error: unknown) => ctx.log.error("external addresses", { reason: String(error) }));
  });
  return outside;
}
