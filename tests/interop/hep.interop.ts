// sngrep as the capture server: what it decodes and saves is the same SIP that tshark saw on the wire.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { manifest, SIP } from "./manifest.ts";
import { Peer } from "./peers/process.ts";
import { Capture } from "./peers/tshark.ts";
import { Server } from "./server.ts";
import { trunkCall } from "./trunk_call.ts";

const COLLECTOR = 19060;

test("a call as HEP: every message with its addresses and ports", async () => {
  const capture = await Capture.start(`udp port ${SIP}`);
  const saved = join(capture.dir, "mirror.pcap");
  const sngrep = new Peer(["sngrep", "-N", "-q", "-F", "-L", `udp:127.0.0.1:${COLLECTOR}`, "-O", saved], {
    env: { TERM: "dumb" },
  });
  const server = await Server.start(manifest({ hep: { captureAddress: `127.0.0.1:${COLLECTOR}`, captureId: 2001 } }));
  await trunkCall("91", 15190);
  await capture.stop();
  await server.stop();
  await sngrep.stop();
  const fields = ["udp.srcport", "udp.dstport", "sip.Call-ID", "sip.CSeq.method", "sip.Status-Code"];
  const wire = await capture.rows("sip", fields);
  const mirror = await capture.rows("sip", fields, [], "mirror.pcap");
  expect(wire.length).toBeGreaterThanOrEqual(13);
  expect(mirror.map(String).sort()).toEqual(wire.map(String).sort());
  expect(await capture.rows("sip && _ws.malformed", ["frame.number"], [], "mirror.pcap")).toEqual([]);
  capture.remove();
}, 60_000);
