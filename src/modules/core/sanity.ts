import type { Capabilities } from "../../kernel/services.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply } from "../../sip/message/reply.ts";
import type { Uri } from "../../sip/message/uri.ts";
import type { Engine } from "./engine.ts";

const DIALOG_MAKERS = new Set(["INVITE", "SUBSCRIBE", "REFER"]);
/** A tel: URI can be called, not registered or subscribed to. */
const CALLING = new Set(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"]);

/** What makes a request impossible to treat, whoever sent it. */
export function misfit(request: SipRequest, engine: Engine): SipResponse | undefined {
  const { headers, method, uri } = request;
  for (const via of headers.all("Via")) {
    if (engine.transactions.isOurs(via.params.get("branch") ?? "", method)) return reply(request, 482, "Loop Detected");
  }
  const scheme = reply416(request);
  const from = headers.get("From")?.uri;
  const to = headers.get("To")?.uri;
  if (!from || !to || from.scheme === "other" || to.scheme === "other" || uri.scheme === "other") return scheme();
  if (uri.scheme === "tel" && !CALLING.has(method)) return scheme();
  if (headers.get("Max-Forwards") === 0 && method !== "OPTIONS" && method !== "REGISTER") {
    return reply(request, 483, "Too Many Hops");
  }
  const contact = headers.get("Contact");
  if (DIALOG_MAKERS.has(method) && !contact) return reply(request, 400, "Missing Contact header");
  if (contact && !contact.star && method !== "REGISTER" && !isSip(contact.uri)) return scheme();
  return undefined;
}

const reply416 = (request: SipRequest) => () => reply(request, 416, "Unsupported URI Scheme");
const isSip = (uri: Uri) => uri.scheme === "sip" || uri.scheme === "sips";

/** Extensions the sender requires and nobody here has (RFC 3261 §8.2.2.3). */
export function unsupported(request: SipRequest, capabilities: Capabilities): SipResponse | undefined {
  if (!request.headers.has("Require")) return undefined;
  const missing = request.headers.all("Require").filter((tag) => !capabilities.optionTags.includes(tag.toLowerCase()));
  return missing.length === 0 ? undefined : reply(request, 420, "Bad Extension", { "Unsupported": missing.join(", ") });
}
