import * as v from "valibot";
import { bool, integer, reference, references, seconds, words } from "../../kernel/schema.ts";
import { parseNameAddr } from "../../sip/message/name_addr.ts";
import { parseUri } from "../../sip/message/uri.ts";

const LONGEST_URI = 255;

const sipUri = v.pipe(
  v.string(),
  v.check((text) => {
    const uri = parseUri(text);
    return text.length <= LONGEST_URI && (uri?.scheme === "sip" || uri?.scheme === "sips");
  }, 'expected a SIP URI of at most 255 characters such as "sip:itsp.example"'),
);

const routeUri = v.pipe(
  v.string(),
  v.check((text) => {
    const uri = (parseNameAddr(text.includes("<") ? text : `<${text}>`))?.uri;
    return uri?.scheme === "sip" || uri?.scheme === "sips";
  }, 'expected the SIP URI of a proxy such as "sip:proxy.example;lr"'),
);

export const registrationSchema = v.object({
  /** The registrar: Request-URI and destination. */
  serverUri: sipUri,
  /** The address of record: To and From. */
  clientUri: sipUri,
  /** User part of our Contact. */
  contactUser: v.optional(v.string(), "s"),
  /** Behind the Contact, as it stands: `name=value;name`. */
  contactHeaderParams: v.optional(
    v.pipe(v.string(), v.regex(/^[^\0\r\n,<>]*$/, "expected parameters without commas, brackets and line ends")),
    "",
  ),
  /** Sends by this transport; absent: any that fits. */
  transport: v.optional(reference("transport")),
  /** Everything takes the way over this proxy. */
  outboundProxy: v.optional(routeUri),
  /** Seconds we ask for. */
  expiration: seconds(3600),
  /** Wait after a temporary failure; 0: failures are final. */
  retryInterval: seconds(60),
  /** Wait after 403; 0: it is final. */
  forbiddenRetryInterval: seconds(0),
  /** Wait after any other final failure; 0: it is final. */
  fatalRetryInterval: seconds(0),
  /** Whether waits grow: each twice the last, at most an hour. */
  retryBackoff: v.optional(v.picklist(["fixed", "exponential"]), "fixed"),
  /** Failures in a row before giving up. */
  maxRetries: integer(10, 0, 1_000_000),
  /** The first attempt comes within this many seconds. */
  maxRandomInitialDelay: seconds(10),
  /** 401 or 407 after credentials is final. */
  authRejectionPermanent: bool(true),
  /** Credentials we answer challenges with. */
  outboundAuth: references("auth"),
  /** Names `path` in Supported. */
  supportPath: bool(false),
  /** Names `outbound` in Supported. */
  supportOutbound: bool(false),
  /** Puts a parameter of our own into the Contact and knows calls by it. */
  line: bool(false),
  /** Whose the calls with that parameter are. */
  endpoint: v.optional(reference("endpoint")),
  /** The security agreement of the module `rfc3329`, as for an endpoint. */
  securityNegotiation: v.optional(v.picklist(["no", "mediasec"]), "no"),
  securityMechanisms: words(),
  /** Replaces the global User-Agent. */
  userAgent: v.optional(v.string(), ""),
});
export type RegistrationValues = v.InferOutput<typeof registrationSchema>;
