// What we say in a call without another's help: call progress in the sound, and the bodies of INFO.
import type { ToneStep } from "../../kernel/media.ts";

const tone = (onMs: number, offMs: number): readonly ToneStep[] => [
  { frequencies: [425], levelDbm0: -13, ms: onMs },
  { frequencies: [], levelDbm0: 0, ms: offMs },
];
export const tones = { ringing: tone(1000, 4000), busy: tone(480, 480), congestion: tone(240, 240) };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Asks for a whole picture (RFC 5168 §6). */
export const pictureRequest = {
  type: "application/media_control+xml",
  bytes: encode(
    '<?xml version="1.0" encoding="utf-8" ?>\r\n<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder>' +
      "</vc_primitive></media_control>\r\n",
  ),
};

/** A digit that was pressed, or "!" for a hook flash. */
export const digitRelay = (digit: string, durationMs: number) => ({
  type: "application/dtmf-relay",
  bytes: encode(`Signal=${digit}\r\nDuration=${Math.round(durationMs)}\r\n`),
});
