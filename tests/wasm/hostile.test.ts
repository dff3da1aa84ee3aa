import { expect, test } from "bun:test";
import { seededRandom } from "../virtual_world.ts";
import { Attack, hostile } from "./attack.ts";
import { rig } from "./rig.ts";

test("20,000 hostile datagrams on every kind of stream: no trap, no growth, nothing else written, the call beside it untouched", async () => {
  for (const seed of [1, 2, 3]) {
    const core = await rig();
    const attack = new Attack(core, seed);
    for (let i = 0; i < 20_000; i++) attack.step();
    attack.check();
    for (const slot of attack.secure) expect(core.stat(slot, 22)).toBeGreaterThan(500); // not authentic
  }
});

test("lengths that are not possible are refused", async () => {
  const core = await rig();
  const slot = core.open();
  const before = Buffer.from(core.octets);
  for (const octets of [-1, -(2 ** 31), 2049, 65535, 2 ** 31 - 1]) core.core.receiveDatagram(slot, 0, octets);
  expect(core.stat(slot, 9)).toBe(5);
  const changed = before.findIndex((octet, at) => octet !== core.octets[at]);
  const record = core.core.streamRecord(slot);
  expect(changed).toBeGreaterThanOrEqual(Math.min(record, core.core.streamStats(slot)));
});

test("slots that are not open are refused by every call", async () => {
  const { core } = await rig();
  for (const slot of [-1, 0, 5, 4095, 4096, 2 ** 31 - 1, -(2 ** 31)]) {
    const answers = [
      core.streamClose(slot),
      core.streamRecord(slot),
      core.streamRemote(slot),
      core.streamFlags(slot, 3, 1),
      core.streamCodec(slot, 1, 0, 20, 8000),
      core.streamAccept(slot, 1, 0, 20, 8000),
      core.streamEvents(slot, 101, 101, 8000),
      core.streamTimers(slot, 0, 0, 5000),
      core.streamCname(slot, 5),
      core.streamStats(slot),
      core.streamSrtp(slot, 1, 16, 10),
      core.streamSource(slot),
      core.receiveDatagram(slot, 0, 100),
      core.bridgeConnect(slot, 1),
      core.bridgeEcho(slot),
      core.bridgeLeave(slot),
      core.conferenceJoin(slot, 1, 0),
      core.conferenceLeave(slot),
      core.playerStart(slot, 1),
      core.playerStop(slot),
      core.playerTake(slot),
      core.playerRoom(slot),
      core.playerStaged(slot, 8000, 160, 0),
      core.playerTone(slot, 1, 0),
      core.cadenceClear(slot),
      core.cadenceAdd(slot, 100),
      core.cadenceSine(slot, 0, 440, -13),
      core.recorderSet(slot, 1),
      core.eventSend(slot, 1, 100, 50),
      core.rtcpBye(slot),
    ];
    expect(answers.filter((answer) => answer >= 0)).toEqual([]);
  }
  expect(core.streamCount()).toBe(0);
});

test("a random record, as if another core had gone mad, is adopted or refused without a trap", async () => {
  const core = await rig();
  const attack = new Attack(core, 9);
  const random = seededRandom(9);
  for (let i = 0; i < 200; i++) {
    core.octets.set(random.bytes(core.core.streamRecordBytes()), core.core.streamLanding());
    const slot = core.core.streamAdopt(core.core.streamLanding());
    for (let j = 0; j < 20; j++) core.datagram(slot, hostile(random, j));
    core.core.streamClose(slot);
    core.ticks(2);
    core.notices();
    attack.speak();
  }
});
