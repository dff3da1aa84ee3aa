import * as v from "valibot";
import { lookUpName } from "../kernel/endpoint_lookup.ts";
import { defineModule } from "../kernel/module.ts";
import { identifiers } from "../kernel/services.ts";

const NAME = "anonymous";

/** Lets an endpoint named `anonymous`, or `anonymous@<domain>`, stand for callers nobody else knows. */
export default defineModule({
  name: "endpoint_identifier_anonymous",
  summary: "Serves strangers by an endpoint made for them",
  replaces: "res_pjsip_endpoint_identifier_anonymous",
  requires: ["core"],
  options: v.object({}),
  setup(ctx) {
    const offered = ctx.use(identifiers);
    const strangers = () => ctx.objects.endpoints().filter(({ id }) => id === NAME || id.startsWith(`${NAME}@`));

    let waiting = false;
    /** When every identifier and endpoint is there. */
    const warnSoon = () => {
      if (waiting) return;
      waiting = true;
      ctx.world.after(0, warn);
    };
    const warn = () => {
      waiting = false;
      const found = strangers();
      if (found.length === 0) return;
      const authenticated = ctx.objects.endpoints().filter(({ auth }) => auth.length > 0);
      for (const { id, auth, context, values } of found) {
        const open = auth.length === 0 && values["acl"] === undefined && values["permit"] === undefined;
        if (open && authenticated.some((other) => other.context === context)) {
          ctx.log.warning(`endpoint "${id}" lets strangers into context "${context}", which known peers use too`);
        }
      }
      const order = offered.order;
      const after = order.slice(order.indexOf(NAME) + 1)
        .filter((name) => name === "username" || name === "ip" || name === "auth_username");
      const unreachable = after.filter((name) =>
        name !== "auth_username" || ctx.objects.endpoints().some(({ identifyBy }) => identifyBy.includes(name))
      );
      if (unreachable.length > 0) {
        ctx.log.warning(`with endpoint "${NAME}", identifiers after "${NAME}" never match: ${unreachable.join(", ")}`);
      }
    };

    offered.add(NAME, (request, flow) => {
      const uri = request.headers.get("From")?.uri;
      if (uri?.scheme !== "sip" && uri?.scheme !== "sips") {
        return { endpoint: undefined, looked: "From", result: "is no SIP URI" };
      }
      const { endpoint, looked } = lookUpName(ctx.objects, NAME, uri.host, flow);
      if (endpoint) ctx.metrics.count("matched");
      return { endpoint, looked, result: endpoint ? "matched" : "no such endpoint" };
    });
    ctx.objects.onChange("endpoint", warnSoon);
    warnSoon();
  },
});
