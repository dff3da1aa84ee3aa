// The native helpers of the media benches: compiled on the spot, driven by their standard input and output.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Compiles bench/native/<name>.c with gcc -O2; the path of the program. */
export function compile(name: string, ...options: readonly string[]): string {
  const program = join(mkdtempSync(join(tmpdir(), "bench-")), name);
  const source = join(import.meta.dir, "native", `${name}.c`);
  const { exitCode, stderr } = Bun.spawnSync(["gcc", "-O2", "-o", program, source, ...options]);
  if (exitCode !== 0) throw new Error(`gcc: ${stderr}`);
  return program;
}

/** Lines of a stream, one at a time. */
export class Lines {
  readonly #reader;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the program ended early");
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  async numbers(count: number): Promise<number[]> {
    const numbers = [];
    for (let i = 0; i < count; i++) numbers.push(Number(await this.next()));
    return numbers;
  }
}

/** Phones that each send 50 packets a second to their port once they are told it. */
export class Phones {
  readonly #program;
  readonly #lines: Lines;

  constructor(program: string, readonly legs: number, seconds: number) {
    this.#program = Bun.spawn([program, String(legs), String(seconds)], { stdin: "pipe", stdout: "pipe" });
    this.#lines = new Lines(this.#program.stdout);
  }

  /** Their ports. */
  ports(): Promise<number[]> {
    return this.#lines.numbers(this.legs);
  }

  /** Speaks to `ports` until the time is over. */
  async speak(ports: readonly number[]): Promise<{ readonly sent: number; readonly received: number }> {
    this.#program.stdin.write(ports.join("\n") + "\n");
    this.#program.stdin.end();
    const [sent = 0, received = 0] = (await this.#lines.next()).split(" ").map(Number);
    return { sent, received };
  }
}

/** What the bench says towards a phone. */
export function towards(port: number) {
  const codec = { name: "PCMU", payloadType: 0, clockRate: 8000, channels: 1, ptimeMs: 20 };
  return {
    remote: { host: "127.0.0.1", port },
    remoteRtcp: undefined,
    sending: true,
    receiving: true,
    codec,
    accepted: [codec],
    followPeerCodec: true,
    telephoneEvent: undefined,
    rtcpMux: false,
    symmetric: false,
    strictSource: "yes" as const,
    timeoutSeconds: 0,
    keepaliveSeconds: 0,
    rtcpIntervalMs: 60_000,
    cname: "bench@127.0.0.1",
    detectDtmf: false,
  };
}
