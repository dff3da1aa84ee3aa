import type { NameAddr, TypedHeaders } from "./headers.ts";
import type { MessageLimits } from "./limits.ts";
import type { SipHeaders } from "./headers.ts";
import type { StartLine } from "./parser.ts";

/** Why a message is refused; without a status nothing is said. */
export interface MessageFault {
  readonly why: string;
  readonly status: number | undefined;
  readonly reason: string;
}

/** These may be absent, but when they are there they must be readable. */
const READABLE = ["Contact", "Max-Forwards", "Expires", "Content-Length", "Content-Type", "RSeq", "RAck"] as const;

/** What is wrong with the head of a message (RFC 3261 §8.1.1, §16.3, and our limits); undefined: nothing. */
export function faultOf(start: StartLine, headers: SipHeaders, limits: MessageLimits): MessageFault | undefined {
  if (!headers.get("Via")) return { why: "Via is missing or unreadable", status: undefined, reason: "" };
  if (start.kind === "request") {
    if (start.version.toUpperCase() !== "SIP/2.0") {
      return /^SIP\/[0-9]+\.[0-9]+$/i.test(start.version)
        ? { why: "SIP version", status: 505, reason: "Version Not Supported" }
        : bad("start line is unreadable");
    }
    if (start.method.length > limits.methodOctets) return bad("method too long");
    if (start.uri.length > limits.uriOctets) {
      return { why: "Request-URI too long", status: 414, reason: "Request-URI Too Long" };
    }
  }
  const fault = mandatoryFault(start, headers, limits);
  if (fault || start.kind === "request") return fault ?? listFault(headers, limits) ?? readableFault(headers);
  // A response nobody can take would only be sent again: what is odd in it is left to those who use it.
  return headers.unreadable("Content-Length") ? bad("Content-Length is unreadable") : undefined;
}

function bad(why: string): MessageFault {
  return { why, status: 400, reason: "Bad Request" };
}

function mandatoryFault(start: StartLine, headers: SipHeaders, limits: MessageLimits): MessageFault | undefined {
  const from = headers.get("From");
  const to = headers.get("To");
  const cseq = headers.get("CSeq");
  const callId = headers.get("Call-ID");
  if (!from || !to || !cseq || callId === undefined) {
    return bad(`${!from ? "From" : !to ? "To" : !cseq ? "CSeq" : "Call-ID"} is missing or unreadable`);
  }
  if (callId.length > limits.callIdOctets || /[ \t]/.test(callId)) return bad("Call-ID is unreadable or too long");
  if (start.kind === "request" && cseq.method !== start.method) return bad("method of CSeq differs");
  return addressFault("From", from, limits) ?? addressFault("To", to, limits);
}

function addressFault(name: string, value: NameAddr, limits: MessageLimits): MessageFault | undefined {
  if ((value.params.get("tag")?.length ?? 0) > limits.tagOctets) return bad(`tag of ${name} too long`);
  const user = value.uri.scheme === "sip" || value.uri.scheme === "sips" ? value.uri.user.length : 0;
  return user > limits.userOctets ? bad(`user of ${name} too long`) : undefined;
}

function listFault(headers: SipHeaders, limits: MessageLimits): MessageFault | undefined {
  const vias = headers.all("Via");
  if (headers.unreadable("Via")) return bad("Via is unreadable");
  if (vias.length > limits.vias) return bad("too many Via");
  if (vias.some((via) => (via.params.get("branch")?.length ?? 0) > limits.branchOctets)) return bad("branch too long");
  for (const name of ["Route", "Record-Route"] as const) {
    if (headers.unreadable(name)) return bad(`${name} is unreadable`);
    if (headers.all(name).length > limits.routes) return bad(`too many ${name}`);
  }
  const contacts = headers.all("Contact");
  if (contacts.length > limits.contacts) return bad("too many Contact");
  if (contacts.length > 1 && contacts.some((contact) => contact.star)) return bad("Contact * is not alone");
  for (const contact of contacts) {
    const fault = contact.star ? undefined : addressFault("Contact", contact, limits);
    if (fault) return fault;
  }
  return undefined;
}

function readableFault(headers: SipHeaders): MessageFault | undefined {
  const unreadable = READABLE.find((name: keyof TypedHeaders) => headers.unreadable(name));
  return unreadable && bad(`${unreadable} is unreadable`);
}
