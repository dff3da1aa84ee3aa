import * as v from "valibot";
import { aorOf } from "../kernel/aor.ts";
import type { Endpoint } from "../kernel/endpoint.ts";
import { defineModule } from "../kernel/module.ts";
import { type Contact, locations, stack } from "../kernel/services.ts";
import type { SipRequest } from "../sip/message/message.ts";
import { type SipUri, writeUri } from "../sip/message/uri.ts";

/**
 * Sends requests to a contact by way of the proxies it registered through (RFC 3327 §5.3). Who dials an endpoint or an AOR
 * names the contact and its path himself; here requests are found that only have its URI. The registrar keeps the paths.
 */
export default defineModule({
  name: "path",
  summary: "Reaches contacts through the proxies they registered through",
  replaces: "res_pjsip_path",
  requires: ["core", "registrar"],
  options: v.object({}),
  setup(ctx) {
    const where = ctx.use(locations);
    const aorFor = ({ user, host }: SipUri, endpoint: Endpoint): string | undefined => {
      const cut = ctx.objects.get("global", "")?.values.ignoreUriUserOptions === true; // a field of core
      const name = cut ? user.split(";", 1)[0] ?? "" : user;
      const alias = ctx.objects.get("domainAlias", host)?.values.domain;
      const names = [name, `${name}@${host}`, ...typeof alias === "string" ? [`${name}@${alias}`] : []];
      return endpoint.aors.find((aor) => names.includes(aor));
    };
    const contactFor = (uri: SipUri, endpoint: Endpoint): Contact | undefined => {
      const text = writeUri(uri);
      const named = aorFor(uri, endpoint);
      const aors = named === undefined ? endpoint.aors : [named];
      for (const aor of aors) {
        if (!aorOf(ctx.objects, aor)?.supportPath) continue;
        const contact = where.contacts(aor).find((candidate) => candidate.uri === text);
        if (contact) return contact;
      }
      return undefined;
    };
    ctx.use(stack).preload((request, endpoint) => {
      if (!endpoint || (request.uri.scheme !== "sip" && request.uri.scheme !== "sips")) return;
      if (request.headers.get("To")?.params.has("tag")) return; // the dialog has a route set of its own
      const contact = contactFor(request.uri, endpoint);
      if (!contact || contact.path.length === 0 || leadsAlready(request, contact.path)) return;
      for (const route of [...contact.path].reverse()) request.headers.prepend("Route", route);
      if (!request.headers.all("Supported").some((tag) => tag.toLowerCase() === "path")) {
        request.headers.append("Supported", "path");
      }
      ctx.metrics.count("used", 1, { aor: contact.aor });
    });
  },
});

/** Whoever chose the contact has put its path there. */
function leadsAlready(request: SipRequest, path: readonly string[]): boolean {
  const routes = request.headers.texts("Route");
  return path.every((route, at) => routes[at] === route);
}
