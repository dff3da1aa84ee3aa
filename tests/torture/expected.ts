/** What must happen to a torture message. */
export interface Expectation {
  /** What the parser alone makes of it: a message, a refusal with this status, or nothing to say. */
  readonly parsed: "request" | "response" | 400 | 505 | "dropped";
  /** Statuses a whole server may answer with; empty: silence. Absent: any but 400 and 5xx. */
  readonly answered?: readonly number[];
  /** RFC section, and why, where we chose among what it allows. */
  readonly why: string;
}

const normal = (why: string): Expectation => ({ parsed: "request", why });
const served = (answered: readonly number[], why: string): Expectation => ({ parsed: "request", answered, why });
const refused = (status: 400 | 505, why: string): Expectation => ({ parsed: status, answered: [status], why });
const dropped = (why: string): Expectation => ({ parsed: "dropped", answered: [], why });
const stray = (why: string): Expectation => ({ parsed: "response", answered: [], why });

/** Every message of RFC 4475 and RFC 5118 by folder and file name. */
export const torture: Readonly<Record<string, Expectation>> = {
  "rfc4475/wsinv": normal("RFC 4475 §3.1.1.1: white space and folds wherever they may be"),
  "rfc4475/intmeth": served([405, 501], "§3.1.1.2: a method, a user and a display name of odd but valid characters"),
  "rfc4475/esc01": normal("§3.1.1.3: escapes in a user part"),
  "rfc4475/escnull": normal("§3.1.1.4: escaped NUL in a user part; it stays escaped in what we write"),
  "rfc4475/esc02": served([405, 501], "§3.1.1.5: % that is no escape, in method and header name"),
  "rfc4475/lwsdisp": normal("§3.1.1.6: no white space between display name and <"),
  "rfc4475/longreq": normal("§3.1.1.7: long values"),
  "rfc4475/dblreq": normal("§3.1.1.8: what follows the body in a datagram is ignored"),
  "rfc4475/semiuri": normal("§3.1.1.9: a semicolon in a user part"),
  "rfc4475/transports": normal("§3.1.1.10: transports nobody knows in Via"),
  "rfc4475/mpart01": normal("§3.1.1.11: multipart MESSAGE"),
  "rfc4475/unreason": stray("§3.1.1.12: UTF-8 in the reason phrase"),
  "rfc4475/noreason": stray("§3.1.1.13: no reason phrase"),
  "rfc4475/badinv01": dropped("§3.1.2.1: separators without values; Via is among them, so there is no way back"),
  "rfc4475/clerr": refused(400, "§3.1.2.2: Content-Length larger than the datagram"),
  "rfc4475/ncl": refused(400, "§3.1.2.3: negative Content-Length"),
  "rfc4475/scalar02": refused(400, "§3.1.2.4: numbers out of range"),
  "rfc4475/scalarlg": dropped("§3.1.2.5: the same in a response"),
  "rfc4475/quotbal": refused(400, "§3.1.2.6: a quote that does not close"),
  "rfc4475/ltgtruri": refused(400, "§3.1.2.7: <> around the Request-URI; may be forgiven, we refuse"),
  "rfc4475/lwsruri": refused(400, "§3.1.2.8: white space in the Request-URI; may be forgiven, we refuse"),
  "rfc4475/lwsstart": refused(400, "§3.1.2.9: several spaces in the start line; may be forgiven, we refuse"),
  "rfc4475/trws": refused(400, "§3.1.2.10: white space at the end of the start line; may be forgiven, we refuse"),
  "rfc4475/escruri": refused(400, "§3.1.2.11: headers in the Request-URI; may be forgiven, we refuse"),
  "rfc4475/baddate": normal("§3.1.2.12: Date not in GMT; forgiven, as Date is not used"),
  "rfc4475/regbadct": refused(400, "§3.1.2.13: ? in a Contact without brackets; may be forgiven, we refuse"),
  "rfc4475/badaspec": normal("§3.1.2.14: white space inside the brackets; forgiven"),
  "rfc4475/baddn": refused(400, "§3.1.2.15: a comma in a display name without quotes; may be forgiven, we refuse"),
  "rfc4475/badvers": refused(505, "§3.1.2.16: SIP/7.0"),
  "rfc4475/mismatch01": refused(400, "§3.1.2.17: CSeq names another method"),
  "rfc4475/mismatch02": refused(400, "§3.1.2.18: the same with an unknown method"),
  "rfc4475/bigcode": dropped("§3.1.2.19: status of ten digits"),
  "rfc4475/badbranch": normal("§3.2.1: only the cookie in the branch, matched the RFC 2543 way"),
  "rfc4475/insuf": refused(400, "§3.3.1: no Call-ID, From, To"),
  "rfc4475/unkscm": served([416], "§3.3.2: unknown scheme in the Request-URI"),
  "rfc4475/novelsc": served([416], "§3.3.3: a scheme that is no SIP scheme"),
  "rfc4475/unksm2": served([400, 416], "§3.3.4: unknown schemes in From, To and Contact"),
  "rfc4475/bext01": served([420], "§3.3.5: Require and Proxy-Require of unknown extensions"),
  "rfc4475/invut": served([415], "§3.3.6: body type nobody knows"),
  "rfc4475/regaut01": normal("§3.3.7: credentials of an unknown scheme"),
  "rfc4475/multi01": refused(400, "§3.3.8: two of what may be there once"),
  "rfc4475/mcl01": refused(400, "§3.3.9: two Content-Length that differ"),
  "rfc4475/bcast": stray("§3.3.10: a response with a broadcast address in its second Via"),
  "rfc4475/zeromf": served([200, 483], "§3.3.11: Max-Forwards 0"),
  "rfc4475/cparam01": normal("§3.3.12: unknown parameter of a Contact without brackets"),
  "rfc4475/cparam02": normal("§3.3.13: unknown parameter inside the URI of a Contact"),
  "rfc4475/regescrt": normal("§3.3.14: Route among the headers of a Contact URI"),
  "rfc4475/sdp01": served([406, 488], "§3.3.15: Accept without SDP"),
  "rfc4475/inv2543": served(
    [400],
    "§3.4.1: an RFC 2543 INVITE is read; without Contact there is no call to make of it",
  ),
  "rfc5118/ipv6-good": normal("RFC 5118 §4.1"),
  "rfc5118/ipv6-bad": refused(400, "§4.2: IPv6 without brackets in the Request-URI"),
  "rfc5118/port-ambiguous": normal("§4.3: what looks like a port is part of the address"),
  "rfc5118/port-unambiguous": normal("§4.4"),
  "rfc5118/via-received-param-with-delim": normal("§4.5: received in brackets"),
  "rfc5118/via-received-param-no-delim": normal("§4.5: received without brackets"),
  "rfc5118/ipv6-in-sdp": normal("§4.6"),
  "rfc5118/mult-ip-in-header": normal("§4.7"),
  "rfc5118/mult-ip-in-sdp": normal("§4.8"),
  "rfc5118/ipv4-mapped-ipv6": normal("§4.9"),
  "rfc5118/ipv6-bug-abnf-3-colons": normal("§4.10: three colons, from an error in the grammar; forgiven"),
  "rfc5118/ipv6-correct-abnf-2-colons": normal("§4.10"),
};
