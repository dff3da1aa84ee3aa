// Rooms whose members hear the sum of all others: streams of this core in a conference of the mixer. The host names a room
// by a number of its own.
import { bridgeLeave } from "./bridge";
import {
  mixerFirst,
  mixerInput,
  mixerJoin,
  mixerLeave,
  mixerMute,
  mixerNext,
  mixerOutput,
  mixerRun,
  mixerTalker,
} from "./mixer";
import { NOTICE_TALKING, noticePush } from "./notice";
import { playoutRead } from "./playout";
import {
  activeSlot,
  CONFERENCE,
  MODE,
  MODE_CONFERENCE,
  MODE_NONE,
  openRecord,
  PLAYOUT_STARTED,
  recordOf,
  streamBind,
  streamCount,
} from "./stream";

const ROOMS: i32 = 1024;

const names: usize = memory.data(ROOMS * 4, 16); // i32, the host's number
const frame: usize = memory.data(320, 16); // i16[160]

let rooms: i32 = 0; // rooms at and above this were never used

function nameAt(room: i32): usize {
  return names + (<usize> room << 2);
}

/** The room the host calls `name`: the one with members, else an empty one; -1 when all are in use. */
function roomOf(name: i32): i32 {
  let empty = -1;
  for (let room = 0; room < rooms; room++) {
    if (mixerFirst(room) < 0) empty = empty < 0 ? room : empty;
    else if (load<i32>(nameAt(room)) == name) return room;
  }
  if (empty >= 0) return empty;
  if (rooms >= ROOMS) return -1;
  rooms += 1;
  return rooms - 1;
}

/** Joins the room `name`, leaving what the stream was in; again, to change `muted`. -2: no room is free. */
export function conferenceJoin(slot: i32, name: i32, muted: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  bridgeLeave(slot);
  const room = roomOf(name);
  if (room < 0) return -2;
  if (load<i32>(s, CONFERENCE) != room) {
    mixerJoin(room, slot);
    store<i32>(nameAt(room), name);
    store<i32>(s, room, CONFERENCE);
    store<i32>(s, MODE_CONFERENCE, MODE);
    store<u8>(s, 0, PLAYOUT_STARTED);
    streamBind(s);
  }
  return mixerMute(slot, muted);
}

export function conferenceLeave(slot: i32): i32 {
  const s = openRecord(slot);
  if (s == 0) return -1;
  if (load<i32>(s, CONFERENCE) < 0) return 0;
  mixerLeave(slot);
  store<i32>(s, -1, CONFERENCE);
  store<i32>(s, MODE_NONE, MODE);
  streamBind(s);
  return 0;
}

/** Members of the room `name`. */
export function conferenceSize(name: i32): i32 {
  let members = 0;
  for (let room = 0; room < rooms; room++) {
    if (load<i32>(nameAt(room)) != name) continue;
    for (let member = mixerFirst(room); member >= 0; member = mixerNext(member)) members += 1;
  }
  return members;
}

/** One tick of every room. */
export function conferenceMix(): void {
  const open = streamCount();
  for (let i = 0; i < open; i++) {
    const slot = activeSlot(i);
    const s = recordOf(slot);
    if (load<i32>(s, CONFERENCE) >= 0 && playoutRead(s, slot, frame)) memory.copy(mixerInput(slot), frame, 320);
  }
  for (let room = 0; room < rooms; room++) {
    if (mixerFirst(room) >= 0) mixerRun(room);
  }
}

/** Offset of the i16[160] that a member hears in this tick, 0: none. Tells when it begins or ends to talk. */
export function conferenceFrame(slot: i32): usize {
  const talker = mixerTalker(slot);
  if (talker >= 0 && talker & 2) noticePush(NOTICE_TALKING, slot, talker & 1, 0);
  return <usize> max(mixerOutput(slot), 0);
}
