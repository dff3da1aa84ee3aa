import * as v from "valibot";
import type { Endpoint } from "../../kernel/endpoint.ts";
import { defineModule, type FieldsOf } from "../../kernel/module.ts";
import { integer, milliseconds } from "../../kernel/schema.ts";
import { media, stack } from "../../kernel/services.ts";
import { endpointFields } from "./fields.ts";
import { AudioLines } from "./lines.ts";

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

/** Audio lines: codecs, ports, direction, DTMF, RTCP. Other media are declined. */
export default defineModule({
  name: "sdp_rtp",
  summary: "Negotiates audio and opens its RTP",
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
    const lines = new AudioLines({
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
    ctx.metrics.gauge("streams", () => lines.open);
  },
});
