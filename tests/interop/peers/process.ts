// A real program that we started: its output, its end. Ended by its id, never by name.
import type { Subprocess } from "bun";

export class Peer {
  output = "";
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #waiting = new Set<() => void>();

  constructor(readonly command: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
    this.#process = Bun.spawn([...command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#drain(this.#process.stdout);
    void this.#drain(this.#process.stderr);
    void this.#process.exited.then(() => this.#wake());
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  get exited(): Promise<number> {
    return this.#process.exited;
  }

  write(line: string): void {
    this.#process.stdin.write(line + "\n");
    this.#process.stdin.flush();
  }

  /** Waits until the output since `from` (characters) matches; answers the match. */
  async expect(pattern: RegExp, seconds = 10, from = 0): Promise<RegExpMatchArray> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const match = this.output.slice(from).match(pattern);
      if (match) return match;
      const left = deadline - Date.now();
      if (left <= 0 || this.#process.exitCode !== null) {
        const state = this.#process.exitCode === null ? "still runs" : `ended with ${this.#process.exitCode}`;
        throw new Error(
          `${this.command[0]} (${state}) did not say ${pattern}; it said:\n${this.output.slice(from).slice(-3000)}`,
        );
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, Math.min(left, 250));
        this.#waiting.add(wake);
      });
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** TERM, and KILL after 3 s. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill("SIGTERM");
    const kill = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    await this.#process.exited;
    clearTimeout(kill);
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder("utf-8");
    for await (const chunk of stream) {
      this.output += decoder.decode(chunk, { stream: true });
      this.#wake();
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

export const sleep = (ms: number): Promise<void> => Bun.sleep(ms);
