import type { Via } from "./headers.ts";
import { isToken, parseParams, trimLws, writeParams } from "./params.ts";
import { parseHostPort, writeHost } from "./uri.ts";

const PLAIN = "SIP/2.0/";
const TRANSPORTS = new Map(["UDP", "TCP", "TLS", "WS", "WSS"].map((name) => [name, name]));

/** One Via value: `SIP/2.0/UDP host:port;params`, with white space where RFC 3261 §20.42 allows it. */
export function parseVia(text: string): Via | undefined {
  const semicolon = text.indexOf(";");
  const end = semicolon < 0 ? text.length : semicolon;
  const space = text.indexOf(" ", PLAIN.length);
  if (text.startsWith(PLAIN) && space > 0 && space < end) {
    const sentBy = parseHostPort(text.slice(space + 1, end));
    const transport = TRANSPORTS.get(text.slice(PLAIN.length, space));
    const params = sentBy && transport && parseParams(text, end);
    if (params) return { protocol: "SIP/2.0", transport, host: sentBy.host, port: sentBy.port, params };
  }
  return parseOddVia(text, end);
}

/** With white space where it is rare, or words we do not know. */
function parseOddVia(text: string, end: number): Via | undefined {
  const first = text.indexOf("/");
  const second = text.indexOf("/", first + 1);
  if (first < 0 || second < 0 || second > end) return undefined;
  const name = trimLws(text.slice(0, first)).toUpperCase();
  const version = trimLws(text.slice(first + 1, second));
  const rest = trimLws(text.slice(second + 1, end));
  const gap = rest.search(/[ \t]/);
  if (name !== "SIP" || !isToken(version) || gap < 0) return undefined;
  const transport = rest.slice(0, gap).toUpperCase();
  const sentBy = parseHostPort(trimLws(rest.slice(gap)));
  const params = parseParams(text, end);
  if (!isToken(transport) || !sentBy || !params) return undefined;
  return { protocol: `${name}/${version}`, transport, host: sentBy.host, port: sentBy.port, params };
}

export function writeVia(via: Via): string {
  const port = via.port === undefined ? "" : `:${via.port}`;
  return `${via.protocol}/${via.transport} ${writeHost(via.host)}${port}${writeParams(via.params)}`;
}
