// Digits as named events (RFC 4733 §2.3): received, and sent.
//
//   |     event     |E|R| volume    |          duration             |
import { outboxCell } from "./outbox";
import { clockNow } from "./clock";
import { NOTICE_DIGIT, NOTICE_DIGITS_SENT, noticePush } from "./notice";
import { RTP_HEADER, rtpNextTimestamp, rtpSend } from "./rtp";
import {
  count,
  DIGITS,
  DIGITS_CODE,
  DIGITS_COUNT,
  DIGITS_DURATION,
  DIGITS_ENDS,
  DIGITS_FIRST,
  DIGITS_GAP,
  DIGITS_SEGMENT,
  DIGITS_STATE,
  DIGITS_TIMESTAMP,
  DIGITS_TOLD,
  DIGITS_TOTAL,
  DIGITS_WAIT,
  EVENT_ACTIVE,
  EVENT_AT,
  EVENT_BASE,
  EVENT_CLOCK,
  EVENT_CODE,
  EVENT_DURATION,
  EVENT_ENDED,
  EVENT_SEND_PT,
  EVENT_SEQUENCE,
  EVENT_TIMESTAMP,
  MALFORMED,
  openRecord,
  slotOf,
  UNDELIVERED,
} from "./stream";

const FLASH: i32 = 16;
const SILENCE_MICROS: i64 = 150000; // no packet for so long ends an event
const DIGIT_MICROS: i64 = 40000;
const BURST_MICROS: i64 = 400000;
const END_PACKETS: i32 = 3;
const QUEUE: i32 = 64;
const VOLUME: i32 = 10; // -10 dBm0
const SEGMENT: u32 = 65535; // longest duration of one event (RFC 4733 §2.5.1.3)

/** ASCII of an event: 0-9 * # A-D, ! for a flash. */
function character(code: i32): u32 {
  if (code < 10) return 48 + code;
  if (code == 10) return 42;
  if (code == 11) return 35;
  if (code < 16) return 65 + code - 12;
  return 33;
}

/** Tells a digit. A peer that sends more than 25 a second, after a burst of ten, is not worth the host's time. */
export function eventTell(s: usize, character: u32, ms: u32): void {
  const now = clockNow();
  const told = max(load<i64>(s, DIGITS_TOLD), now);
  if (told - now > BURST_MICROS) {
    count(s, UNDELIVERED);
    return;
  }
  store<i64>(s, told + DIGIT_MICROS, DIGITS_TOLD);
  noticePush(NOTICE_DIGIT, slotOf(s), character, ms);
}

function report(s: usize): void {
  store<u8>(s, 0, EVENT_ACTIVE);
  store<u8>(s, 1, EVENT_ENDED);
  const units = <u64> load<u32>(s, EVENT_BASE) + <u64> load<u32>(s, EVENT_DURATION);
  const ms = <u32> (units * 1000 / <u64> load<u32>(s, EVENT_CLOCK));
  eventTell(s, character(<i32> load<u8>(s, EVENT_CODE)), ms);
}

function begin(s: usize, code: i32, timestamp: u32, base: u32): void {
  store<u8>(s, 1, EVENT_ACTIVE);
  store<u8>(s, <u8> code, EVENT_CODE);
  store<u32>(s, timestamp, EVENT_TIMESTAMP);
  store<u32>(s, base, EVENT_BASE);
  store<u32>(s, 0, EVENT_DURATION);
}

/** A telephone-event payload of 4 octets or more. One digit per timestamp, however many of its packets come. */
export function eventReceive(s: usize, payload: usize, octets: i32, sequence: u16, timestamp: u32, marker: bool): void {
  if (octets < 4) {
    if (octets > 0) count(s, MALFORMED);
    return;
  }
  const code = <i32> load<u8>(payload);
  if (code > FLASH) return;
  const end = (load<u8>(payload, 1) & 0x80) != 0;
  const duration = <u32> bswap<u16>(load<u16>(payload, 2));
  const active = load<u8>(s, EVENT_ACTIVE) != 0;
  const ended = load<u8>(s, EVENT_ENDED) != 0;
  const ahead = <i32> <i16> (sequence - load<u16>(s, EVENT_SEQUENCE));
  if ((active || ended) && ahead < 0 && ahead > -50) return;
  const same = timestamp == load<u32>(s, EVENT_TIMESTAMP) && code == <i32> load<u8>(s, EVENT_CODE);
  if (!active && ended && same) return;
  store<u16>(s, sequence, EVENT_SEQUENCE);
  store<i64>(s, clockNow(), EVENT_AT);
  if (active && !same) {
    const units = timestamp - load<u32>(s, EVENT_TIMESTAMP);
    const continues = code == <i32> load<u8>(s, EVENT_CODE) && !marker && units >= SEGMENT - 1600 &&
      units <= SEGMENT + 1;
    if (continues) {
      begin(s, code, timestamp, load<u32>(s, EVENT_BASE) + units);
    } else {
      report(s);
      begin(s, code, timestamp, 0);
    }
  } else if (!active) {
    begin(s, code, timestamp, 0);
  }
  if (duration > load<u32>(s, EVENT_DURATION)) store<u32>(s, duration, EVENT_DURATION);
  if (end) report(s);
}

/** Ends an event whose last packets were lost. */
export function eventTick(s: usize): void {
  if (load<u8>(s, EVENT_ACTIVE) != 0 && clockNow() - load<i64>(s, EVENT_AT) > SILENCE_MICROS) report(s);
}

/** Queues one digit (code 0..16) to be sent as events of `durationMs`, `gapMs` after the one before. -1: queue full. */
export function eventSend(slot: i32, code: i32, durationMs: i32, gapMs: i32): i32 {
  const s = openRecord(slot);
  if (s == 0 || <u32> code > <u32> FLASH) return -1;
  const waiting = <i32> load<u8>(s, DIGITS_COUNT);
  if (waiting >= QUEUE) return -1;
  store<u8>(s + DIGITS + waiting, <u8> code);
  store<u8>(s, <u8> (waiting + 1), DIGITS_COUNT);
  store<u32>(s, <u32> min(max(durationMs, 80), 60000), DIGITS_TOTAL);
  store<u32>(s, <u32> min(max(gapMs, 45), 60000), DIGITS_GAP);
  return 0;
}

function next(s: usize): bool {
  const waiting = <i32> load<u8>(s, DIGITS_COUNT);
  if (waiting == 0) return false;
  store<u8>(s, load<u8>(s + DIGITS), DIGITS_CODE);
  memory.copy(s + DIGITS, s + DIGITS + 1, QUEUE - 1);
  store<u8>(s, <u8> (waiting - 1), DIGITS_COUNT);
  store<u8>(s, 1, DIGITS_STATE);
  store<u8>(s, 1, DIGITS_FIRST);
  store<u32>(s, rtpNextTimestamp(s), DIGITS_TIMESTAMP);
  store<u32>(s, 0, DIGITS_DURATION);
  store<u32>(s, 0, DIGITS_SEGMENT);
  return true;
}

/** One packet; `late` clock units ago the digit was as long as it says. */
function emit(s: usize, end: bool, step: u32, late: u32): void {
  const cell = outboxCell();
  if (cell == 0) return;
  const duration = load<u32>(s, DIGITS_DURATION);
  const payload = cell + RTP_HEADER;
  store<u8>(payload, load<u8>(s, DIGITS_CODE));
  store<u8>(payload, <u8> ((end ? 0x80 : 0) | VOLUME), 1);
  store<u16>(payload, bswap<u16>(<u16> duration), 2);
  const timestamp = load<u32>(s, DIGITS_TIMESTAMP);
  rtpSend(
    s,
    cell,
    4,
    load<u8>(s, DIGITS_FIRST) != 0,
    <i32> load<u8>(s, EVENT_SEND_PT),
    timestamp,
    timestamp + duration - step + late,
    step,
  );
  store<u8>(s, 0, DIGITS_FIRST);
}

/** The digit of this tick. True while it takes the place of audio. */
export function eventSendTick(s: usize): bool {
  const state = <i32> load<u8>(s, DIGITS_STATE);
  if (state == 3) {
    const wait = load<i32>(s, DIGITS_WAIT) - 1;
    store<i32>(s, wait, DIGITS_WAIT);
    if (wait > 0) return false;
    store<u8>(s, 0, DIGITS_STATE);
    if (load<u8>(s, DIGITS_COUNT) == 0) noticePush(NOTICE_DIGITS_SENT, slotOf(s), 0, 0);
  }
  if (load<u8>(s, DIGITS_STATE) == 0 && !next(s)) return false;
  const clock = load<u32>(s, EVENT_CLOCK);
  const step = clock / 50;
  if (load<u8>(s, DIGITS_STATE) == 1) {
    let duration = load<u32>(s, DIGITS_DURATION) + step;
    if (duration > SEGMENT) {
      // RFC 4733 §2.5.1.3: goes on as a new event at the place where this one stopped
      const done = load<u32>(s, DIGITS_DURATION);
      store<u32>(s, load<u32>(s, DIGITS_TIMESTAMP) + done, DIGITS_TIMESTAMP);
      store<u32>(s, load<u32>(s, DIGITS_SEGMENT) + done, DIGITS_SEGMENT);
      duration = step;
    }
    store<u32>(s, duration, DIGITS_DURATION);
    const sent = <u64> load<u32>(s, DIGITS_SEGMENT) + <u64> duration;
    const end = sent * 1000 >= <u64> load<u32>(s, DIGITS_TOTAL) * <u64> clock;
    emit(s, end, step, 0);
    if (end) {
      store<u8>(s, 2, DIGITS_STATE);
      store<i32>(s, END_PACKETS - 1, DIGITS_ENDS);
      store<i32>(s, <i32> ((load<u32>(s, DIGITS_GAP) + 19) / 20) + 1, DIGITS_WAIT);
    }
    return true;
  }
  // The end is said three times, each a tick apart: one burst of loss does not take all of them.
  const left = load<i32>(s, DIGITS_ENDS) - 1;
  emit(s, true, step, <u32> (END_PACKETS - 1 - left) * step);
  store<i32>(s, left, DIGITS_ENDS);
  store<i32>(s, load<i32>(s, DIGITS_WAIT) - 1, DIGITS_WAIT);
  if (left <= 0) store<u8>(s, 3, DIGITS_STATE);
  return true;
}

/** Forgets the digits that wait: the stream sends nothing now. */
export function eventSendDrop(s: usize): void {
  store<u8>(s, 0, DIGITS_COUNT);
  store<u8>(s, 0, DIGITS_STATE);
  noticePush(NOTICE_DIGITS_SENT, slotOf(s), 0, 0);
}
