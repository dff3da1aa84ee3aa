// What a module outside the executable imports as "patchbay".
export * as v from "valibot";
export { defineModule } from "./module.ts";
export type { ModuleContext, ModuleDefinition, OptionFault } from "./module.ts";
export { SipError } from "./errors.ts";
export * from "./schema.ts";
export * from "./dialplan.ts";
export * from "./services.ts";
export type { ServiceToken } from "./token.ts";
export type { InboundContext, Observation, OutboundContext } from "./stages.ts";
export { reply } from "../sip/message/reply.ts";
export type { SipMessage, SipRequest, SipResponse } from "../sip/message/message.ts";
export type { SipUri, TelUri, Uri } from "../sip/message/uri.ts";
