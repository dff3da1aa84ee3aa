// Between SIP statuses and the Q.850 causes that applications speak.

const STATUS_BY_CAUSE: ReadonlyMap<number, number> = new Map([
  [1, 404],
  [2, 404],
  [3, 404],
  [17, 486],
  [18, 408],
  [19, 480],
  [20, 480],
  [21, 403],
  [22, 410],
  [23, 302],
  [27, 502],
  [28, 484],
  [29, 501],
  [31, 480],
  [34, 503],
  [38, 500],
  [42, 503],
  [58, 488],
  [66, 503],
  [127, 500],
]);

/** The final status that refuses a call with this cause; 603 for a cause that has none. */
export function statusOfCause(cause: number): number {
  return STATUS_BY_CAUSE.get(cause) ?? 603;
}

const CAUSE_BY_STATUS: ReadonlyMap<number, number> = new Map([
  [302, 23],
  ...[401, 403, 407, 603].map((status) => [status, 21] as const),
  ...[404, 485, 604].map((status) => [status, 1] as const),
  [408, 18],
  [409, 41],
  [410, 22],
  [420, 3],
  [480, 19],
  [483, 19],
  [484, 28],
  [486, 17],
  [600, 17],
  [488, 58],
  [606, 58],
  [500, 38],
  [501, 29],
  [502, 27],
  [503, 34],
  [504, 102],
]);

/** The cause of a refused call; 16 (normal clearing) for what is no refusal. */
export function causeOfStatus(status: number): number {
  const cause = CAUSE_BY_STATUS.get(status);
  if (cause !== undefined) return cause;
  if ((status >= 400 && status < 500) || (status >= 600 && status < 700)) return 127;
  return status >= 500 && status < 600 ? 34 : 16;
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [302, "Moved Temporarily"],
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [408, "Request Timeout"],
  [410, "Gone"],
  [480, "Temporarily Unavailable"],
  [484, "Address Incomplete"],
  [486, "Busy Here"],
  [487, "Request Terminated"],
  [488, "Not Acceptable Here"],
  [500, "Server Internal Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Server Time-out"],
  [600, "Busy Everywhere"],
  [603, "Decline"],
]);

/** Reason phrase of a final status we send. */
export function phraseOf(status: number): string {
  return REASONS.get(status) ?? "Call Ended";
}

/** The cause in a Reason header (RFC 3326): Q.850 as it is, SIP by its status; undefined without one. */
export function causeOfReason(
  reasons: readonly { readonly token: string; readonly params: ReadonlyMap<string, string> }[],
): number | undefined {
  for (const protocol of ["q.850", "sip"]) {
    const digits = reasons.find((r) => r.token.toLowerCase() === protocol)?.params.get("cause");
    if (digits === undefined || !/^\d{1,3}$/.test(digits)) continue;
    const number = Number(digits);
    if (protocol === "sip") return number === 200 ? 26 : causeOfStatus(number);
    if (number <= 127) return number;
  }
  return undefined;
}
