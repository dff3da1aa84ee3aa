// What becomes of a registration when its registrar has answered: the decision table, without timers and wires.
import type { SipResponse } from "../../sip/message/message.ts";
import { equalUris, type Uri } from "../../sip/message/uri.ts";
import type { RegistrationValues } from "./fields.ts";

/** Seconds. */
const FLOOR = 5; // between two refreshes, whatever is granted
const BEFORE_END = 10;
const SHORT = 20;
const NO_MIN_EXPIRES = 3601;
const LONGEST_BACKOFF = 3600;

export type Outcome =
  | { readonly kind: "registered" }
  | { readonly kind: "longer"; readonly expiration: number } // 423: ask again at once
  | { readonly kind: "agreed" } // 494: ask again at once, knowing what the server can
  | { readonly kind: "moved"; readonly to: Uri } // 301, 302: ask there at once
  | { readonly kind: "retry"; readonly seconds: number; readonly counted: boolean }
  | { readonly kind: "rejected" };

/** An answer, or none at all ("timeout", "transport", "unresolved" count as 408 and 503). */
export interface Answer {
  readonly status: number;
  readonly response: SipResponse | undefined;
}

/** What came before in this attempt. */
export interface Attempt {
  /** Failures in a row so far. */
  readonly retries: number;
  /** Expiration of the request. */
  readonly asked: number;
  /** It was redirected already, or answered 494. */
  readonly moved: boolean;
  readonly agreed: boolean;
  /** May it be sent again at once? */
  readonly mayRepeat: boolean;
}

export function outcomeOf(
  { status, response }: Answer,
  values: RegistrationValues,
  state: Attempt,
): Outcome {
  if (status < 300) return { kind: "registered" };
  const again = state.mayRepeat ? repeatOf(status, response, state) : undefined;
  if (again) return again;
  const wait = response?.headers.get("Retry-After");
  if (wait !== undefined) return { kind: "retry", seconds: wait, counted: false };
  const interval = intervalFor(status, values);
  if (interval === 0 || state.retries >= values.maxRetries) return { kind: "rejected" };
  const grown = values.retryBackoff === "exponential" ? interval * 2 ** Math.min(state.retries, 20) : interval;
  return { kind: "retry", seconds: Math.max(interval, Math.min(grown, LONGEST_BACKOFF)), counted: true };
}

/** Answers that say how to ask again at once. */
function repeatOf(status: number, response: SipResponse | undefined, state: Attempt): Outcome | undefined {
  if (status === 423) {
    const floor = response?.headers.get("Min-Expires") ?? NO_MIN_EXPIRES;
    return floor > state.asked ? { kind: "longer", expiration: floor } : undefined;
  }
  if (status === 494) {
    return !state.agreed && response?.headers.has("Security-Server") ? { kind: "agreed" } : undefined;
  }
  const contact = status === 301 || status === 302 ? response?.headers.get("Contact") : undefined;
  return contact && !contact.star && !state.moved ? { kind: "moved", to: contact.uri } : undefined;
}

/** 0: such a failure is final. */
function intervalFor(status: number, values: RegistrationValues): number {
  const refused = (status === 401 || status === 407) && !values.authRejectionPermanent;
  const passing = refused || status === 408 || status === 500 || (status >= 502 && status <= 504) || status >= 600;
  if (passing && values.retryInterval > 0) return values.retryInterval;
  if (status === 403 && values.forbiddenRetryInterval > 0) return values.forbiddenRetryInterval;
  const authentication = (status === 401 || status === 407) && values.authRejectionPermanent;
  return passing || authentication ? 0 : values.fatalRetryInterval;
}

/** Seconds the registrar grants our Contact: its own `expires`, else Expires, else what we asked for. */
export function granted(response: SipResponse, contact: Uri, asked: number): { seconds: number; ours: boolean } {
  const own = response.headers.all("Contact").find((candidate) => !candidate.star && equalUris(candidate.uri, contact));
  const text = own && !own.star ? own.params.get("expires") : undefined;
  const said = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : response.headers.get("Expires");
  return { seconds: said ?? asked, ours: own !== undefined };
}

/** Seconds until the next REGISTER: shortly before the end, and never so often that it would be a flood. */
export function refreshAfter(seconds: number): number {
  return Math.max(FLOOR, seconds < SHORT ? Math.floor(seconds / 2) : seconds - BEFORE_END);
}
