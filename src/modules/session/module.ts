import * as v from "valibot";
import { defineModule } from "../../kernel/module.ts";
import { seconds } from "../../kernel/schema.ts";
import { type Sessions, sessions, stack } from "../../kernel/services.ts";
import type { SessionChannel } from "./channel.ts";
import { SessionEngine } from "./engine.ts";
import { endpointFields, globalFields, systemFields } from "./fields.ts";

/** INVITE dialogs: accepts and originates calls, offer/answer, timers, redirects of the media, the end. */
export default defineModule({
  name: "session",
  summary: "Calls: INVITE sessions and their channels",
  replaces: "res_pjsip_session",
  requires: ["core"],
  options: v.object({
    /** A call nobody answers ends after this. */
    ringingLimit: seconds(180),
  }),
  fields: { endpoint: endpointFields, global: globalFields, system: systemFields },
  setup(ctx) {
    const restored = ctx.restored;
    const engine = restored instanceof SessionEngine ? restored : new SessionEngine();
    engine.attach(ctx);
    const core = ctx.use(stack);
    core.capabilities.add({
      methods: ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"],
      optionTags: ["100rel", "timer"],
      bodyTypes: ["application/sdp"],
    });
    core.claim({
      request: (incoming) => engine.dialogs.request(incoming),
      ack: (request) => engine.dialogs.ack(request),
      stray: () => false,
    });
    ctx.inbound("method", (context) => engine.incoming(context));
    const all = (): readonly SessionChannel[] => [...engine.channelsById.values()];
    ctx.provideEach<Sessions>(sessions, (user) => ({
      supplement: (supplement) => {
        user.onRelease(engine.supplements.add(supplement, (where, error) => user.fault(where, error)));
      },
      sdpHandler: (handler) => user.onRelease(engine.addHandler(handler)),
      answerer: (answerer) => user.onRelease(engine.addAnswerer(answerer)),
      originate: (options) => engine.originate(options),
      get channels() {
        return all();
      },
      channel: (id) => engine.channelsById.get(id),
    }));
    ctx.metrics.gauge("channels", () => engine.channelsById.size);
    ctx.metrics.gauge("dialogs", () => engine.dialogs.size);
    let handedOver = false;
    ctx.save(() => {
      handedOver = true;
      return engine;
    });
    ctx.onUnload(() => {
      if (!handedOver) { for (const channel of all()) channel.hangup(38, 503); }
    });
  },
});
