/** The clocks of RFC 3261 §17 and RFC 6026, all from three numbers (RFC 3261 appendix A). */
export interface TimerValues {
  readonly T1: number; // ms, round trip estimate
  readonly T2: number; // ms, longest gap between retransmissions of a non-INVITE request and of responses
  readonly T4: number; // ms, longest life of a message in the network
  /** Timers B and F: how long a request may stay unanswered. */
  readonly timeoutMs: number;
}

/** The defaults of the RFC. */
export const timerValues: TimerValues = { T1: 500, T2: 4000, T4: 5000, timeoutMs: 32_000 };

/** Timer D over UDP is at least this, whatever T1 is. */
export const TIMER_D_MS = 32_000;

/** An INVITE that is not answered within this gets a 100 from us (RFC 3261 §17.2.1). */
export const TRYING_AFTER_MS = 200;
