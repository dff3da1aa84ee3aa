// Every 20 ms: conferences are mixed, then each open stream says what it has to say and its timers run.
import { addressKnown } from "./address";
import { clockNow } from "./clock";
import { conferenceFrame, conferenceMix } from "./conference";
import { eventSendDrop, eventSendTick, eventTick } from "./event";
import { NOTICE_TIMEOUT, noticePush } from "./notice";
import { outboxCell, outboxCount } from "./outbox";
import { playerFrame } from "./player";
import { RTP_HEADER, rtpNextTimestamp, rtpSend } from "./rtp";
import { rtcpTick } from "./rtcp";
import { speakerFrame, speakerReset } from "./speaker";
import {
  activeSlot,
  DIGITS_COUNT,
  DIGITS_STATE,
  EVENT_SEND_PT,
  FLAGS,
  KEEPALIVE_AT,
  KEEPALIVE_SECONDS,
  LAST_RECEIVED_AT,
  MODE,
  MODE_CONFERENCE,
  PLAYING,
  RECEIVING,
  recordOf,
  REMOTE,
  SEND_SOURCE,
  SENDING,
  streamCount,
  TIMED_OUT,
  TIMEOUT_SECONDS,
  TIMEOUT_SINCE,
} from "./stream";

const COMFORT_NOISE: i32 = 13; // static payload type (RFC 3389 §4)
const QUIET: u8 = 127; // -127 dBov

const frame: usize = memory.data(320, 16); // i16[160]

/** Number of entries in the outbox after it. */
export function tickRun(): i32 {
  conferenceMix();
  const open = streamCount();
  for (let i = 0; i < open; i++) {
    const slot = activeSlot(i);
    const s = recordOf(slot);
    eventTick(s);
    speak(s, slot);
    watch(s, slot);
    rtcpTick(s);
  }
  return outboxCount();
}

function speak(s: usize, slot: i32): void {
  const may = (load<u32>(s, FLAGS) & SENDING) != 0 && addressKnown(s + REMOTE);
  if (load<u8>(s, DIGITS_STATE) != 0 || load<u8>(s, DIGITS_COUNT) != 0) {
    if (!may || load<u8>(s, EVENT_SEND_PT) == 255) {
      eventSendDrop(s);
    } else if (eventSendTick(s)) {
      speakerReset(s);
      return;
    }
  }
  if (load<u8>(s, PLAYING) != 0) {
    if (playerFrame(s, frame)) {
      if (may) speakerFrame(s, frame);
      return;
    }
    speakerReset(s);
  }
  if (load<i32>(s, MODE) == MODE_CONFERENCE) {
    const mixed = conferenceFrame(slot);
    if (may && mixed != 0) speakerFrame(s, mixed);
    return;
  }
  if (may) keepAlive(s);
}

/** RFC 6263: a comfort noise packet when nothing was sent for a while. */
function keepAlive(s: usize): void {
  const seconds = load<u32>(s, KEEPALIVE_SECONDS);
  if (seconds == 0 || clockNow() - load<i64>(s, KEEPALIVE_AT) < <i64> seconds * 1000000) return;
  const cell = outboxCell();
  if (cell == 0) return;
  store<u8>(cell + RTP_HEADER, QUIET);
  const timestamp = rtpNextTimestamp(s);
  rtpSend(s, cell, 1, false, COMFORT_NOISE, timestamp, timestamp, 160);
  store<i32>(s, 0, SEND_SOURCE); // whoever speaks next begins a talk spurt
}

/** Tells once when nothing was received for too long. */
function watch(s: usize, slot: i32): void {
  const seconds = load<u32>(s, TIMEOUT_SECONDS);
  if (seconds == 0 || load<u8>(s, TIMED_OUT) != 0 || (load<u32>(s, FLAGS) & RECEIVING) == 0) return;
  const since = max(load<i64>(s, LAST_RECEIVED_AT), load<i64>(s, TIMEOUT_SINCE));
  if (clockNow() - since < <i64> seconds * 1000000) return;
  store<u8>(s, 1, TIMED_OUT);
  noticePush(NOTICE_TIMEOUT, slot, seconds, 0);
}
