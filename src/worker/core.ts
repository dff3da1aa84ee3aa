// The typed face of the WebAssembly core: the one place that names its exports, with shape and unit. Offsets are octets
// in `memory`, which never grows: a view or pointer taken once stays good. Nothing here throws; negative is refused.
import corePath from "../../wasm/build/core.wasm" with { type: "file" };

export interface Core {
  readonly memory: WebAssembly.Memory;

  /** The time of the batch in hand: monotonic and Unix microseconds. */
  clockSet(monotonicMicros: number, unixMicros: number): void;
  /** 128 bits from the kernel's generator, once. */
  randomSeed(a: number, b: number, c: number, d: number): void;

  /** A new stream: its slot 0..4095, -1 when all are taken. */
  streamOpen(): number;
  /** Leaves what it is in and frees the slot. */
  streamClose(slot: number): number;
  streamCount(): number;
  /** Offset of the record of `streamRecordBytes()` octets, -1: no such stream. */
  streamRecord(slot: number): number;
  streamRecordBytes(): number;
  /** A stream out of a record copied to `from` (at streamLanding): its slot or -1. */
  streamAdopt(from: number): number;
  /** Offset of a place for one record. */
  streamLanding(): number;
  /** Offset of three addresses of 32 octets, RTP, RTCP and the host of signaling, for streamRemote. */
  streamHanded(): number;
  streamRemote(slot: number): number;
  /** Flags: 1 sending, 2 receiving, 4 follow the peer's codec, 8 mux, 16 symmetric, 32 detect DTMF. Strict: 0 no, 1 yes, 2 seqno. */
  streamFlags(slot: number, flags: number, strict: number): number;
  /** What we send. Forgets what was accepted. Clock in Hz. */
  streamCodec(slot: number, kind: number, payloadType: number, ptimeMs: number, clock: number): number;
  streamAccept(slot: number, kind: number, payloadType: number, ptimeMs: number, clock: number): number;
  /** 255: none. */
  streamEvents(slot: number, sendPayloadType: number, receivePayloadType: number, clock: number): number;
  streamTimers(slot: number, timeoutSeconds: number, keepaliveSeconds: number, rtcpIntervalMs: number): number;
  /** Offset for `octets` (0..64) of CNAME. */
  streamCname(slot: number, octets: number): number;
  /**
   * Offset of i32[24], -1: no such stream: packets and octets (low, high word) received, packets and octets sent, lost, late,
   * duplicates, malformed, foreign, unhandled, unknown payload, undelivered, jitter µs, round trip µs, lost at the peer,
   * jitter there µs, codec kind last received, frames starved and dropped in play-out, BYEs,
   * SRTP not authentic and replayed.
   */
  streamStats(slot: number): number;
  /** Offset of two places of 48 octets for master key and salt, to send and to receive, for streamSrtp. */
  streamKeys(): number;
  /**
   * Takes the keys at streamKeys and wipes them there. Kind 0 plain, 1 AES-CM (key of 16, 24, 32 octets, salt 14, tag 4 or 10),
   * 2 AES-GCM (key of 16 or 32, salt 12, tag 16).
   */
  streamSrtp(slot: number, kind: number, keyOctets: number, tagOctets: number): number;
  /** Offset of the address we are locked on. */
  streamSource(slot: number): number;

  /** Offset of 2,048 octets for a received datagram. */
  receiveBuffer(): number;
  /** Offset of 32 octets for its source. */
  receiveSource(): number;
  /** A datagram of `octets` in the receive buffer came to the RTP (0) or RTCP (1) port: entries in the outbox, or negative. */
  receiveDatagram(slot: number, rtcp: number, octets: number): number;

  /** Offset of entries of u32[4]: slot << 1 | rtcp, offset, octets, offset of the address. */
  outboxEntries(): number;
  outboxCount(): number;
  outboxClear(): void;
  outboxOverflowed(): number;

  /** Offset of records of u32[4]: kind, slot, a, b. */
  noticeRecords(): number;
  /** How many wait; taking empties. */
  noticeTake(): number;
  noticeLost(): number;

  /** 20 ms have passed: entries in the outbox. */
  tickRun(): number;

  bridgeConnect(a: number, b: number): number;
  bridgeEcho(slot: number): number;
  bridgeLeave(slot: number): number;

  /** Joins the room the host calls `name`; again, to change `muted`. -2: no room is free. */
  conferenceJoin(slot: number, name: number, muted: number): number;
  conferenceLeave(slot: number): number;
  /** Members of the room. */
  conferenceSize(name: number): number;

  /** Begins a clip that the host feeds ahead of need; `generation` comes back with the notice of its end. */
  playerStart(slot: number, generation: number): number;
  playerStop(slot: number): number;
  /** Stops without a notice: what played, 1 a clip, 2 a tone. */
  playerTake(slot: number): number;
  /** Samples (8 kHz) there is room for of 4,096, -1: no clip plays. */
  playerRoom(slot: number): number;
  /** Offset of i16[960] for the next samples of a clip. */
  playerStage(): number;
  /** Takes them: rate in Hz, number (even at 16 kHz, a multiple of 6 at 48 kHz), 1 when the clip ends. Negative: refused. */
  playerStaged(slot: number, rate: number, count: number, last: number): number;
  /** Begins the tone of the steps added before. */
  playerTone(slot: number, generation: number, loop: number): number;

  /** Forgets the steps; playerStop comes first. */
  cadenceClear(slot: number): number;
  /** One more step, silent until it has sines; ms 0: for ever. Its number; -2: 128 are there. */
  cadenceAdd(slot: number, ms: number): number;
  /** Sine 0..3 of the step added last. */
  cadenceSine(slot: number, index: number, hertz: number, dbm0: number): number;

  /** Offset of a ring of i16[4096], the last samples received, decoded. */
  recorderSet(slot: number, on: number): number;
  /** Samples written so far, mod 2^32. */
  recorderWritten(slot: number): number;

  /** One RFC 4733 event, code 0..16, after those that wait. */
  eventSend(slot: number, code: number, durationMs: number, gapMs: number): number;
  rtcpBye(slot: number): number;

  /** Offset of 262,144 octets for the functions below, which take offsets of samples i16 or of octets. */
  workbenchOffset(): number;
  /** `count` samples at `samples` to octets at `to`, and back. */
  g711EncodeUlaw(to: number, samples: number, count: number): void;
  g711EncodeAlaw(to: number, samples: number, count: number): void;
  g711DecodeUlaw(to: number, octets: number, count: number): void;
  g711DecodeAlaw(to: number, octets: number, count: number): void;
  /** `to` may be `from`. */
  g711UlawToAlaw(to: number, from: number, count: number): void;
  g711AlawToUlaw(to: number, from: number, count: number): void;

  /** Slots 0..8191, what stream n hears (n) and says (4096 + n): forgets what was coded before. */
  g722Reset(slot: number): number;
  /** `count` samples (at most 960, even) at 16 kHz to count / 2 octets: octets written. */
  g722Encode(slot: number, to: number, samples: number, count: number): number;
  /** `count` octets (at most 480) to 2 · count samples: samples written. `limit` 1: overload stays at the largest sample; 0: it wraps. */
  g722Decode(slot: number, to: number, octets: number, count: number, limit: number): number;

  /** Samples of a frame of the conference (0..1023): 160, 320, 640 or 960. */
  mixerFrame(conference: number, samples: number): number;
  mixerFrameSamples(conference: number): number;
  /** A member has the number of its stream. */
  mixerJoin(conference: number, member: number): number;
  mixerLeave(member: number): number;
  mixerMute(member: number, on: number): number;
  /** First member, and the one after `member`; -1 at the end. */
  mixerFirst(conference: number): number;
  mixerNext(member: number): number;
  /** Offset of i16[960] for the frame the member brings to the next run. */
  mixerInput(member: number): number;
  /** Offset of the frame the member hears, until the next run. */
  mixerOutput(member: number): number;
  /** Members. */
  mixerRun(conference: number): number;
  /** Bit 0: talks; bit 1: that changed in the last run. */
  mixerTalker(member: number): number;

  /** Slots 0..1023 at 8 kHz. */
  dtmfReset(slot: number): number;
  /** Character of a digit recognised in these samples, 0: none. */
  dtmfFeed(slot: number, samples: number, count: number): number;
  /** Character that sounds, 0: none. */
  dtmfActive(slot: number): number;
  /** Samples that the sounding or the last digit lasts. */
  dtmfLength(slot: number): number;
  /** Tone 0..7 in Hz, low group first. */
  dtmfHertz(tone: number): number;
  /** Row * 4 + column of a character, -1: no digit. */
  dtmfPlace(character: number): number;

  /** Slots 0..1023 at 8 kHz. */
  faxToneReset(slot: number): number;
  /** The tone recognised in these samples, a character: `f` CNG, `e` CED, `v` preamble of V.21; 0: none. */
  faxToneFeed(slot: number, samples: number, count: number): number;

  /** A key of 16, 24 or 32 octets, to 256 octets at `to`. */
  aesExpand(to: number, key: number, octets: number): void;
  /** One block of 16 octets. */
  aesBlock(key: number, to: number, from: number): void;
  /** Adds the key stream that begins with the block at `iv`; the last 32 bits count. */
  aesCounter(key: number, iv: number, data: number, octets: number): void;

  /** Slots 0..16383, one per direction; those from 4096 on belong to streams. */
  resampleReset(slot: number): number;
  /** Rates 8000, 16000, 32000, 48000; at most 960 samples of input. Samples written. */
  resampleRun(slot: number, from: number, to: number, output: number, input: number, count: number): number;

  /** Slots 0..1023. Forgets the sines; rate in Hz. */
  toneReset(slot: number, rate: number): number;
  /** Sine 0..3, peak in 16-bit steps. */
  toneSine(slot: number, index: number, hertz: number, peak: number): number;
  toneGate(slot: number, on: number): number;
  /** Peak of a sine of this level. */
  tonePeak(dbm0: number): number;
  /** 1: sound; 0: silence. */
  toneRun(slot: number, to: number, count: number): number;
}

/** The core of one worker, its generator seeded. */
export async function loadCore(): Promise<Core> {
  const { instance } = await WebAssembly.instantiate(await Bun.file(corePath).arrayBuffer(), {});
  const core = instance.exports as unknown as Core; // the build exports exactly these: tests/wasm/exports.test.ts
  const seed = crypto.getRandomValues(new Int32Array(4));
  core.randomSeed(seed[0] ?? 0, seed[1] ?? 0, seed[2] ?? 0, seed[3] ?? 0);
  return core;
}
