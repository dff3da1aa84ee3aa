import * as v from "valibot";
import { defineModule } from "../kernel/module.ts";
import type { Channel } from "../kernel/services.ts";
import { decodeText } from "../sip/message/octets.ts";
import { reply } from "../sip/message/reply.ts";

const DEFAULT_MS = 100;
const LONGEST_MS = 5000;
const MOST_OCTETS = 1024;
const MOST_PER_SECOND = 50; // of a dialog
const DIGITS = "0123456789*#ABCD!"; // by their number as an RFC 4733 event; "!" is the hook flash

interface Pressed {
  readonly digit: string;
  readonly durationMs: number;
}

/** Digits and hook flashes that a peer sends as INFO. Works whatever `dtmfMode` says. */
export default defineModule({
  name: "dtmf_info",
  summary: "Takes digits out of INFO",
  replaces: "res_pjsip_dtmf_info",
  requires: ["session"],
  options: v.object({}),
  setup(ctx) {
    const rates = new WeakMap<Channel, { since: number; count: number }>();
    const tooMany = (channel: Channel): boolean => {
      const now = ctx.world.now();
      let rate = rates.get(channel);
      if (!rate || now - rate.since >= 1000) rates.set(channel, rate = { since: now, count: 0 });
      rate.count += 1;
      if (rate.count === MOST_PER_SECOND + 1) ctx.log.warning("digits by INFO come too fast", { call: channel.id });
      return rate.count > MOST_PER_SECOND;
    };
    ctx.sessions.supplement({
      method: "INFO",
      at: "first",
      incoming(info, channel) {
        const type = info.headers.text("Content-Type")?.split(";")[0]?.trim().toLowerCase();
        const read = readers.get(type ?? "");
        if (!read) return undefined;
        if (!channel || channel.state === "ended") return reply(info, 481, "Call/Transaction Does Not Exist");
        const endpoint = channel.endpoint.id;
        if (info.body.length > MOST_OCTETS) return reply(info, 413, "Request Entity Too Large");
        if (tooMany(channel)) return reply(info, 200, "OK"); // dropped
        const pressed = read(decodeText(info.body));
        if (pressed === "unreadable") {
          ctx.log.error("an INFO holds no digit", { call: channel.id, endpoint });
          ctx.metrics.count("rejected", 1, { endpoint });
          return reply(info, 500, "Server Internal Error");
        }
        if (pressed) {
          ctx.metrics.count("received", 1, { endpoint });
          channel.digit(pressed.digit, pressed.durationMs);
        }
        return reply(info, 200, "OK");
      },
    });
  },
});

type Reader = (body: string) => Pressed | undefined | "unreadable";

/** By Content-Type. Undefined: nothing was pressed. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["application/hook-flash", () => ({ digit: "!", durationMs: DEFAULT_MS })],
  ["application/dtmf", (body) => {
    const [word] = body.trim().split(/\s+/);
    if (!word) return undefined;
    const digit = digitOf(word);
    return digit === undefined ? "unreadable" : { digit, durationMs: DEFAULT_MS };
  }],
  ["application/dtmf-relay", (body) => {
    if (body.trim() === "") return undefined;
    let digit: string | undefined;
    let durationMs = DEFAULT_MS;
    for (const line of body.split(/\r?\n/)) {
      const [, name = "", value = ""] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (name.toLowerCase() === "signal" && digit === undefined) {
        digit = digitOf(value);
        if (digit === undefined) return "unreadable";
      }
      if (name.toLowerCase() === "duration") durationMs = /^\d{1,9}$/.test(value) ? Number(value) : 0;
    }
    if (digit === undefined) return "unreadable";
    return { digit, durationMs: durationMs > 0 ? Math.min(durationMs, LONGEST_MS) : DEFAULT_MS };
  }],
]);

function digitOf(text: string): string | undefined {
  if (/^1[0-6]$/.test(text)) return DIGITS[Number(text)];
  const upper = text.toUpperCase();
  return upper.length === 1 && DIGITS.includes(upper) ? upper : undefined;
}
