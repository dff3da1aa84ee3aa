import type { MediaStream } from "../../kernel/media.ts";
import type { Format } from "./negotiate.ts";
import type { Sdes } from "./sdes.ts";

/** What is kept of one line while it lives. */
export class RtpLine {
  /** Did we make the offer that is open or was agreed on last? */
  offered = false;
  /** Formats the peer named last, for the leg that is dialled on its behalf. */
  theirs: readonly Format[] = [];
  stopListening: (() => void) | undefined;
  /** The media plane closed it: its thread died. */
  gone = false;

  constructor(readonly stream: MediaStream, readonly host: string, readonly cname: string, readonly keys: Sdes) {}
}
