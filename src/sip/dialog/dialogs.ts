import type { SipRequest } from "../message/message.ts";
import type { IncomingRequest } from "../transaction/layer.ts";
import type { InviteSession } from "./session.ts";

/** All sessions by Call-ID and our tag: finds the one a request belongs to (RFC 3261 §12.2.2). */
export class Dialogs {
  readonly #sessions = new Map<string, InviteSession>();
  readonly #initial = new Set<string>();

  /** Sessions not yet released, ended ones with business on the wire included. */
  get size(): number {
    return this.#sessions.size;
  }

  add(session: InviteSession): void {
    this.#sessions.set(key(session.callId, session.localTag), session);
    if (session.merge) this.#initial.add(session.merge);
  }

  remove(session: InviteSession): void {
    this.#sessions.delete(key(session.callId, session.localTag));
    if (session.merge) this.#initial.delete(session.merge);
  }

  /** The session whose tag of ours is in the To (of a request) and whose peer's tag is in the From. */
  find(request: SipRequest): InviteSession | undefined {
    const callId = request.headers.get("Call-ID");
    const tag = request.headers.get("To")?.params.get("tag");
    return callId === undefined || !tag ? undefined : this.#sessions.get(key(callId, tag));
  }

  /** The same INVITE came a second way (RFC 3261 §8.2.2.2): to be answered 482. */
  merged(request: SipRequest): boolean {
    return this.#initial.has(mergeKey(request));
  }

  /** An in-dialog request. False: it belongs to no session here. */
  request(incoming: IncomingRequest): boolean {
    const session = this.find(incoming.request);
    if (!session || !session.knows(incoming.request)) return false;
    session.receive(incoming.accept());
    return true;
  }

  /** The ACK to a 2xx of ours. */
  ack(request: SipRequest): boolean {
    const session = this.find(request);
    if (!session || !session.knows(request)) return false;
    session.acknowledged(request);
    return true;
  }
}

const key = (callId: string, localTag: string) => `${localTag} ${callId}`;

/** What a merged request shares with its twin: From tag, Call-ID and CSeq. */
export function mergeKey(request: SipRequest): string {
  const { headers } = request;
  return `${headers.get("From")?.params.get("tag") ?? ""} ${headers.text("CSeq")} ${headers.get("Call-ID")}`;
}
