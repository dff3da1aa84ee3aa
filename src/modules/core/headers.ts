import type { OutboundContext } from "../../kernel/stages.ts";
import type { Uri } from "../../sip/message/uri.ts";
import { writeUri } from "../../sip/message/uri.ts";
import type { CapabilityTable } from "./capabilities.ts";

/** What every message of ours says about us, where nobody said it before. */
export interface Defaults {
  readonly maxForwards: number;
  readonly userAgent: string;
}

export function addDefaults({ message }: OutboundContext, defaults: Defaults, capabilities: CapabilityTable): void {
  const { headers } = message;
  const put = (name: string, value: string) => {
    if (value !== "" && !headers.has(name)) headers.append(name, value);
  };
  if (message.kind === "request") put("Max-Forwards", String(defaults.maxForwards));
  put(message.kind === "request" ? "User-Agent" : "Server", defaults.userAgent);
  const method = message.kind === "request" ? message.method : headers.get("CSeq")?.method;
  const answered = message.kind === "request" || (message.status >= 200 && message.status < 300);
  if (!answered || (method !== "INVITE" && method !== "UPDATE" && method !== "OPTIONS")) return;
  put("Allow", capabilities.allow);
  put("Supported", capabilities.supported);
}

/** An outgoing request outside of dialogs takes the way over the endpoint's proxy. */
export function addProxy({ message }: OutboundContext, proxy: Uri | undefined): void {
  if (!proxy || message.kind !== "request" || message.headers.has("Route")) return;
  if (message.headers.get("To")?.params.has("tag")) return;
  message.headers.append("Route", `<${writeUri(proxy)}>`);
}
