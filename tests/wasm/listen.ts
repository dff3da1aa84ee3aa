// A talker and a listener in a conference, and a network between talker and server: what is heard, and when.
import { readRtp, rig, rtp } from "./rig.ts";

interface Line {
  readonly frames: number;
  /** Milliseconds on the way; undefined: lost. */
  readonly delay: (frame: number) => number | undefined;
  /** Milliseconds between two packets of the sender. */
  readonly every?: number;
  readonly twice?: (frame: number) => boolean;
  readonly sequence?: number;
  readonly timestamp?: number;
}

const CODES = 100; // frames that can be told apart by their octets

/**
 * What a listener hears of a talker in a conference, tick by tick: the frame, or undefined where nothing was received. A frame
 * is all one octet, so what conceals it sounds like the one before, or, after more than one is lost, like one a little further back.
 */
export async function listen({ frames, delay, every = 20, twice, sequence = 0, timestamp = 0 }: Line) {
  const core = await rig();
  const [talker, listener] = [core.open({ port: 4000 }), core.open({ port: 4002 })];
  for (const slot of [talker, listener]) core.core.conferenceJoin(slot, 1, 0);
  const due = Array.from({ length: frames }, (_, frame) => ({ frame, at: delay(frame) })).flatMap(({ frame, at }) =>
    at === undefined ? [] : Array(twice?.(frame) ? 2 : 1).fill({ frame, at: at + every * frame })
  ).sort((a, b) => a.at - b.at);
  const heard: { tick: number; frame: number; at: number }[] = [];
  let [latest, back] = [-1, 0];
  for (let tick = 0, next = 0; tick < frames * every / 20 + 40; tick++) {
    for (; next < due.length && due[next].at <= 20 * tick; next++) {
      const { frame } = due[next];
      core.datagram(
        talker,
        rtp({
          sequence: sequence + frame,
          timestamp: timestamp + 160 * frame,
          payload: new Uint8Array(160).fill(0x80 + frame % CODES),
        }),
      );
    }
    for (const { slot, rtcp, bytes } of core.tick()) {
      if (slot !== listener || rtcp) continue;
      const octets = readRtp(bytes).payload;
      const code = octets[159]! - 0x80;
      // One frame led over into another, or silence; the way back from what was concealed takes 10 ms.
      if (octets[90] !== octets[159] || code >= CODES) continue;
      const frame = latest + ((code - latest % CODES) % CODES + CODES) % CODES;
      // The same again is what conceals the next; one far ahead is one from before.
      if (frame - latest > CODES - 10) {
        back++;
        continue;
      }
      if (frame > latest) heard.push({ tick, frame, at: 20 * tick - every * frame });
      latest = Math.max(latest, frame);
    }
  }
  return { heard, back };
}
