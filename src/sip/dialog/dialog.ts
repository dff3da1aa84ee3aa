import { headerList } from "../message/header_list.ts";
import type { NameAddr } from "../message/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { writeNameAddr } from "../message/name_addr.ts";
import type { Uri } from "../message/uri.ts";

const EMPTY = new Uint8Array(0);

/** What two peers agree on for the length of a call (RFC 3261 §12). Builds requests; keeps no timer and sends nothing. */
export class Dialog {
  state: "early" | "confirmed" | "terminated" = "early";
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string; // "" for an RFC 2543 peer
  /** From of our requests and To of theirs, with tag, as first written. */
  readonly local: string;
  readonly remote: string;
  /** The peer's Contact: Request-URI of our requests. */
  remoteTarget: Uri;
  routeSet: readonly NameAddr[];
  localCSeq: number;
  remoteCSeq: number | undefined;
  /** The header value we put in Contact. */
  readonly contact: string;

  private constructor(role: "uac" | "uas", request: SipRequest, response: SipResponse | undefined, own: {
    readonly tag: string;
    readonly contact: string;
    readonly target: Uri;
  }) {
    const from = request.headers.get("From");
    const cseq = request.headers.get("CSeq")?.number ?? 0;
    const fromText = request.headers.text("From") ?? "";
    this.callId = request.headers.get("Call-ID") ?? "";
    this.contact = own.contact;
    this.remoteTarget = own.target;
    this.localTag = own.tag;
    if (role === "uac") {
      this.local = fromText;
      this.remote = response?.headers.text("To") ?? "";
      this.remoteTag = response?.headers.get("To")?.params.get("tag") ?? "";
      this.routeSet = [...(response?.headers.all("Record-Route") ?? [])].reverse();
      this.localCSeq = cseq;
    } else {
      this.local = withTag(request.headers.text("To") ?? "", own.tag);
      this.remote = fromText;
      this.remoteTag = from?.params.get("tag") ?? "";
      this.routeSet = [...request.headers.all("Record-Route")];
      this.localCSeq = 0;
      this.remoteCSeq = cseq;
    }
  }

  /** From a 101–2xx to our INVITE as it was sent (§12.1.2). Without a usable Contact the Request-URI stays the target. */
  static uac(request: SipRequest, response: SipResponse, contact: string): Dialog {
    const tag = request.headers.get("From")?.params.get("tag") ?? "";
    return new Dialog("uac", request, response, { tag, contact, target: contactUri(response) ?? request.uri });
  }

  /** From an INVITE we are about to answer with `tag` (§12.1.1). Undefined without a usable Contact. */
  static uas(request: SipRequest, tag: string, contact: string): Dialog | undefined {
    const target = contactUri(request);
    return target && new Dialog("uas", request, undefined, { tag, contact, target });
  }

  /** The 2xx counts: its route set and target replace those of the 1xx (§13.2.2.4). */
  confirm(response?: SipResponse): void {
    this.state = "confirmed";
    if (!response) return;
    this.routeSet = [...response.headers.all("Record-Route")].reverse();
    this.refreshTarget(response);
  }

  /** INVITE and UPDATE, and their 2xx, move the remote target (§12.2). */
  refreshTarget(message: SipMessage): void {
    this.remoteTarget = contactUri(message) ?? this.remoteTarget;
  }

  /** Is the CSeq of this request higher than all before? Then it is the new mark (§12.2.2). */
  advance(request: SipRequest): boolean {
    const number = request.headers.get("CSeq")?.number;
    if (number === undefined || (this.remoteCSeq !== undefined && number <= this.remoteCSeq)) return false;
    this.remoteCSeq = number;
    return true;
  }

  /** Where requests go: the first Route, else the remote target. */
  get nextHop(): Uri {
    return this.routeSet[0]?.uri ?? this.remoteTarget;
  }

  /** A request of this dialog without Via (§12.2.1.1). ACK and CANCEL pass the number of their INVITE. */
  request(method: string, body?: { readonly type: string; readonly bytes: Uint8Array }, cseq?: number): SipRequest {
    const number = cseq ?? ++this.localCSeq;
    const first = this.routeSet[0];
    const strict = first !== undefined && (first.uri.scheme === "other" || !first.uri.params.has("lr"));
    const routes = strict
      ? [...this.routeSet.slice(1), { display: "", uri: this.remoteTarget, params: new Map<string, string>() }]
      : this.routeSet;
    const headers = headerList();
    for (const route of routes) headers.append("Route", writeNameAddr(route));
    headers.append("From", this.local);
    headers.append("To", this.remote);
    headers.append("Call-ID", this.callId);
    headers.append("CSeq", `${number} ${method}`);
    if (method !== "ACK" && method !== "CANCEL" && method !== "BYE") headers.append("Contact", this.contact);
    if (body) headers.append("Content-Type", body.type);
    return {
      kind: "request",
      method,
      uri: strict ? first.uri : this.remoteTarget,
      headers,
      body: body?.bytes ?? EMPTY,
    };
  }
}

/** Header value of a To or From with our tag; one that has a tag is left alone. */
export function withTag(value: string, tag: string): string {
  if (/;\s*tag\s*=/i.test(value.slice(value.lastIndexOf(">") + 1))) return value;
  // Without angle brackets a parameter after the URI is a header parameter all the same (RFC 3261 §20.10).
  return `${value};tag=${tag}`;
}

function contactUri(message: SipMessage): Uri | undefined {
  const contact = message.headers.get("Contact");
  return contact && !contact.star && contact.uri.scheme !== "other" ? contact.uri : undefined;
}
