import * as v from "valibot";
import { defineModule } from "../kernel/module.ts";
import { stack } from "../kernel/services.ts";
import { reply } from "../sip/message/reply.ts";

/** Answers OPTIONS inside a call: peers ask it to see whether the call still lives. */
export default defineModule({
  name: "dlg_options",
  summary: "OPTIONS within a call",
  replaces: "res_pjsip_dlg_options",
  requires: ["session"],
  options: v.object({}),
  setup(ctx) {
    const { capabilities } = ctx.use(stack);
    ctx.sessions.supplement({
      method: "OPTIONS",
      incoming(request) {
        ctx.metrics.count("answered");
        return reply(request, 200, "OK", {
          "Accept": capabilities.bodyTypes.join(", "),
          "Allow": capabilities.methods.join(", "),
          "Supported": capabilities.optionTags.join(", "),
          "Accept-Encoding": "identity",
          "Accept-Language": "en",
        });
      },
    });
  },
});
