import * as v from "valibot";
import { lookUpName } from "../kernel/endpoint_lookup.ts";
import { defineModule } from "../kernel/module.ts";
import { identifiers, type IdentifyResult } from "../kernel/services.ts";
import type { SipRequest } from "../sip/message/message.ts";
import type { Flow } from "../sip/transport/flow.ts";

const nobody = (looked: string, result: string): IdentifyResult => ({ endpoint: undefined, looked, result });

/** Tells who a request is from by the names in it: `username` by From, `auth_username` by the digest credentials. */
export default defineModule({
  name: "endpoint_identifier_user",
  summary: "Knows peers by the user in From or in their credentials",
  replaces: "res_pjsip_endpoint_identifier_user",
  requires: ["core"],
  options: v.object({}),
  fields: {
    transport: {
      /** Requests that come in here may be from `user@domain` when nothing else is. */
      domain: v.optional(v.string(), ""),
    },
  },
  setup(ctx) {
    const look = (user: string, domain: string, flow: Flow, word: string): IdentifyResult => {
      const { endpoint, looked } = lookUpName(ctx.objects, user, domain, flow);
      if (!endpoint) return nobody(looked, "no such endpoint");
      const allowed = endpoint.identifyBy.includes(word);
      ctx.metrics.count(allowed ? "matched" : "refused_by_identify_by", 1, { identifier: word });
      return allowed ? { endpoint, looked, result: "matched" } : nobody(looked, `identifyBy has no "${word}"`);
    };
    const byFrom = (request: SipRequest, flow: Flow): IdentifyResult => {
      const uri = request.headers.get("From")?.uri;
      if (uri?.scheme !== "sip" && uri?.scheme !== "sips") return nobody("From", "is no SIP URI");
      const cut = ctx.objects.get("global", "")?.values.ignoreUriUserOptions === true;
      return look(cut ? uri.user.split(";", 1)[0] ?? "" : uri.user, uri.host, flow, "username");
    };
    const byCredentials = (request: SipRequest, flow: Flow): IdentifyResult => {
      let last = nobody("Authorization", "no digest credentials");
      for (const { scheme, params } of request.headers.all("Authorization")) {
        if (scheme.toLowerCase() !== "digest") continue;
        last = look(params.get("username") ?? "", params.get("realm") ?? "", flow, "auth_username");
        if (last.endpoint) break;
      }
      return last;
    };
    const offered = ctx.use(identifiers);
    offered.add("username", byFrom);
    offered.add("auth_username", byCredentials);
  },
});
