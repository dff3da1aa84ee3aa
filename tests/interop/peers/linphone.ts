// linphonec as a phone: WAV in, WAV out, steered by its prompt.
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readWav, type Sound, writeWav } from "../audio.ts";
import { Peer } from "./process.ts";

export interface LinphoneOptions {
  readonly user: string;
  readonly password: string;
  readonly server: string; // "127.0.0.1:5060"
  readonly port: number;
  readonly rtpPort: number;
  readonly speaks: Sound;
  readonly transport?: "udp" | "tcp" | "tls"; // TLS: whatever certificate the server has
  readonly encryption?: "srtp";
  readonly settings?: string; // more lines of its configuration
}

export class Linphone {
  private constructor(readonly options: LinphoneOptions, readonly dir: string, readonly peer: Peer) {}

  /** Starts and asks for a registration; its prompt does not tell what came of it. */
  static async start(options: LinphoneOptions): Promise<Linphone> {
    const dir = await mkdtemp(join(tmpdir(), `linphone-${options.user}-`));
    await Bun.write(join(dir, "speaks.wav"), writeWav(options.speaks));
    const transport = options.transport ?? "udp";
    const listens = (protocol: string) => protocol === transport ? options.port : -1;
    await Bun.write(
      join(dir, "rc"),
      `[sip]
sip_port=${listens("udp")}
sip_tcp_port=${listens("tcp")}
sip_tls_port=${listens("tls")}
verify_server_certs=0
verify_server_cn=0
guess_hostname=0
contact=sip:${options.user}@127.0.0.1
use_ipv6=0
media_encryption=${options.encryption ?? "none"}
[rtp]
audio_rtp_port=${options.rtpPort}
[net]
mtu=1300
[misc]
uuid=00000000-0000-4000-8000-${options.port.toString().padStart(12, "0")}
${options.settings ?? ""}
`,
    );
    // without this folder it never opens its sockets
    await mkdir(join(dir, ".local/share/linphone"), { recursive: true });
    const peer = new Peer(["linphonec", "-c", join(dir, "rc")], { env: { HOME: dir } });
    try {
      await peer.expect(/linphonec> /);
      peer.write("soundcard use files");
      await peer.expect(/Using wav files/);
      peer.write(`play ${join(dir, "speaks.wav")}`);
      peer.write(`record ${join(dir, "heard.wav")}`);
      const phone = new Linphone(options, dir, peer);
      peer.write(
        `register sip:${options.user}@${options.server} sip:${options.server}${
          transport === "udp" ? "" : `;transport=${transport}`
        } ${options.password}`,
      );
      return phone;
    } catch (error) {
      await peer.stop();
      throw error;
    }
  }

  /** Calls and waits until it is answered. */
  async call(target: string): Promise<void> {
    const from = this.peer.output.length;
    this.peer.write(`call ${target}`);
    await this.peer.expect(/Call \d+ with .* connected|Media streams established|Call answered/i, 15, from);
  }

  async answer(): Promise<void> {
    await this.peer.expect(/Receiving new incoming call|is contacting you/i, 15);
    this.peer.write("answer");
  }

  command(line: string): void {
    this.peer.write(line);
  }

  async heard(): Promise<Sound> {
    return readWav(new Uint8Array(await Bun.file(join(this.dir, "heard.wav")).arrayBuffer()));
  }

  async stop(): Promise<void> {
    this.peer.write("terminate");
    this.peer.write("quit");
    await Promise.race([this.peer.exited, Bun.sleep(3000)]);
    await this.peer.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
