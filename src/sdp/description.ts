import type sdpTransform from "sdp-transform";

/** A parsed session description (RFC 4566), as sdp-transform shapes it. */
export type SessionDescription = sdpTransform.SessionDescription;
/** One m= section. */
export type MediaDescription = SessionDescription["media"][number];
