import type { MediaStream } from "../../kernel/media.ts";
import type { Codec } from "./codecs.ts";
import type { Sdes } from "./sdes.ts";

/** What is kept of one line while it lives. */
export class AudioLine {
  /** Did we make the offer that is open or was agreed on last? */
  offered = false;
  /** Codecs the peer named last, for the leg that is dialled on its behalf. */
  theirs: readonly Codec[] = [];
  stopListening: (() => void) | undefined;
  /** The media plane closed it: its thread died. */
  gone = false;

  constructor(readonly stream: MediaStream, readonly host: string, readonly cname: string, readonly keys: Sdes) {}
}
