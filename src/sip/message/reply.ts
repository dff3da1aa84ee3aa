import { headerList } from "./header_list.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { encodeText } from "./octets.ts";

const EMPTY = new Uint8Array(0);

/** Methods whose 101..299 answer makes a dialog and so repeats Record-Route (RFC 3261 §12.1.1, RFC 6665, RFC 3515). */
const DIALOG_MAKERS = new Set(["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"]);

/**
 * A response to a request: Via, From, To, Call-ID and CSeq are the request's (RFC 3261 §8.2.6.2). `toTag` goes into a To
 * that has none; whoever makes the response brings it, as this library has no randomness.
 */
export function reply(
  request: SipRequest,
  status: number,
  reason: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  body: Uint8Array | string = EMPTY,
  toTag?: string,
): SipResponse {
  const asked = request.headers;
  const list = headerList();
  list.copy(asked, "Via");
  if (status > 100 && status < 300 && DIALOG_MAKERS.has(request.method)) list.copy(asked, "Record-Route");
  list.copy(asked, "From");
  list.copy(asked, "To");
  list.copy(asked, "Call-ID");
  list.copy(asked, "CSeq");
  const timestamp = status === 100 ? asked.text("Timestamp") : undefined;
  if (timestamp !== undefined) list.append("Timestamp", timestamp);
  for (const name in headers) {
    const value = headers[name] ?? [];
    if (typeof value === "string") list.append(name, value);
    else for (const one of value) list.append(name, one);
  }
  const response: SipResponse = {
    kind: "response",
    status,
    reason,
    headers: list,
    body: typeof body === "string" ? encodeText(body) : body,
  };
  if (toTag !== undefined) addToTag(response, toTag);
  return response;
}

/** Gives the To of a response a tag unless it has one. */
export function addToTag(response: SipResponse, tag: string): void {
  const to = response.headers.get("To");
  if (!to || to.params.has("tag")) return;
  response.headers.set("To", `${response.headers.text("To") ?? ""};tag=${tag}`);
}

/** A To tag that every copy of the same request gets again: for answers without a transaction (RFC 3261 §8.2.7). */
export function statelessTag(request: SipRequest): string {
  const { headers } = request;
  const text = `${headers.text("Via")}|${headers.text("Call-ID")}|${headers.text("From")}|${headers.text("CSeq")}`;
  let low = 0x811c9dc5; // two FNV-1a sums side by side
  let high = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    low = Math.imul(low ^ text.charCodeAt(at), 0x01000193);
    high = Math.imul(high ^ text.charCodeAt(text.length - 1 - at), 0x01000193);
  }
  return (low >>> 0).toString(16).padStart(8, "0") + (high >>> 0).toString(16).padStart(8, "0");
}
