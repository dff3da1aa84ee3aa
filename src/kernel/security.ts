// What a module says when somebody tried what they may not: one event, the words fail2ban filters for Asterisk know.
import type { SipRequest } from "../sip/message/message.ts";
import type { Flow } from "../sip/transport/flow.ts";
import type { EventBus } from "./events.ts";

export type SecurityEventName =
  | "InvalidAccountID"
  | "InvalidPassword"
  | "ChallengeResponseFailed"
  | "FailedACL"
  | "RequestBadFormat"
  | "RateLimited"
  | "SourceBlocked"
  | "RequestNotAllowed"
  | "LimitReached"
  | "ManagementAuthFailed"
  | "ManagementWrite"
  | "ModuleFault"
  | "StoreFault";

/** "IPV4/UDP/192.0.2.1/5060" */
export function securityAddress(protocol: string, address: { readonly host: string; readonly port: number }): string {
  const family = address.host.includes(":") ? "IPV6" : "IPV4";
  return `${family}/${protocol.toUpperCase()}/${address.host}/${address.port}`;
}

/**
 * Emits the event "security" about a request. `accountId`: who they said they are. Never put a password, digest response,
 * token or key into `more`.
 */
export function securityEvent(
  events: Pick<EventBus, "emit">,
  event: SecurityEventName,
  request: SipRequest,
  flow: Flow,
  accountId: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const fields = {
    AccountID: accountId,
    SessionID: request.headers.get("Call-ID") ?? "",
    LocalAddress: securityAddress(flow.protocol, flow.local),
    RemoteAddress: securityAddress(flow.protocol, flow.remote),
    ...more,
  };
  events.emit("security", { event, severity: "Error", fields });
}
