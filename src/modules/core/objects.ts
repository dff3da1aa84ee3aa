// The objects core owns, field by field. Other modules add theirs with `fields`.
import * as v from "valibot";
import type { Aor } from "../../kernel/aor.ts";
import {
  bool,
  cidr,
  integer,
  milliseconds,
  reference,
  references,
  seconds,
  secret,
  words,
} from "../../kernel/schema.ts";
import { parseNameAddr } from "../../sip/message/name_addr.ts";
import { parseHostPort, parseUri } from "../../sip/message/uri.ts";
import type { Protocol } from "../../sip/transport/flow.ts";

const word = (expected: string, pattern: RegExp) => v.pipe(v.string(), v.regex(pattern, `expected ${expected}`));

/** `Name <number>` in the spellings Asterisk takes. */
const callerId = () =>
  v.pipe(
    v.string(),
    v.transform((text) => {
      const [, quoted, plain, number] = /^\s*(?:"([^"]*)"|([^<"]*?))\s*<([^<>]*)>\s*$/.exec(text) ?? [];
      if (number !== undefined) return { name: quoted ?? plain ?? "", number };
      return /^[\d+*#]+$/.test(text.trim()) ? { name: "", number: text.trim() } : { name: text.trim(), number: "" };
    }),
  );

/** `udp:0.0.0.0:5060`, `tcp:[::]`, `tls:192.0.2.1:5061`. */
const bind = () =>
  v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const [, protocol = "", rest = ""] = /^(udp|tcp|tls):(.+)$/.exec(dataset.value) ?? [];
      const bare = rest.includes(":") && !rest.includes("[") && rest.indexOf(":") !== rest.lastIndexOf(":");
      const address = parseHostPort(bare ? `[${rest}]` : rest);
      if (!isProtocol(protocol) || !address) {
        addIssue({
          message: `expected protocol, address and port such as "udp:0.0.0.0:5060" or "tcp:[::]:5060", found ` +
            JSON.stringify(dataset.value),
        });
        return NEVER;
      }
      return { protocol, host: address.host, port: address.port ?? (protocol === "tls" ? 5061 : 5060) };
    }),
  );

const isProtocol = (text: string): text is Extract<Protocol, "udp" | "tcp" | "tls"> =>
  text === "udp" || text === "tcp" || text === "tls";

/** A loose route: "sip:proxy.example.org;lr". */
const proxy = () =>
  v.pipe(
    v.string(),
    v.check((text) => {
      const uri = parseNameAddr(text.includes("<") ? text : `<${text}>`)?.uri ?? parseUri(text);
      return uri?.scheme === "sip" || uri?.scheme === "sips";
    }, 'expected a SIP URI such as "sip:proxy.example.org;lr"'),
  );

const USER = /^[\w\-.~%!$&'()*+,;=:`]*$/;

export const endpointSchema = v.object({
  /** Where the dialplan looks up what this endpoint calls. */
  context: v.optional(reference("context"), "default"),
  /** Send through this transport only. */
  transport: v.optional(reference("transport")),
  /** Where it can be reached; a password or a registrar field alone gives it one of its own name. */
  aors: references("aor"),
  /** Credentials it must show; none: it is believed by how it was identified. */
  auth: references("auth"),
  /** Credentials we show to it. */
  outboundAuth: references("auth"),
  /** How it may be recognised. */
  identifyBy: v.pipe(
    words(["username", "ip"]),
    v.everyItem(
      (name) => ["username", "ip", "auth_username", "header", "request_uri"].includes(name),
      'expected "username", "ip", "auth_username", "header" or "request_uri"',
    ),
  ),
  /** First hop of every request to it. */
  outboundProxy: v.optional(proxy()),
  /** User and host of From in requests to it. */
  fromUser: v.optional(word("characters of a SIP user", USER)),
  fromDomain: v.optional(v.string()),
  /** User of our Contact towards it. */
  contactUser: v.optional(word("characters of a SIP user", USER)),
  /** Name and number others see: `Name <100>`. */
  callerId: v.optional(callerId()),
  /** Numbers in requests to it are marked `;user=phone`. */
  userEqPhone: bool(false),
  /** OPTIONS from it needs no credentials. */
  allowUnauthenticatedOptions: bool(false),
});

export const aorSchema = v.object({
  /** Permanent contacts: SIP URIs, a list or one string with commas. */
  contact: v.pipe(
    words(),
    v.everyItem((text) => isContactUri(text), 'expected SIP URIs such as "sip:192.0.2.1:5060"'),
  ),
  /** Registered contacts allowed at a time; 0 forbids registration. */
  maxContacts: integer(0, 0, 1000),
  /** A new contact over `maxContacts` displaces an old one instead of being refused. */
  removeExisting: bool(false),
  /** Contacts that qualify found unreachable make room first. */
  removeUnavailable: bool(false),
  /** Shorter intervals are raised to this. */
  minimumExpiration: seconds(60),
  /** Longer intervals are lowered to this. */
  maximumExpiration: seconds(7200),
  /** Used when the phone asks for none. */
  defaultExpiration: seconds(3600),
  /** Answer a too short interval with 423 instead of raising it. */
  expirationTooShort: v.optional(v.picklist(["clamp", "reject"]), "clamp"),
  /** Store the Path header (RFC 3327). */
  supportPath: bool(false),
  /** A refresh without Path: forget the stored one, or keep it. */
  pathRefresh: v.optional(v.picklist(["replace", "keep"]), "replace"),
}) satisfies v.GenericSchema<unknown, Aor>;

function isContactUri(text: string): boolean {
  const uri = parseUri(text);
  return uri?.scheme === "sip" || uri?.scheme === "sips";
}

export const authSchema = v.object({
  /** User of the digest; absent: the id. */
  username: v.optional(v.string()),
  password: v.optional(secret()),
});

export const transportSchema = v.object({
  /** Protocol, address and port. */
  bind: bind(),
  /** Certificate and key of a TLS transport, PEM files. */
  certFile: v.optional(v.string()),
  privKeyFile: v.optional(v.string()),
  /** Password of the key. */
  password: v.optional(secret()),
  caListFile: v.optional(v.string()),
  /** OpenSSL list. */
  cipher: v.optional(v.string()),
  /** Lowest TLS version. */
  method: v.optional(v.picklist(["tlsv1_2", "tlsv1_3"]), "tlsv1_2"),
  /** More certificates, by the name a client asks for (SNI). */
  names: v.optional(
    v.record(v.string(), v.strictObject({ certFile: v.string(), privKeyFile: v.optional(v.string()) })),
    {},
  ),
  /** A server whose certificate does not verify is not spoken to. */
  verifyServer: bool(false),
  /** Clients are asked for a certificate; one that does not verify ends the connection. */
  verifyClient: bool(false),
  /** The same, and none is not enough. */
  requireClientCert: bool(false),
  /** TOS octet of what is sent; the two low bits are not ours. */
  tos: integer(0, 0, 255),
  /** Idle seconds before the first TCP keep-alive probe; 0: off. */
  tcpKeepaliveIdleTime: seconds(0),
  /** A reload may bind anew; otherwise a changed address waits for a restart. */
  allowReload: bool(false),
});

export const domainAliasSchema = v.object({
  /** The domain that the id of this object stands for. */
  domain: v.string(),
});

export const globalSchema = v.object({
  /** Put on requests that have none. */
  maxForwards: integer(70, 1, 255),
  /** User-Agent of requests, Server of responses; "": neither. */
  userAgent: v.optional(word("one line", /^[^\r\n\0]*$/), "patchbay"),
  /** Speaks for requests to bare URIs. */
  defaultOutboundEndpoint: v.optional(v.string(), "default_outbound_endpoint"),
  /** User of From when nothing better is known. */
  defaultFromUser: v.optional(word("characters of a SIP user, at least one", /^[\w\-.~%!$&'()*+,;=:`]+$/), "patchbay"),
  /** Realm of challenges to senders nobody knows. */
  defaultRealm: v.optional(word("one line, not empty", /^[^\r\n\0"\\]+$/), "patchbay"),
  /** Which identifier is asked first. */
  endpointIdentifierOrder: words(["ip", "username", "anonymous"]),
  /** CRLF keep-alive on connections; 0: off. */
  keepAliveInterval: seconds(90),
  /** Never look at the domain of `user@domain`. */
  disableMultiDomain: bool(false),
  /** Cut the user part of a URI at the first ";". */
  ignoreUriUserOptions: bool(false),
  /** Unknown senders: this many requests within the period are one event. */
  unidentifiedRequestPeriod: seconds(5),
  unidentifiedRequestCount: integer(5, 1, 1000),
});

export const systemSchema = v.object({
  /** Round trip estimate. */
  timerT1: v.pipe(milliseconds(500), v.minValue(100, "expected at least 100 ms")),
  /** How long a request may stay unanswered. */
  timerB: milliseconds(32_000),
  /** False: a request over 1,300 octets goes by TCP when its target can be reached so (RFC 3261 §18.1.1). */
  disableTcpSwitch: bool(true),
  /** Leave `rport` out of our Via. */
  disableRport: bool(false),
});

/** Numbers of a flood, with the answer beyond each in the code that keeps it. */
export const limitsSchema = v.optional(
  v.object({
    /** Requests without valid credentials from one source: each second, and at once. */
    strangerRate: integer(40, 1, 1_000_000),
    strangerBurst: integer(200, 1, 1_000_000),
    /** The same of all strangers together. */
    allStrangersRate: integer(4000, 1, 10_000_000),
    /** Requests a second of a source that showed who it is. */
    knownRate: integer(400, 1, 1_000_000),
    /** Wrong credentials of one source before it is not heard, and for how long. */
    failures: integer(10, 1, 10_000),
    failureWindow: seconds(60),
    blockTime: seconds(300),
    /** Sources remembered. */
    sources: integer(65_536, 16, 10_000_000),
    /** Networks the rates do not apply to. */
    exempt: v.optional(v.array(cidr()), []),
    /** Server transactions, and those of INVITE among them. */
    serverTransactions: integer(20_000, 1, 10_000_000),
    inviteServerTransactions: integer(4000, 1, 10_000_000),
    /** Connections, and those of one address that never showed who it is. */
    connections: integer(4096, 1, 1_000_000),
    connectionsPerStranger: integer(32, 1, 1_000_000),
    firstMessageTime: seconds(10),
    gapTime: seconds(10),
    idleStrangerTime: seconds(30),
    idleKnownTime: seconds(900),
    /** Octets a peer may leave unread. */
    unsentOctets: integer(1_048_576, 1024, 1_000_000_000),
    messageOctets: integer(65_535, 1024, 65_535),
  }),
  {},
);
export type Limits = v.InferOutput<typeof limitsSchema>;
