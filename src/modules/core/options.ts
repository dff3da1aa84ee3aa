import { dialplan } from "../../kernel/dialplan.ts";
import type { InboundContext } from "../../kernel/stages.ts";
import type { SipResponse } from "../../sip/message/message.ts";
import { reply } from "../../sip/message/reply.ts";
import type { Engine } from "./engine.ts";
import type { InboundSide } from "./inbound.ts";

/** OPTIONS outside of a call: what we can, and whether the number asked for exists (RFC 3261 §11). */
export function optionsAnswer(
  { request, endpoint }: InboundContext,
  { capabilities }: Engine,
  side: Pick<InboundSide, "find" | "objects">,
): SipResponse | undefined {
  if (request.method !== "OPTIONS" || request.headers.get("To")?.params.has("tag")) return undefined;
  const { uri } = request;
  const whole = uri.scheme === "tel" ? uri.number : uri.scheme === "other" ? "" : uri.user;
  const cut = side.objects.get("global", "")?.values["ignoreUriUserOptions"] === true;
  const user = cut ? whole.split(";", 1)[0] ?? "" : whole;
  const plan = user === "" ? undefined : side.find(dialplan);
  const exists = user === "" || plan === undefined || plan.lookup(endpoint?.context ?? "default", user) === "found";
  return reply(request, exists ? 200 : 404, exists ? "OK" : "Not Found", {
    "Accept": capabilities.accept,
    "Allow": capabilities.allow,
    "Supported": capabilities.supported,
    "Accept-Encoding": "identity",
    "Accept-Language": "en",
  });
}
