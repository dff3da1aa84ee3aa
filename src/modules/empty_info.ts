import * as v from "valibot";
import { defineModule } from "../kernel/module.ts";
import { reply } from "../sip/message/reply.ts";

/** Answers an in-dialog INFO that carries nothing: some peers send it to see if we still live. */
export default defineModule({
  name: "empty_info",
  summary: "Replies to INFO without content",
  replaces: "res_pjsip_empty_info",
  requires: ["session"],
  options: v.object({}),
  setup(ctx) {
    ctx.sessions.supplement({
      method: "INFO",
      at: "last", // those who understand a content look first
      incoming(info, channel) {
        if (info.headers.text("Content-Type") !== undefined) return undefined;
        if (info.body.length > 0) return reply(info, 415, "Unsupported Media Type");
        // A package that nobody took is one we do not have (RFC 6086 §4.2.2).
        if (info.headers.text("Info-Package") !== undefined) {
          return reply(info, 469, "Bad Info Package", { "Recv-Info": "" });
        }
        ctx.metrics.count("answered", 1, { endpoint: channel?.endpoint.id ?? "" });
        return reply(info, 200, "OK");
      },
    });
  },
});
