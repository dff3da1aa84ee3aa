import type { MediaDescription, SessionDescription } from "./description.ts";

const SESSION = new Set(["version", "origin", "name", "timing", "connection", "media"]);
const MEDIA = new Set([
  ...["type", "port", "protocol", "payloads", "connection", "rtp", "fmtp"],
  ...["ptime", "maxptime", "direction", "mid", "rtcpMux"],
]);

/** The text of a description that holds no more than we usually say; undefined for any other. Lines in the library's order. */
export function writePlain(description: SessionDescription): string | undefined {
  if (!only(description, SESSION) || !description.media.every((media) => only(media, MEDIA))) return undefined;
  const { version, origin, name, timing, connection } = description;
  if (version === undefined || !origin || !timing) return undefined;
  let text = `v=${version}\r\no=${origin.username} ${origin.sessionId} ${origin.sessionVersion} ${origin.netType} ` +
    `IP${origin.ipVer} ${origin.address}\r\ns=${name}\r\n${
      connectionLine(connection)
    }t=${timing.start} ${timing.stop}\r\n`;
  for (const media of description.media) text += mediaLines(media);
  return text;
}

function only(part: object, known: ReadonlySet<string>): boolean {
  for (const field in part) if (!known.has(field)) return false;
  return true;
}

function connectionLine(connection: SessionDescription["connection"]): string {
  return connection ? `c=IN IP${connection.version} ${connection.ip}\r\n` : "";
}

function mediaLines(media: MediaDescription): string {
  let text = `m=${media.type} ${media.port} ${media.protocol} ${media.payloads}\r\n${connectionLine(media.connection)}`;
  for (const { payload, codec, rate, encoding } of media.rtp) {
    text += `a=rtpmap:${payload} ${codec}${rate === undefined ? "" : `/${rate}`}${encoding ? `/${encoding}` : ""}\r\n`;
  }
  for (const { payload, config } of media.fmtp) text += `a=fmtp:${payload} ${config}\r\n`;
  if (media.mid !== undefined) text += `a=mid:${media.mid}\r\n`;
  if (media.ptime !== undefined) text += `a=ptime:${media.ptime}\r\n`;
  if (media.maxptime !== undefined) text += `a=maxptime:${media.maxptime}\r\n`;
  if (media.direction) text += `a=${media.direction}\r\n`;
  if (media.rtcpMux) text += `a=${media.rtcpMux}\r\n`;
  return text;
}
