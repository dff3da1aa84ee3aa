/** What a message may hold; over it the parser answers a `Malformed`. */
export interface MessageLimits {
  readonly messageOctets: number;
  readonly headerOctets: number; // the whole header section
  readonly valueOctets: number; // one header value
  readonly uriOctets: number; // Request-URI
  readonly lines: number;
  readonly vias: number;
  readonly routes: number; // Route and Record-Route each
  readonly contacts: number; // URIs in one Contact list
  readonly methodOctets: number;
  readonly callIdOctets: number;
  readonly tagOctets: number;
  readonly branchOctets: number;
  readonly userOctets: number;
}

/** The defaults of the setting `limits`. */
export const messageLimits: MessageLimits = {
  messageOctets: 65_535,
  headerOctets: 32 * 1024,
  valueOctets: 8 * 1024,
  uriOctets: 2 * 1024,
  lines: 256,
  vias: 70,
  routes: 32,
  contacts: 20,
  methodOctets: 64,
  callIdOctets: 512,
  tagOctets: 256,
  branchOctets: 512,
  userOctets: 256,
};
