import { expect, test } from "bun:test";
import { descriptionOf } from "../../../src/sip/dialog/description.ts";
import type { SipRequest } from "../../../src/sip/message/message.ts";
import { VirtualUniverse } from "../../virtual_world.ts";
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

test("5,000 calls over a network that loses, doubles and reorders end without a trace", async () => {
  const it = await run(7, 5000, { loss: 0.05, duplication: 0.03, jitterMs: 120 });
  const { outcome, faults, legs } = it.simulation;
  expect(faults).toEqual([]);
  expect(outcome.started).toBe(5000);
  expect(legs.filter(({ leg }) => !leg.ended).map(({ name, leg }) => `${name}: ${leg.log.join(", ")}`)).toEqual([]);
  expect(outcome.answered).toBeGreaterThan(2500);
  expect(outcome.reinvitesDone).toBe(outcome.reinvites);
  for (const agent of [it.caller, it.server, it.callee]) {
    expect(agent.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
    expect(agent.dialogs.size).toBe(0);
  }
  expect(it.universe.pending).toBe(it.quiet);
}, 30_000);
