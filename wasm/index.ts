// What the host may call: src/worker/core.ts names each with its units.
import { bridgeLeave } from "./bridge";
import { conferenceLeave } from "./conference";
import { playerStop } from "./player";
import { streamFree } from "./stream";

export { clockSet } from "./clock";
export { randomSeed } from "./random";
export {
  streamAccept,
  streamAdopt,
  streamCname,
  streamCodec,
  streamCount,
  streamEvents,
  streamFlags,
  streamHanded,
  streamOpen,
  streamRecord,
  streamRecordBytes,
  streamRemote,
  streamTimers,
} from "./stream";
export { streamSource, streamStats } from "./stats";
export { streamKeys, streamSrtp } from "./srtp";
export { receiveBuffer, receiveDatagram, receiveSource } from "./receive";
export { outboxClear, outboxCount, outboxEntries, outboxOverflowed } from "./outbox";
export { noticeLost, noticeRecords, noticeTake } from "./notice";
export { tickRun } from "./tick";
export { bridgeConnect, bridgeEcho, bridgeLeave } from "./bridge";
export { conferenceJoin, conferenceLeave, conferenceSize } from "./conference";
export { playerRoom, playerStage, playerStaged, playerStart, playerStop, playerTake, playerTone } from "./player";
export { cadenceAdd, cadenceClear, cadenceSine } from "./cadence";
export { recorderSet, recorderWritten } from "./recorder";
export { eventSend } from "./event";
export { rtcpBye } from "./rtcp";

// signal processing, for the media commands, tests and benchmarks
export { workbenchOffset } from "./workbench";
export { g711AlawToUlaw, g711DecodeAlaw, g711DecodeUlaw, g711EncodeAlaw, g711EncodeUlaw, g711UlawToAlaw } from "./g711";
export {
  mixerFirst,
  mixerFrame,
  mixerFrameSamples,
  mixerInput,
  mixerJoin,
  mixerLeave,
  mixerMute,
  mixerNext,
  mixerOutput,
  mixerRun,
  mixerTalker,
} from "./mixer";
export { dtmfActive, dtmfFeed, dtmfHertz, dtmfLength, dtmfPlace, dtmfReset } from "./dtmf";
export { g722Decode, g722Encode, g722Reset } from "./g722";
export { faxToneFeed, faxToneReset } from "./fax_tone";
export { aesBlock, aesCounter, aesExpand } from "./aes";
export { resampleReset, resampleRun } from "./resample";
export { toneGate, tonePeak, toneReset, toneRun, toneSine } from "./tone";

const landing: usize = memory.data(1536, 16);

/** Offset of a place for one record, for streamAdopt. */
export function streamLanding(): i32 {
  return <i32> landing;
}

/** Leaves bridge, conference and player, then frees the slot. */
export function streamClose(slot: i32): i32 {
  bridgeLeave(slot);
  conferenceLeave(slot);
  playerStop(slot);
  return streamFree(slot);
}
