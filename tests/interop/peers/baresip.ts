// baresip as a phone: WAV in, WAV out, steered over its ctrl_tcp port.
import { readdirSync, rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readWav, type Sound, writeWav } from "../audio.ts";
import { Peer } from "./process.ts";

const MODULES = "/usr/lib/baresip/modules";

export interface BaresipOptions {
  readonly user: string;
  readonly password?: string;
  readonly server: string; // "127.0.0.1:5060"
  readonly transport?: "udp" | "tcp" | "tls";
  readonly register?: boolean; // default true
  readonly port: number; // of its own; +1 is taken too
  readonly ctrlPort: number;
  readonly rtpPorts: readonly [number, number];
  readonly speaks: Sound;
  readonly codecs?: readonly string[]; // modules: "g711", "g722", "opus"
  readonly audioCodecs?: string; // account's audio_codecs, "PCMA/8000"
  readonly answer?: "auto" | "manual";
  readonly account?: string; // more account parameters
  readonly modules?: readonly string[];
  readonly settings?: string; // more lines of its configuration
}

export class Baresip {
  readonly #events: { type: string; param?: string }[] = [];
  #responses: ((text: string) => void)[] = [];
  #buffer = "";

  private constructor(
    readonly options: BaresipOptions,
    readonly dir: string,
    readonly peer: Peer,
    readonly control: Socket,
  ) {
    control.on("data", (chunk) => this.#read(chunk.toString()));
    control.on("error", () => undefined); // the phone was stopped: `peer.exited` tells
  }

  static async start(options: BaresipOptions): Promise<Baresip> {
    const dir = await mkdtemp(join(tmpdir(), `baresip-${options.user}-`));
    await mkdir(join(dir, "sound"));
    const rate = options.speaks.sampleRate;
    await Bun.write(join(dir, "speaks.wav"), writeWav(options.speaks));
    const codecs = options.codecs ?? ["g711"];
    await Bun.write(
      join(dir, "config"),
      `poll_method epoll
sip_listen 127.0.0.1:${options.port}
net_interface 127.0.0.1
call_max_calls 8
audio_source aufile,${join(dir, "speaks.wav")}
audio_player aubridge,${options.user}
audio_alert aubridge,${options.user}-alert
ausrc_srate ${rate}
auplay_srate ${rate}
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports ${options.rtpPorts[0]}-${options.rtpPorts[1]}
rtp_stats yes
jitter_buffer_delay 1-5
${options.settings ?? ""}
module_path ${MODULES}
${codecs.map((c) => `module ${c}.so`).join("\n")}
module aufile.so
module aubridge.so
module sndfile.so
${(options.modules ?? []).map((m) => `module ${m}.so`).join("\n")}
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
snd_path ${join(dir, "sound")}
ctrl_tcp_listen 127.0.0.1:${options.ctrlPort}
`,
    );
    const params = [
      `transport=${options.transport ?? "udp"}`,
    ];
    const account = [
      `<sip:${options.user}@${options.server};${params.join(";")}>`,
      options.password === undefined ? "" : `auth_user=${options.user};auth_pass=${options.password}`,
      `regint=${options.register === false ? 0 : 600}`,
      `answermode=${options.answer ?? "auto"}`,
      options.audioCodecs ? `audio_codecs=${options.audioCodecs}` : "",
      options.account ?? "",
    ].filter((p) => p !== "").join(";");
    await Bun.write(join(dir, "accounts"), account + "\n");
    await Bun.write(join(dir, "contacts"), "");
    const peer = new Peer(["baresip", "-f", dir]);
    try {
      await peer.expect(/baresip is ready/);
      const phone = new Baresip(options, dir, peer, await connect(options.ctrlPort));
      if (options.register !== false && options.password !== undefined) await phone.registered();
      return phone;
    } catch (error) {
      await peer.stop();
      throw error;
    }
  }

  /** Resolves when the registration was answered 200; rejects when it failed. */
  async registered(): Promise<void> {
    const match = await this.peer.expect(
      /(\d{3} [^\n]*\[\d+ bindings?\]|\d{3} OK|reg: [^\n]*failed|Forbidden|\b40[13] )/i,
      10,
    );
    if (!/200 OK/.test(match[0])) throw new Error(`registration failed: ${match[0]}`);
  }

  async command(command: string, params = ""): Promise<string> {
    const message = JSON.stringify({ command, params, token: "t" });
    const answer = new Promise<string>((resolve) => this.#responses.push(resolve));
    this.control.write(`${Buffer.byteLength(message)}:${message},`);
    return await answer;
  }

  dial(target: string): Promise<string> {
    return this.command("dial", target);
  }

  /** Presses keys one after the other, a quarter of a second each. */
  async press(digits: string): Promise<void> {
    for (const digit of digits) {
      await this.command("sndcode", digit);
      await Bun.sleep(250);
      await this.command("sndcode", "\x04"); // key released
      await Bun.sleep(150);
    }
  }

  hangup(): Promise<string> {
    return this.command("hangup");
  }

  /** Waits for an event such as CALL_ESTABLISHED, CALL_CLOSED, CALL_INCOMING; answers its parameter. Consumes up to it. */
  async event(type: string, seconds = 10): Promise<string> {
    const deadline = Date.now() + seconds * 1000;
    while (Date.now() < deadline) {
      const at = this.#events.findIndex((e) => e.type === type);
      if (at >= 0) {
        const [found] = this.#events.splice(0, at + 1).slice(-1);
        return found?.param ?? "";
      }
      await Bun.sleep(20);
    }
    throw new Error(
      `${this.options.user}: no ${type}; seen ${this.#events.map((e) => e.type)}; it said:\n${
        this.peer.output.slice(-2000)
      }`,
    );
  }

  /** Sound heard in the call number `call` (from 0, in the order they began). */
  async heard(call = 0): Promise<Sound> {
    const files = readdirSync(join(this.dir, "sound")).filter((f) => f.endsWith("-dec.wav")).sort();
    const file = files[call];
    if (file === undefined) throw new Error(`${this.options.user} recorded no call ${call}: ${files}`);
    return readWav(new Uint8Array(await Bun.file(join(this.dir, "sound", file)).arrayBuffer()));
  }

  async stop(): Promise<void> {
    await this.peer.stop();
    this.control.destroy();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #read(text: string): void {
    this.#buffer += text;
    for (;;) {
      const colon = this.#buffer.indexOf(":");
      const octets = Number(this.#buffer.slice(0, colon));
      if (colon < 0 || this.#buffer.length < colon + 1 + octets + 1) return;
      const message = JSON.parse(this.#buffer.slice(colon + 1, colon + 1 + octets));
      this.#buffer = this.#buffer.slice(colon + 2 + octets);
      if (message.event) this.#events.push({ type: message.type, param: message.param });
      else this.#responses.shift()?.(String(message.data ?? ""));
    }
  }
}

async function connect(port: number): Promise<Socket> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const socket = createConnection({ host: "127.0.0.1", port });
      socket.once("connect", () => resolve(socket));
      socket.once("error", () => resolve(undefined));
    });
    if (socket) return socket;
    if (Date.now() > deadline) throw new Error(`no control connection on port ${port}`);
    await Bun.sleep(50);
  }
}
