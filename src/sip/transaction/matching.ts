// Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
import type { SipRequest, SipResponse } from "../message/message.ts";
import { writeUri } from "../message/uri.ts";

const COOKIE = "z9hG4bK"; // RFC 3261 §8.1.1.7

/**
 * Key of the server transaction that a request belongs to, or would make. ACK and CANCEL have the key of the INVITE they
 * are about when `method` says so. A branch that is only the cookie says nothing, so it counts as RFC 2543.
 */
export function serverKey(request: SipRequest, method = request.method): string {
  const via = request.headers.get("Via");
  const branch = via?.params.get("branch") ?? "";
  if (via && branch.length > COOKIE.length && branch.startsWith(COOKIE)) {
    return `${branch} ${via.host} ${via.port ?? ""} ${method}`;
  }
  return oldKey(request, method);
}

/** RFC 2543 elements do not make branches unique. The To tag is left out: an ACK has one that its INVITE has not. */
function oldKey(request: SipRequest, method: string): string {
  const { headers } = request;
  const via = headers.get("Via");
  const parts = [
    writeUri(request.uri),
    headers.get("From")?.params.get("tag") ?? "",
    headers.get("Call-ID") ?? "",
    headers.get("CSeq")?.number ?? "",
    via ? `${via.host}:${via.port ?? ""};${via.params.get("branch") ?? ""}` : "",
    method,
  ];
  return `2543 ${parts.join("\n")}`;
}

/** Key of the client transaction that a response belongs to; undefined when it cannot belong to any. */
export function clientKey(response: SipResponse): string | undefined {
  const branch = response.headers.get("Via")?.params.get("branch");
  const method = response.headers.get("CSeq")?.method;
  return branch === undefined || method === undefined ? undefined : `${branch} ${method}`;
}

/** A branch nobody else has. */
export const newBranch = (random: { token(octets: number): string }): string => COOKIE + random.token(10);
