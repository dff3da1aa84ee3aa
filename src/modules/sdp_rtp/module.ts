import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type FieldsOf } from "../../kernel/module.ts";
import { integer, milliseconds } from "../../kernel/schema.ts";
import { type Channel, media, stack } from "../../kernel/services.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply } from "../../sip/message/reply.ts";
import { endpointFields } from "./fields.ts";
import { RtpLines } from "./lines.ts";

export type EndpointFields = FieldsOf<{ endpoint: typeof endpointFields }, "endpoint">;

const options = v.object({
  /** Range of RTP ports, even numbers; RTCP is one above. */
  rtpStart: integer(10000, 1024, 65534),
  rtpEnd: integer(20000, 1025, 65535),
  /** Which sources are believed: those that kept sending ("yes"), any ("no"), those with a continuous sequence ("seqno"). */
  strictRtp: v.optional(v.picklist(["yes", "no", "seqno"]), "yes"),
  /** Where keys may stand in SDP: "secure", only in what goes over TLS or secure WebSocket; "any", where everybody can read them; "none". */
  sdes: v.optional(v.picklist(["secure", "any", "none"]), "secure"),
  /** Between RTCP reports. */
  rtcpInterval: milliseconds(5000),
});
export type Options = v.InferOutput<typeof options>;

const MOST_CONTROL = 4096; // octets

/** An INFO of media control asks for a whole picture (RFC 5168), whatever stands in it: nothing else was ever defined. */
function pictureControl(info: SipRequest, channel: Channel | undefined): SipResponse | undefined {
  const type = info.headers.text("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/media_control+xml") return undefined;
  if (!channel || channel.state === "ended") return reply(info, 481, "Call/Transaction Does Not Exist");
  if (info.body.length > MOST_CONTROL) return reply(info, 413, "Request Entity Too Large");
  channel.picture();
  return reply(info, 200, "OK");
}

/** Audio and video lines: codecs, ports, direction, digits, RTCP, SRTP. Video is passed on between two legs. */
export default defineModule({
  name: "sdp_rtp",
  summary: "Negotiates audio and video and opens their RTP",
  replaces: "res_pjsip_sdp_rtp",
  requires: ["core", "session"],
  options,
  fields: { endpoint: endpointFields },
  effect: {
    rtpStart: "new calls",
    rtpEnd: "new calls",
    strictRtp: "new calls",
    sdes: "new calls",
    rtcpInterval: "new calls",
  },
  check({ rtpStart, rtpEnd, rtcpInterval }) {
    const faults: { path: string[]; message: string }[] = [];
    if (rtpEnd <= rtpStart) faults.push({ path: ["rtpEnd"], message: `expected more than rtpStart (${rtpStart})` });
    if (rtcpInterval < 500 || rtcpInterval > 60_000) {
      faults.push({ path: ["rtcpInterval"], message: 'expected "500ms" to "60s"' });
    }
    return faults;
  },
  setup(ctx) {
    const lines = new RtpLines({
      options: ctx.options,
      plane: ctx.use(media),
      transports: () => ctx.use(stack).transports.transports,
      fields: (endpoint: Endpoint) => ctx.fields(endpoint),
      events: ctx.events,
      log: ctx.log,
      metrics: ctx.metrics,
      world: ctx.world,
    });
    ctx.sessions.sdpHandler(lines);
    ctx.sessions.supplement({ method: "INFO", incoming: pictureControl });
    ctx.metrics.gauge("streams", () => lines.open);
  },
});
