import * as v from "valibot";
import { defineModule } from "../kernel/module.ts";
import { stack } from "../kernel/services.ts";
import type { OutboundContext } from "../kernel/stages.ts";
import type { NameAddr } from "../sip/message/headers.ts";
import type { SipMessage, SipRequest } from "../sip/message/message.ts";
import { writeContact } from "../sip/message/name_addr.ts";
import type { SipUri } from "../sip/message/uri.ts";

const DIALOG_MAKERS = new Set(["INVITE", "SUBSCRIBE", "REFER"]);
const WARNED = 1000; // destinations remembered

/** Makes our Contact a SIPS URI where the request was sent to one (RFC 3261 §8.1.1.8, §12.1.1). */
export default defineModule({
  name: "sips_contact",
  summary: "A sips: Contact where sips: is asked for",
  replaces: "res_pjsip_sips_contact",
  requires: ["core"],
  options: v.object({}),
  setup(ctx) {
    const { transports } = ctx.use(stack);
    const warned = new Set<string>();
    ctx.outbound("route", (context) => {
      if (!asksForSips(context) || !upgrade(context.message)) return;
      ctx.metrics.count("upgraded");
      const { destination } = context;
      const { host } = "id" in destination ? destination.remote : destination.address;
      const secure = destination.protocol === "tls" || destination.protocol === "wss";
      if (secure || warned.has(host)) return;
      if (warned.size >= WARNED) warned.clear();
      warned.add(host);
      ctx.log.warning("a sips: request leaves over a connection that is not secure", {
        to: host,
        transport: transports.transportFor(destination),
      });
    }, "last");
  },
});

/** RFC 3261 §8.1.1.8 for requests; §12.1.1 for responses that make a dialog. */
function asksForSips({ message, answers }: OutboundContext): boolean {
  if (message.kind === "request") return isSips(message.uri) || isSips(message.headers.get("Route")?.uri);
  if (!answers || !DIALOG_MAKERS.has(answers.method) || message.status <= 100 || message.status >= 300) return false;
  return isSips(answers.uri) || isSips(answers.headers.get("Record-Route")?.uri);
}

function isSips(uri: SipRequest["uri"] | undefined): boolean {
  return uri?.scheme === "sips";
}

/** False when there is nothing to change. */
function upgrade({ headers }: SipMessage): boolean {
  const [first, ...others] = headers.all("Contact");
  if (!first || first.star || first.uri.scheme !== "sip") return false;
  const params = new Map(first.uri.params);
  if (params.get("transport")?.toLowerCase() === "tls") params.delete("transport"); // deprecated, RFC 3261 §26.2.2
  const uri: SipUri = { ...first.uri, scheme: "sips", params };
  const contact: NameAddr = { ...first, uri };
  headers.set("Contact", [contact, ...others].map(writeContact).join(", "));
  return true;
}
