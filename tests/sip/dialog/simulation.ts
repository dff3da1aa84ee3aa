// Two crowds of user agents and what they do to each other through a server in the middle: the plan of each call is drawn
// from a seed, the network loses, doubles, delays and reorders, and in the end nothing may be left anywhere.
import type { Random } from "../../../src/world/world.ts";
import { seededRandom, type VirtualUniverse } from "../../virtual_world.ts";
import { type Agent, Leg } from "./agent.ts";

export interface Plan {
  readonly calls: number;
  readonly spreadMs: number; // the calls begin within this time
  /** A description an agent sends; `name` tells them apart. */
  describe(name: string, direction: "sendrecv" | "sendonly" | "inactive"): Uint8Array;
}

export interface Outcome {
  started: number;
  answered: number;
  rejected: number;
  ended: number;
  reinvites: number;
  reinvitesDone: number;
  glares: number;
  infos: number;
}

/** What the called side will do, by the user part of the Request-URI. */
interface Fate {
  readonly ringMs: number;
  readonly early: boolean;
  readonly does: "answer" | "reject" | "nothing";
}

export class Simulation {
  readonly outcome: Outcome = {
    started: 0,
    answered: 0,
    rejected: 0,
    ended: 0,
    reinvites: 0,
    reinvitesDone: 0,
    glares: 0,
    infos: 0,
  };
  readonly faults: string[] = [];
  readonly legs: { readonly name: string; readonly leg: Leg }[] = [];
  readonly #random: Random;
  readonly #fates = new Map<string, Fate>();
  /** The called side's leg of each call. */
  readonly #callees = new Map<string, Leg>();

  constructor(
    readonly universe: VirtualUniverse,
    readonly caller: Agent,
    readonly callee: Agent,
    readonly plan: Plan,
    seed: number,
  ) {
    this.#random = seededRandom(seed);
    callee.onCall = (leg, request) => {
      const name = request.uri.scheme === "sip" ? request.uri.user : "";
      this.#watch(`callee ${name}`, leg);
      this.#callees.set(name, leg);
      this.#called(name, leg);
    };
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  #after(mostMs: number, run: () => void): void {
    this.universe.after(this.#random.below(Math.max(1, mostMs)), run);
  }

  /** Draws all calls; they happen as time advances. `target`: "address:port" of the server. */
  start(target: string): void {
    for (let at = 0; at < this.plan.calls; at++) {
      const name = `7${at}`;
      const draw = this.#random.below(100);
      this.#fates.set(name, {
        ringMs: this.#random.below(4000),
        early: this.#chance(30),
        does: draw < 70 ? "answer" : draw < 85 ? "reject" : "nothing",
      });
      this.#after(this.plan.spreadMs, () => this.#call(name, target));
    }
  }

  #watch(name: string, leg: Leg): void {
    this.legs.push({ name, leg });
    let answered = 0;
    leg.on = (what) => {
      if (leg.log.filter((entry) => entry.startsWith("ended")).length > (what.startsWith("ended") ? 1 : 0)) {
        this.faults.push(`${name}: ${what} after the end`);
      }
      if (what === "accepted" && ++answered > 1) this.faults.push(`${name}: accepted twice`);
      if (what.startsWith("ended")) this.outcome.ended++;
    };
    leg.onOffer = (_description, exchange) => {
      // Taking its time, as one who opens ports does.
      this.#after(50, () => {
        if (this.#chance(10)) exchange.refuse(488, "Not Acceptable Here");
        else exchange.accept(this.plan.describe(name, "sendrecv"));
      });
    };
  }

  #call(name: string, target: string): void {
    const leg = new Leg();
    this.#watch(`caller ${name}`, leg);
    const watched = leg.on;
    leg.on = (what) => {
      watched?.(what);
      if (what === "accepted") this.#talk(name, leg);
    };
    this.outcome.started++;
    this.caller.call(`${name}@${target}`, this.plan.describe(name, "sendrecv"), leg);
    if (this.#fates.get(name)?.does === "nothing") this.#after(8000, () => leg.session?.end());
    else if (this.#chance(15)) this.#after(5000, () => leg.session?.end()); // gives up at a random moment
  }

  #called(name: string, leg: Leg): void {
    const fate = this.#fates.get(name) ?? { ringMs: 0, early: false, does: "reject" };
    const { session } = leg;
    if (!session) return;
    if (this.#chance(80)) session.provisional(180, "Ringing");
    const answer = this.plan.describe(`callee ${name}`, "sendrecv");
    this.universe.after(fate.ringMs, () => {
      if (fate.early) session.provisional(183, "Session Progress", answer);
      if (fate.does === "reject") {
        this.outcome.rejected++;
        session.end({ status: 486, reason: "Busy Here" });
      } else if (fate.does === "answer") {
        session.accept(answer);
        this.outcome.answered++;
      }
    });
    if (this.#chance(5)) this.#after(9000, () => session.end({ status: 480, reason: "Gone" }));
  }

  /** The call is up at the caller: changes of mind, then the end from one side, the other, or both. */
  #talk(name: string, caller: Leg): void {
    const ends = () => [caller, this.#callees.get(name)].filter((leg) => leg !== undefined);
    const change = (leg: Leg, direction: "sendrecv" | "sendonly") => {
      this.outcome.reinvites++;
      leg.session?.change({
        method: this.#chance(80) ? "INVITE" : "UPDATE",
        offer: (ready) => this.#after(20, () => ready(this.plan.describe(name, direction))),
        done: () => this.outcome.reinvitesDone++,
      });
    };
    const one = () => {
      const both = ends();
      return both[this.#random.below(both.length)] ?? caller;
    };
    for (let turns = this.#random.below(3); turns > 0; turns--) {
      this.#after(15_000, () => {
        const kind = this.#random.below(5);
        if (kind === 0) {
          this.outcome.glares++;
          for (const leg of ends()) change(leg, "sendrecv");
        } else if (kind === 1) {
          const holder = one();
          change(holder, "sendonly");
          this.#after(3000, () => change(holder, "sendrecv"));
        } else if (kind === 2) {
          this.outcome.infos++;
          one().session?.request("INFO", [], undefined, () => {});
        } else {
          change(one(), "sendrecv");
        }
      });
    }
    const end = (leg: Leg | undefined) => leg?.session?.end();
    this.#after(20_000, () => {
      const how = this.#random.below(3);
      if (how !== 1) end(caller);
      if (how !== 0) end(this.#callees.get(name));
      // Whoever was not there yet when its turn came is hung up for good a little later.
      this.universe.after(60_000, () => ends().forEach(end));
    });
  }
}
