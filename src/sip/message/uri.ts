/** A SIP, SIPS or tel URI, or another scheme kept as text (RFC 3261 §19.1, RFC 3966). Parser and writer: owner of this room. */
export type Uri = SipUri | TelUri | OtherUri;

export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** Unescaped; "" when the URI has no user part. */
  readonly user: string;
  readonly password: string | undefined;
  /** Lower case, IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** Lower-case names, in wire order; a parameter without value has "". */
  readonly params: ReadonlyMap<string, string>;
  /** The part after "?", as sent. */
  readonly headers: string;
}

export interface TelUri {
  readonly scheme: "tel";
  readonly number: string;
  readonly params: ReadonlyMap<string, string>;
}

export interface OtherUri {
  readonly scheme: "other";
  /** The whole URI as sent. */
  readonly text: string;
}
