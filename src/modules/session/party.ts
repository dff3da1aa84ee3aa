// Who calls whom, as URIs and header values show it.
import type { Endpoint } from "../../kernel/endpoint.ts";
import type { Party } from "../../kernel/services.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import { parseUri, type Uri } from "../../sip/message/uri.ts";

/** Who calls, as the callee is told: what is configured, else what the phone says. */
export function callerOf(request: SipRequest, endpoint: Endpoint): Party {
  if (endpoint.callerId) return { ...endpoint.callerId, allowed: true };
  const from = request.headers.get("From");
  return { name: from?.display ?? "", number: from ? userOf(from.uri) : "", allowed: true };
}

/** What the From of a call says: the endpoint's name for us, the caller, or nobody when the caller is not to be shown. */
export function shownCaller(
  caller: Party,
  endpoint: Endpoint,
  fallback: string,
): { display: string; user: string; host: string } {
  if (endpoint.fromUser) return { display: "", user: endpoint.fromUser, host: "" };
  if (!caller.allowed) return { display: "Anonymous", user: "anonymous", host: "anonymous.invalid" };
  return { display: caller.name, user: caller.number || fallback, host: "" };
}

export function contactUser(endpoint: Endpoint): string | undefined {
  const user = endpoint.values["contactUser"];
  return typeof user === "string" && user !== "" ? user : undefined;
}

export function userOf(uri: Uri): string {
  return uri.scheme === "other" ? "" : uri.scheme === "tel" ? uri.number : uri.user;
}

/** Is the user a telephone number that this endpoint wants marked? */
export function isPhone(user: string, endpoint: Endpoint): boolean {
  return endpoint.values["userEqPhone"] === true && /^[\d+*#A-D-]+$/i.test(user);
}

/** With `;user=phone` (RFC 3261 §19.1.1) where the endpoint wants it. */
export function asPhone(uri: Uri, endpoint: Endpoint): Uri {
  if ((uri.scheme !== "sip" && uri.scheme !== "sips") || !isPhone(uri.user, endpoint)) return uri;
  return { ...uri, params: new Map([...uri.params, ["user", "phone"]]) };
}

/** Without what only a Request-URI may have (RFC 3261 §19.1.1). */
export function bare(uri: Uri): Uri {
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return uri;
  return { ...uri, params: new Map(), headers: "", password: undefined };
}

/** Host of a Contact value in angle brackets. */
export function hostOf(contact: string): string {
  const uri = parseUri(contact.slice(1, -1));
  return uri && (uri.scheme === "sip" || uri.scheme === "sips") ? uri.host : "0.0.0.0";
}
