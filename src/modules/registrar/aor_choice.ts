import type { Endpoint } from "../../kernel/endpoint.ts";
import type { ObjectStore } from "../../kernel/objects.ts";
import type { SipRequest } from "../../sip/message/message.ts";
import type { SipUri } from "../../sip/message/uri.ts";

/**
 * Which of the endpoint's aors a REGISTER is for: `user@host` of To, the same with the host's domain alias, the bare
 * user; where the endpoint is known by its digest username, the same for that. Undefined: none of them.
 */
export function chooseAor(
  request: SipRequest,
  to: SipUri,
  endpoint: Endpoint,
  objects: ObjectStore,
): string | undefined {
  const cut = objects.get("global", "")?.values.ignoreUriUserOptions === true;
  const user = cut ? to.user.split(";", 1)[0] ?? "" : to.user;
  const named = find(user, to.host, endpoint, objects);
  if (named !== undefined || !endpoint.identifyBy.some((by) => /^auth_?username$/i.test(by))) return named;
  for (const { scheme, params } of request.headers.all("Authorization")) {
    if (scheme.toLowerCase() !== "digest") continue;
    const known = find(params.get("username") ?? "", params.get("realm") ?? "", endpoint, objects);
    if (known !== undefined) return known;
  }
  return undefined;
}

function find(user: string, domain: string, endpoint: Endpoint, objects: ObjectStore): string | undefined {
  if (user === "") return undefined;
  const alias = objects.get("domainAlias", domain)?.values.domain;
  const names = [`${user}@${domain}`, ...(typeof alias === "string" ? [`${user}@${alias}`] : []), user];
  return names.find((name) => endpoint.aors.includes(name));
}
