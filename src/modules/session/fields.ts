import * as v from "valibot";
import { bool, integer, seconds } from "../../kernel/schema.ts";

/** Endpoint options that the session owns. */
export const endpointFields = {
  /** Reliable provisional responses: never, when the peer requires, when it can, or always. */
  "100rel": v.optional(v.picklist(["no", "yes", "peer_supported", "required"]), "yes"),
  /** Session timers: never, when both can, demanded, or run by us alone when the peer cannot. */
  timers: v.optional(v.picklist(["no", "yes", "required", "always"]), "yes"),
  /** Shortest session interval accepted. */
  timersMinSe: v.pipe(seconds(90), v.minValue(90, "expected at least 90 seconds")),
  /** Session interval offered. */
  timersSessExpires: seconds(1800),
  /** Ring with a tone in early media (183) instead of 180. */
  inbandProgress: bool(false),
  ignore183WithoutSdp: bool(false),
  /** Answer 484 to a number that could still become an extension. */
  allowOverlap: bool(true),
  /** Context of the lookup of incoming numbers; "": the endpoint's context. */
  overlapContext: v.optional(v.string(), ""),
  followEarlyMediaFork: bool(true),
  acceptMultipleSdpAnswers: bool(false),
  /** Tell the peer to hold (re-INVITE) instead of playing music to it. */
  mohPassthrough: bool(false),
  /** Leave Reason: Q.850 out of BYE and CANCEL. */
  suppressQ850ReasonHeaders: bool(false),
  /** User name in o=. */
  sdpOwner: v.optional(v.pipe(v.string(), v.regex(/^\S{1,64}$/, "expected a word")), "-"),
  /** The s= line. */
  sdpSession: v.optional(v.pipe(v.string(), v.regex(/^[^\r\n\0]{0,128}$/, "expected one line")), "patchbay"),
  /** Channels at once; the next call gets 486. */
  callLimit: integer(50, 1, 100_000),
} as const;

/** Options of the whole server that the session owns. */
export const globalFields = {
  /** The user of our Contact is the caller's number; otherwise it is `defaultFromUser`. */
  useCallerIdContact: bool(false),
  /** A 180 may follow a 183. */
  allowSending180After183: bool(false),
  /** Offer every codec of the endpoint, not only those in use, when a re-INVITE asks for our offer. */
  allCodecsOnEmptyReinvite: bool(false),
} as const;

/** Both this and the endpoint's option of the same name must allow it. */
export const systemFields = {
  followEarlyMediaFork: bool(true),
  acceptMultipleSdpAnswers: bool(false),
} as const;

export type SessionFields = v.InferOutput<v.StrictObjectSchema<typeof endpointFields, undefined>>;
