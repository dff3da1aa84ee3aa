import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import type { DialogHost } from "./host.ts";

/** RFC 4028, as the owner of one side wants it. Seconds. */
export interface TimerPolicy {
  /** "yes": when both can; "required": refuse who cannot; "always": run it alone when the peer cannot. */
  readonly mode: "no" | "yes" | "required" | "always";
  readonly expires: number;
  readonly min: number;
}

export interface Negotiated {
  readonly seconds: number;
  readonly refresher: "us" | "peer";
}

/** What an INVITE or UPDATE from the peer gets: a too small interval to refuse (422), or what the 2xx carries. */
export function negotiateTimer(
  request: SipRequest,
  policy: TimerPolicy,
): Negotiated | { readonly tooSmall: true } | undefined {
  if (policy.mode === "no") return undefined;
  const asked = expiresOf(request);
  const peerKnows = lists(request, "Supported", "timer") || lists(request, "Require", "timer");
  if (asked && asked.seconds < policy.min) return { tooSmall: true };
  if (!asked && !peerKnows && policy.mode !== "always") return undefined;
  if (!peerKnows) return { seconds: asked?.seconds ?? policy.expires, refresher: "us" };
  const floor = request.headers.get("Min-SE") ?? 0;
  const seconds = asked?.seconds ?? Math.max(policy.expires, floor);
  return { seconds, refresher: asked?.refresher === "uas" ? "us" : "peer" };
}

/** What the 2xx to our INVITE or UPDATE agreed on. */
export function agreedTimer(response: SipResponse, policy: TimerPolicy): Negotiated | undefined {
  if (policy.mode === "no") return undefined;
  const agreed = expiresOf(response);
  if (agreed) return { seconds: Math.max(agreed.seconds, 30), refresher: agreed.refresher === "uas" ? "peer" : "us" };
  return policy.mode === "always" ? { seconds: policy.expires, refresher: "us" } : undefined;
}

/** Puts what we offer on our INVITE or UPDATE. `seconds`: what runs already. */
export function offerTimer(request: SipRequest, policy: TimerPolicy, running: Negotiated | undefined): void {
  if (policy.mode === "no") return;
  const refresher = running ? `;refresher=${running.refresher === "us" ? "uac" : "uas"}` : "";
  request.headers.set("Session-Expires", `${Math.max(running?.seconds ?? policy.expires, policy.min)}${refresher}`);
  request.headers.set("Min-SE", String(policy.min));
  if (policy.mode === "required") request.headers.append("Require", "timer");
}

/** Puts the outcome on our 2xx. */
export function answerTimer(response: SipResponse, request: SipRequest, agreed: Negotiated): void {
  const uac = agreed.refresher === "peer";
  response.headers.set("Session-Expires", `${agreed.seconds};refresher=${uac ? "uac" : "uas"}`);
  if (uac && lists(request, "Supported", "timer")) response.headers.append("Require", "timer");
}

/** Does a list header name this token? */
export function lists(message: SipMessage, header: "Supported" | "Require" | "Allow", token: string): boolean {
  return message.headers.all(header).some((value) => value.toLowerCase() === token.toLowerCase());
}

function expiresOf(
  message: SipMessage,
): { readonly seconds: number; readonly refresher: string | undefined } | undefined {
  const value = message.headers.get("Session-Expires");
  if (!value || !/^\d{1,10}$/.test(value.token)) return undefined;
  return {
    seconds: Math.min(Number(value.token), 2 ** 31 - 1),
    refresher: value.params.get("refresher")?.toLowerCase(),
  };
}

/** The running timer: refreshes at half time, or ends the session when the peer does not (RFC 4028 §10). */
export class SessionTimer {
  running: Negotiated | undefined;
  #timer: { cancel(): void } | undefined;

  constructor(readonly host: Pick<DialogHost, "world">, readonly refresh: () => void, readonly expired: () => void) {}

  start(agreed: Negotiated | undefined): void {
    this.stop();
    this.running = agreed;
    if (!agreed) return;
    const { seconds } = agreed;
    const end = Math.max(seconds - 32, seconds - seconds / 3) * 1000; // ms
    this.#timer = agreed.refresher === "peer" ? this.host.world.after(end, this.expired) : this.host.world.after(
      seconds * 500,
      () => {
        // A refresh that nobody answers 2xx ends the session as a missing one does.
        this.#timer = this.host.world.after(end - seconds * 500, this.expired);
        this.refresh();
      },
    );
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
