import type { SipRequest, SipResponse } from "../message/message.ts";
import type { Destination, Flow } from "../transport/flow.ts";

/**
 * A request that matched no transaction. Whoever takes it either answers without state (`reply`: challenges, refusals
 * of strangers; a retransmission is then seen again) or makes it a transaction (`accept`).
 */
export interface IncomingRequest {
  readonly request: SipRequest;
  readonly flow: Flow;
  reply(response: SipResponse): void;
  accept(): ServerTransaction;
  /** Says nothing, keeps nothing; a retransmission is then seen again. */
  drop(): void;
  /** "pending" until one of the three above was called; meanwhile retransmissions are absorbed. */
  readonly state: "pending" | "replied" | "accepted" | "dropped";
}

/** INVITE and non-INVITE server transactions (RFC 3261 §17.2, RFC 6026). */
export interface ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly state: "trying" | "proceeding" | "completed" | "accepted" | "confirmed" | "terminated";
  /** Sends, retransmits as the state asks. A 2xx to INVITE: each call sends once, the dialog repeats it. */
  respond(response: SipResponse): void;
  /** The matching CANCEL came; it was answered 200 by the layer. */
  onCancel(run: (cancel: SipRequest) => void): void;
}

/** What a client transaction reports; each call is synchronous. Exactly one final (or failed) per transaction, except that INVITE 2xx may repeat. */
export interface ClientHandlers {
  /** 1xx, and every 2xx to an INVITE (also retransmitted and forked ones). */
  response(response: SipResponse, flow: Flow): void;
  /** No answer by timer B/F ("timeout"), the flow broke ("transport"), nothing resolved ("unresolved"). */
  failed(why: "timeout" | "transport" | "unresolved", detail: string): void;
}

export interface ClientTransaction {
  readonly request: SipRequest; // as sent: with our Via
  readonly flow: Flow | undefined; // undefined while connecting
  readonly state: "calling" | "trying" | "proceeding" | "completed" | "accepted" | "terminated";
  /** INVITE only: sends CANCEL as soon as a 1xx was seen (RFC 3261 §9.1). */
  cancel(reason?: string): void;
}

export interface TransactionLayer {
  /** `message` has no Via yet; the layer adds it. One destination, no failover (the caller owns the list). */
  request(request: SipRequest, destination: Destination, handlers: ClientHandlers): ClientTransaction;
  /** A request outside any transaction: ACK to a 2xx. */
  sendAck(ack: SipRequest, destination: Destination): void;
  /** Live transactions, by kind; `inviteServer`: those without a final answer. */
  readonly counts: { readonly server: number; readonly inviteServer: number; readonly client: number };
  /** Ends all without a word on the wire. */
  stop(): void;
}

/** Who sits above the transactions. Synchronous; must not throw. */
export interface TransactionUser {
  request(incoming: IncomingRequest): void;
  /** An ACK that matched no INVITE server transaction: the ACK to a 2xx. */
  ack(request: SipRequest, flow: Flow): void;
  /** A response that matched nothing: a 2xx of a gone INVITE client transaction is for the dialogs, others are dropped. */
  stray(response: SipResponse, flow: Flow): void;
}
