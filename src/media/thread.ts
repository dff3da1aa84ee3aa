import type { MediaEvent } from "../kernel/media.ts";
import type { Answer, Command, FromWorker, Report, Request, ToWorker } from "../worker/protocol.ts";

/** What a media thread says about a stream. */
export interface StreamSink {
  event(event: MediaEvent): void;
  samples(samples: Int16Array, sampleRate: number): void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Requests that wait for an answer, of all threads: a play that moves is answered by another thread than was asked. */
export class Requests {
  readonly #waiting = new Map<number, Waiting & { thread: MediaThread }>();
  #last = 0;

  open(thread: MediaThread, waiting: Waiting): number {
    this.#last = (this.#last + 1) >>> 0 || 1; // 0: nobody waits
    this.#waiting.set(this.#last, { ...waiting, thread });
    return this.#last;
  }

  answer(id: number, value: unknown): void {
    this.#waiting.get(id)?.resolve(value);
    this.#waiting.delete(id);
  }

  refuse(id: number, why: string): void {
    this.#waiting.get(id)?.reject(new Error(why));
    this.#waiting.delete(id);
  }

  /** A thread died: nobody will answer. */
  abandon(thread: MediaThread, why: string): void {
    for (const [id, waiting] of this.#waiting) if (waiting.thread === thread) this.refuse(id, why);
  }
}

/** Signaling's end of one media thread. */
export class MediaThread {
  /** By stream number: those that live in this thread. */
  readonly sinks = new Map<number, StreamSink>();
  #ready: Waiting | undefined;
  #stopped = () => {};
  #alive = true;
  #requests: Request[] = []; // of this turn of the event loop

  constructor(readonly worker: Worker, readonly requests: Requests, readonly died: (why: string) => void) {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
    worker.onerror = ({ message }) => this.#die(message);
    worker.addEventListener("close", () => this.#die("the media thread ended"));
  }

  #post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  /** Resolves with the kind of sockets it uses. */
  start(io: "auto" | "linux" | "portable"): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#ready = { resolve: (value) => resolve(String(value)), reject };
      this.#post({ kind: "start", io });
    });
  }

  /** Rejects with the reason when the thread refuses it. */
  ask<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<Answer<K>> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) return reject(new Error("the media thread is gone"));
      // The thread answers a command with what Answers names for its kind.
      const answered = resolve as (value: unknown) => void;
      this.#request({ id: this.requests.open(this, { resolve: answered, reject }), command });
    });
  }

  /** The same for a command without an answer. One that is refused closes its stream. */
  tell(command: Command): void {
    if (!this.#alive) throw new Error("the media thread is gone");
    this.#request({ id: 0, command });
  }

  #request(request: Request): void {
    if (this.#requests.push(request) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const requests = this.#requests;
    this.#requests = [];
    if (this.#alive && requests.length > 0) this.#post({ kind: "requests", requests });
  }

  /** Closes all that is open there. */
  async stop(): Promise<void> {
    this.#flush();
    if (this.#alive) {
      await new Promise<void>((resolve) => {
        this.#stopped = resolve;
        this.#post({ kind: "stop" });
      });
    }
    this.#die("stopped");
    this.worker.terminate();
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        return this.#ready?.resolve(message.io);
      case "failed":
        return this.#die(message.why);
      case "reports":
        for (const report of message.reports) this.#report(report);
        return;
      case "samples":
        return this.sinks.get(message.stream)?.samples(message.samples, message.sampleRate);
      case "stopped":
        return this.#stopped();
    }
    message satisfies never;
  }

  #report(report: Report): void {
    switch (report.kind) {
      case "answer":
        return this.requests.answer(report.id, report.value);
      case "refused":
        return this.requests.refuse(report.id, report.why);
      case "event":
        return this.sinks.get(report.stream)?.event(report.event);
    }
    report satisfies never;
  }

  #die(why: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#ready?.reject(new Error(why));
    this.requests.abandon(this, why);
    for (const sink of [...this.sinks.values()]) sink.event({ kind: "closed", why });
    this.#stopped();
    this.died(why);
  }
}
