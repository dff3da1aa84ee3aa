import type { SipResponse } from "../sip/message/message.ts";
import { reply } from "../sip/message/reply.ts";
import { SipError } from "./errors.ts";
import type { Stages } from "./services.ts";
import {
  type InboundContext,
  type InboundHandler,
  type InboundStage,
  inboundStages,
  type Observation,
  type Observer,
  type OutboundContext,
  type OutboundHandler,
  type OutboundStage,
  outboundStages,
} from "./stages.ts";

/** The module a handler belongs to, as far as running it goes. */
export interface Blame {
  readonly module: string;
  /** Threw too often: its handlers are not called. */
  readonly disabled: boolean;
  fault(where: string, error: unknown): void;
}

interface Held<H> {
  readonly run: H;
  readonly blame: Blame;
}

/** Handlers of one stage: those placed first, the others, those placed last; in each, in order of set-up. */
class Handlers<H> {
  #first: Held<H>[] = [];
  #middle: Held<H>[] = [];
  #last: Held<H>[] = [];
  all: readonly Held<H>[] = [];

  add(held: Held<H>, place: "first" | "last" | undefined): () => void {
    (place === "first" ? this.#first : place === "last" ? this.#last : this.#middle).push(held);
    this.#join();
    return () => {
      [this.#first, this.#middle, this.#last] = [this.#first, this.#middle, this.#last]
        .map((list) => list.filter((other) => other !== held)) as [Held<H>[], Held<H>[], Held<H>[]];
      this.#join();
    };
  }

  #join(): void {
    this.all = [...this.#first, ...this.#middle, ...this.#last];
  }
}

/** A module that may not look at a request here must not thereby let it pass. */
const guarding: ReadonlySet<InboundStage> = new Set(["filter", "acl", "authenticate"]);

/** Who hangs in which stage, and the running of them with the faults put to their modules. */
export class StageTable implements Stages {
  readonly #inbound = new Map(inboundStages.map((stage) => [stage, new Handlers<InboundHandler>()]));
  readonly #outbound = new Map(outboundStages.map((stage) => [stage, new Handlers<OutboundHandler>()]));
  readonly #observers = new Handlers<Observer>();
  /** Set while modules are exchanged: requests wait for whichever set stays. */
  changing: Promise<void> | undefined;

  addInbound(stage: InboundStage, run: InboundHandler, place: "first" | "last" | undefined, blame: Blame): () => void {
    return this.#at(this.#inbound, stage).add({ run, blame }, place);
  }

  addOutbound(
    stage: OutboundStage,
    run: OutboundHandler,
    place: "first" | "last" | undefined,
    blame: Blame,
  ): () => void {
    return this.#at(this.#outbound, stage).add({ run, blame }, place);
  }

  addObserver(run: Observer, blame: Blame): () => void {
    return this.#observers.add({ run, blame }, undefined);
  }

  #at<K, H>(table: ReadonlyMap<K, Handlers<H>>, stage: K): Handlers<H> {
    const handlers = table.get(stage);
    if (!handlers) throw new TypeError(`there is no stage "${String(stage)}"`);
    return handlers;
  }

  async inbound(context: InboundContext): Promise<SipResponse | undefined> {
    while (this.changing) await this.changing;
    for (const [stage, handlers] of this.#inbound) {
      for (const { run, blame } of handlers.all) {
        if (blame.disabled) {
          if (!guarding.has(stage)) continue;
          return reply(context.request, 503, "Service Unavailable");
        }
        try {
          const answer = run(context);
          const response = answer instanceof Promise ? await answer : answer;
          if (response) return response;
        } catch (error) {
          if (error instanceof SipError) return reply(context.request, error.status, error.reason);
          blame.fault(`stage ${stage}`, error);
          return reply(context.request, 500, "Server Internal Error");
        }
      }
    }
    return undefined;
  }

  outbound(context: OutboundContext): void {
    for (const [stage, handlers] of this.#outbound) {
      for (const { run, blame } of handlers.all) {
        if (blame.disabled) continue;
        try {
          run(context);
        } catch (error) {
          blame.fault(`stage ${stage}`, error);
        }
      }
    }
  }

  observe(observation: Observation): void {
    for (const { run, blame } of this.#observers.all) {
      if (blame.disabled) continue;
      try {
        run(observation);
      } catch (error) {
        blame.fault("observer", error);
      }
    }
  }
}
