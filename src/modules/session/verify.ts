import { partsOf } from "../../sip/dialog/description.ts";
import { lists } from "../../sip/dialog/session_timer.ts";
import type { SipRequest, SipResponse } from "../../sip/message/message.ts";
import { reply } from "../../sip/message/reply.ts";
import type { SessionFields } from "./fields.ts";

/** Option tags an INVITE of this endpoint may require. */
export function supportedBy(fields: SessionFields): readonly string[] {
  const tags: string[] = [];
  if (fields["100rel"] !== "no") tags.push("100rel");
  if (fields.timers !== "no") tags.push("timer");
  return tags;
}

/** Tags in Require that neither the endpoint's settings nor a module serve. */
export function unsupportedBy(
  request: SipRequest,
  fields: SessionFields,
  modules: readonly string[],
): readonly string[] {
  const own = supportedBy(fields);
  return request.headers.all("Require").map((tag) => tag.toLowerCase()).filter((tag) =>
    tag === "100rel" || tag === "timer" ? !own.includes(tag) : !modules.includes(tag)
  );
}

/** What is wrong with an INVITE before anybody looks at where it goes; undefined: nothing. */
export function verify(
  request: SipRequest,
  fields: SessionFields,
  modules: readonly string[],
): SipResponse | undefined {
  const { headers } = request;
  const contact = headers.get("Contact");
  if (!contact || contact.star || contact.uri.scheme === "other") return reply(request, 400, "Missing or Bad Contact");
  if (request.uri.scheme === "sips") {
    const target = headers.all("Record-Route")[0]?.uri ?? contact.uri;
    if (target.scheme !== "sips") {
      const response = reply(request, 480, "Temporarily Unavailable");
      response.headers.append("Warning", '381 patchbay "SIPS Required"');
      return response;
    }
  }
  const body = verifyBody(request);
  if (body) return body;
  const unsupported = unsupportedBy(request, fields, modules);
  if (unsupported.length > 0) {
    const response = reply(request, 420, "Bad Extension");
    response.headers.append("Unsupported", unsupported.join(", "));
    response.headers.set("Supported", [...supportedBy(fields), ...modules].join(", "));
    return response;
  }
  for (const [tag, demanded] of [["100rel", fields["100rel"]], ["timer", fields.timers]] as const) {
    if (demanded !== "required" || lists(request, "Supported", tag) || lists(request, "Require", tag)) continue;
    const response = reply(request, 421, "Extension Required");
    response.headers.append("Require", tag);
    return response;
  }
  return undefined;
}

/** May our answer carry a description? Without Accept it may (RFC 3261 §20.1). */
function acceptsSdp(request: SipRequest): boolean {
  if (!request.headers.has("Accept")) return true;
  const ranges = request.headers.all("Accept").map((range) => range.split(";")[0]?.trim().toLowerCase() ?? "");
  return ranges.some((range) => range === "application/sdp" || range === "application/*" || range === "*/*");
}

function verifyBody(request: SipRequest): SipResponse | undefined {
  if (!acceptsSdp(request)) return reply(request, 406, "Not Acceptable");
  if (request.body.length === 0) return undefined;
  const refuse = () => {
    const response = reply(request, 415, "Unsupported Media Type");
    response.headers.set("Accept", "application/sdp");
    return response;
  };
  if (!request.headers.has("Content-Type")) return undefined; // stray octets: nobody says that they are a body
  const type = request.headers.get("Content-Type");
  const token = type?.token.toLowerCase();
  if (token === "application/sdp") return undefined;
  if (!type || !token?.startsWith("multipart/")) return refuse();
  const parts = partsOf(request.body, type.params.get("boundary") ?? "");
  if (!parts) return reply(request, 400, "Bad Multipart Body");
  const strange = parts.filter((part) => part.type !== "application/sdp" && part.body.length > 0);
  if (strange.some((part) => /;\s*handling\s*=\s*"?required\b/i.test(part.disposition))) return refuse();
  return parts.some((part) => part.type === "application/sdp") ? undefined : refuse();
}
