import { expect, test } from "bun:test";
import { descriptionOf } from "../../../src/sip/dialog/description.ts";
import type { SipRequest } from "../../../src/sip/message/message.ts";
import { VirtualUniverse } from "../../virtual_world.ts";
import { SERVER, server } from "../../wire.ts";
import { Agent, Leg, sdp } from "./agent.ts";
import { Simulation } from "./simulation.ts";

/** A back-to-back user agent of nothing but the library: what one leg says, the other hears. */
function relay(server: Agent, callee: string): void {
  server.onCall = (incoming: Leg, request: SipRequest) => {
    const user = request.uri.scheme === "sip" ? request.uri.user : "";
    const outgoing = new Leg();
    const { session } = incoming;
    let answer: Uint8Array | undefined;
    const pass = (to: Leg): Leg["onOffer"] => (description, exchange) => {
      if (!to.session) return exchange.refuse(488, "Not Acceptable Here");
      to.session.change({
        method: "INVITE",
        offer: (ready) => ready(description ?? sdp("wanted")),
        done: (status) =>
          status >= 200 && status < 300 ? exchange.accept(sdp("passed")) : exchange.refuse(488, "Not Acceptable Here"),
      });
    };
    outgoing.user.progress = (response) =>
      session?.provisional(response.status, response.reason, descriptionOf(response));
    outgoing.user.answer = (description) => void (answer = description);
    outgoing.on = (what) => {
      if (what === "accepted") session?.accept(answer);
      if (what.startsWith("ended")) {
        session?.end({ status: outgoing.ended?.status ?? 480, reason: "Ended" });
      }
    };
    incoming.on = (what) => {
      if (what.startsWith("ended")) outgoing.session?.end();
    };
    outgoing.onOffer = pass(incoming);
    incoming.onOffer = pass(outgoing);
    server.call(`${user}@${callee}:5060`, descriptionOf(request), outgoing);
  };
}

async function run(seed: number, calls: number, faults: { loss: number; duplication: number; jitterMs: number }) {
  const universe = new VirtualUniverse(seed);
  universe.setFaults({ delayMs: 5, ...faults });
  const caller = await Agent.at(universe, "192.0.2.11");
  const server = await Agent.at(universe, "192.0.2.1");
  const callee = await Agent.at(universe, "192.0.2.12");
  const quiet = universe.pending;
  relay(server, "192.0.2.12");
  const plan = { calls, spreadMs: calls * 20, describe: (name: string) => sdp(name) };
  const simulation = new Simulation(universe, caller, callee, plan, seed);
  simulation.start("192.0.2.1:5060");
  await universe.advance(plan.spreadMs + 400_000);
  return { universe, caller, server, callee, simulation, quiet };
}

function nothingLeft(simulation: Simulation, agents: readonly Agent[]): void {
  const { outcome, faults, legs } = simulation;
  expect(faults).toEqual([]);
  expect(legs.filter(({ leg }) => !leg.ended).map(({ name, leg }) => `${name}: ${leg.log.join(", ")}`)).toEqual([]);
  expect(outcome.reinvitesDone).toBe(outcome.reinvites);
  for (const agent of agents) {
    expect(agent.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
    expect(agent.dialogs.size).toBe(0);
  }
}

test("500 calls through a relay that passes every offer on end without a trace", async () => {
  const it = await run(7, 500, { loss: 0.05, duplication: 0.03, jitterMs: 120 });
  expect(it.simulation.outcome.answered).toBeGreaterThan(250);
  nothingLeft(it.simulation, [it.caller, it.server, it.callee]);
  expect(it.universe.pending).toBe(it.quiet);
}, 60_000);

const CALLER = "192.0.2.11";
const CALLEE = "192.0.2.12";

function phone(name: string, direction: string): Uint8Array {
  const host = name.startsWith("callee") ? CALLEE : CALLER;
  return new TextEncoder().encode([
    "v=0",
    `o=- 1 1 IN IP4 ${host}`,
    "s=-",
    `c=IN IP4 ${host}`,
    "t=0 0",
    "m=audio 4000 RTP/AVP 0 8",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    `a=${direction}`,
    "",
  ].join("\r\n"));
}

/** The whole server, with a crowd on either side of it. */
async function crowds(calls: number, spreadMs: number, seed: number, options: {
  readonly protocol?: "udp" | "tcp";
  readonly faults?: Parameters<VirtualUniverse["setFaults"]>[0];
}) {
  const protocol = options.protocol ?? "udp";
  const target = `sip:\${exten}@${CALLEE}${protocol === "tcp" ? ";transport=tcp" : ""}`;
  const patchbay = await server({
    core: {
      transports: { only: { bind: `${protocol}:${SERVER}:5060` } },
      endpoints: { crowd: { callLimit: 100_000, mohPassthrough: true, "100rel": "peer_supported" } },
      limits: { knownRate: 1_000_000, strangerBurst: 1_000_000, strangerRate: 1_000_000 },
    },
    endpoint_identifier_ip: { identifies: { crowd: { endpoint: "crowd", match: ["192.0.2.0/24"] } } },
    session: {},
    sdp_rtp: { rtpStart: 10_000, rtpEnd: 60_000 },
    dialplan: { default: { "_7.": `dial(crowd/${target}, 60s)` } },
  });
  const { universe } = patchbay;
  universe.setFaults({ delayMs: 5, ...options.faults });
  const caller = await Agent.at(universe, CALLER, protocol);
  const callee = await Agent.at(universe, CALLEE, protocol);
  const quiet = universe.pending;
  const simulation = new Simulation(universe, caller, callee, { calls, spreadMs, describe: phone }, seed);
  simulation.start(`${SERVER}:5060`);
  await universe.advance(spreadMs + 400_000);
  nothingLeft(simulation, [caller, callee]);
  expect(patchbay.told("call.started").length).toBeGreaterThan(calls * 1.6);
  expect(patchbay.told("call.ended")).toHaveLength(patchbay.told("call.started").length);
  for (const gauge of ["session.channels", "session.dialogs", "core.server_transactions", "core.client_transactions"]) {
    expect(`${gauge} ${patchbay.counter(gauge)}`).toBe(`${gauge} 0`);
  }
  expect(patchbay.media.counts).toEqual({ streams: 0, conferences: 0 });
  expect(patchbay.log.filter(({ level }) => level === "error")).toEqual([]);
  return { universe, simulation, quiet };
}

test("5,000 calls through the server over a network that loses, doubles and reorders end without a trace", async () => {
  const faults = { loss: 0.05, duplication: 0.03, jitterMs: 120 };
  const { universe, simulation, quiet } = await crowds(5000, 150_000, 11, { faults });
  expect(simulation.outcome.answered).toBeGreaterThan(2500);
  expect(universe.pending).toBe(quiet);
}, 120_000);

test("on a good network, over UDP and over TCP, no call ends for want of an answer", async () => {
  for (const protocol of ["udp", "tcp"] as const) {
    const { simulation } = await crowds(150, 30_000, 5, { protocol });
    const { outcome, legs } = simulation;
    expect(outcome.answered).toBeGreaterThan(75);
    expect(legs.filter(({ leg }) => leg.ended?.by === "timeout").map(({ name, leg }) => `${name}: ${leg.log}`)).toEqual(
      [],
    );
    const count = (what: string) => legs.filter(({ leg }) => leg.log.includes(what)).length;
    // An answer that crosses the caller's hang-up is confirmed at the called side only.
    expect(count("confirmed")).toBeGreaterThanOrEqual(count("accepted"));
    expect(count("accepted")).toBeGreaterThan(75);
  }
}, 60_000);
