import { defineModule, reply, v } from "patchbay";

/** Refuses callers whose number begins with one of the prefixes. */
export default defineModule({
  name: "block_prefix",
  summary: "Refuses callers by prefix",
  requires: ["core"],
  options: v.object({ prefixes: v.array(v.string()) }),
  setup(ctx) {
    ctx.inbound("acl", ({ request }) => {
      if (request.method !== "INVITE") return undefined;
      const uri = request.headers.get("From")?.uri;
      const caller = uri?.scheme === "tel" ? uri.number : uri?.scheme === "other" ? "" : uri?.user ?? "";
      if (!ctx.options.prefixes.some((prefix) => caller.startsWith(prefix))) return undefined;
      ctx.metrics.count("blocked");
      return reply(request, 603, "Decline");
    });
  },
});
