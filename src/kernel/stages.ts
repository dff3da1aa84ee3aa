// The map of the server: every stage and hook, in order. A new stage is a design decision; a new handler is not.
import type { SipRequest, SipResponse } from "../sip/message/message.ts";
import type { IncomingRequest } from "../sip/transaction/layer.ts";
import type { Destination, Flow } from "../sip/transport/flow.ts";
import type { Endpoint } from "./endpoint.ts";

/** What a stage handler sees of an out-of-dialog request, and what earlier stages found. */
export interface InboundContext {
  readonly incoming: IncomingRequest;
  readonly request: SipRequest;
  readonly flow: Flow;
  /** Written by *identify*; undefined before it, or when nobody knew the sender. */
  endpoint: Endpoint | undefined;
  /** Unknown or refused sender: is challenged for ever with answers shaped like a known user's. */
  artificial: boolean;
  /** Written by *authenticate*: the credentials were right. */
  authenticated: boolean;
  /** Which identifiers were tried and why none matched; goes into the `request.refused` event. */
  readonly tried: { readonly identifier: string; readonly looked: string; readonly result: string }[];
}

/** A response ends the request, undefined passes it on. May await: the kernel queues per Call-ID. */
export type InboundHandler = (context: InboundContext) => SipResponse | undefined | Promise<SipResponse | undefined>;

/** Inbound, out of dialog, in this order. */
export const inboundStages = [
  "filter", // is it a message we can treat at all: schemes, Contact, Max-Forwards, Require
  "identify", // which endpoint sent it (order of identifiers: core.endpointIdentifierOrder)
  "nat", // force rport, rewrite Contact or Record-Route
  "acl", // may this source speak for this endpoint
  "authenticate", // challenge or check
  "method", // who answers this method: registrar, session, options
] as const;
export type InboundStage = (typeof inboundStages)[number];

/** An outgoing message before it is sent. Handlers mutate `message.headers`; they may not await. */
export interface OutboundContext {
  readonly message: SipRequest | SipResponse;
  readonly endpoint: Endpoint | undefined;
  /** Where it goes; for a response the flow the request came on. */
  readonly destination: Destination | Flow;
  /** The request that is answered, when `message` is a response. */
  readonly answers: SipRequest | undefined;
}
export type OutboundHandler = (context: OutboundContext) => void;

/** Outbound, each message sees each once, in this order. */
export const outboundStages = [
  "identity", // From, P-Asserted-Identity, Privacy
  "headers", // User-Agent, Allow, Supported, Max-Forwards, Date
  "route", // Route, Path, Contact and Via of the chosen transport, external addresses
  "observe", // final look; nothing changes after it
] as const;
export type OutboundStage = (typeof outboundStages)[number];

/** Raw octets in and out, before and after everything else: logger, history, hep. May not change or await. */
export interface Observation {
  readonly direction: "in" | "out";
  readonly bytes: Uint8Array; // valid during the call
  readonly flow: Flow;
}
export type Observer = (observation: Observation) => void;
