// A whole server in a virtual universe, and phones of bytes around it: what the call tests speak with.
import type { AnyModule } from "../../src/kernel/configuration.ts";
import type { EventName, Events } from "../../src/kernel/events.ts";
import { bootKernel, type Kernel, offer } from "../../src/kernel/kernel.ts";
import type { LogRecord } from "../../src/kernel/log.ts";
import { media, sessions } from "../../src/kernel/services.ts";
import { dialplanEngine } from "../../src/kernel/dialplan.ts";
import { engine } from "../../src/dialplan/engine.ts";
import core from "../../src/modules/core/module.ts";
import dialplan from "../../src/modules/dialplan.ts";
import identifierIp from "../../src/modules/endpoint_identifier_ip/module.ts";
import registrar from "../../src/modules/registrar/module.ts";
import sdpRtp from "../../src/modules/sdp_rtp/module.ts";
import session from "../../src/modules/session/module.ts";
import { answerTo, header, RawPeer } from "../sip/dialog/agent.ts";
import { VirtualMedia } from "../virtual_media.ts";
import { VirtualUniverse } from "../virtual_world.ts";

export const SERVER = "192.0.2.1";
const modules: readonly AnyModule[] = [core, session, sdpRtp, dialplan, registrar, identifierIp];

export interface Options {
  readonly dialplan: Readonly<Record<string, unknown>>;
  /** Further fields of every endpoint. */
  readonly endpoint?: Readonly<Record<string, unknown>>;
  readonly sdpRtp?: Readonly<Record<string, unknown>>;
  /** Further fields of single endpoints. */
  readonly endpoints?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Further modules, without options. */
  readonly modules?: readonly AnyModule[];
}

export class CallServer {
  readonly events: { readonly name: EventName; readonly data: Events[EventName] }[] = [];
  readonly log: LogRecord[] = [];
  readonly media: VirtualMedia;
  kernel!: Kernel;

  private constructor(readonly universe: VirtualUniverse, readonly world: ReturnType<VirtualUniverse["host"]>) {
    this.media = new VirtualMedia(world);
  }

  /** Endpoints alice, bob, carol and trunk at 192.0.2.10, .11, .12 and .20, port 5060, known by their address. */
  static async start(options: Options): Promise<CallServer> {
    const universe = new VirtualUniverse();
    const server = new CallServer(universe, universe.host(SERVER));
    const names = Object.entries(addresses);
    server.kernel = await bootKernel({
      world: server.world,
      modules: [...modules, ...options.modules ?? []],
      services: [offer(media, server.media), offer(dialplanEngine, engine)],
      log: (record) => server.log.push(record),
      manifest: {
        core: {
          transports: { udp: { bind: `udp:${SERVER}:5060` } },
          endpoints: Object.fromEntries(
            names.map((
              [id],
            ) => [id, {
              context: "internal",
              aors: id,
              timers: "no",
              ...options.endpoint,
              ...options.endpoints?.[id],
            }]),
          ),
          aors: Object.fromEntries(names.map(([id, host]) => [id, { contact: [`sip:${id}@${host}:5060`] }])),
        },
        session: {},
        sdp_rtp: { rtpStart: 10000, rtpEnd: 10100, ...options.sdpRtp },
        registrar: {},
        endpoint_identifier_ip: {
          identifies: Object.fromEntries(names.map(([id, host]) => [id, { endpoint: id, match: [host] }])),
        },
        dialplan: { internal: options.dialplan },
        ...Object.fromEntries((options.modules ?? []).map(({ name }) => [name, {}])),
      },
    });
    server.kernel.host.events.all((name, data) => server.events.push({ name, data }));
    return server;
  }

  phone(id: keyof typeof addresses): Promise<Phone> {
    return Phone.at(this, id);
  }

  /** Names of the events so far, without those of steps and media. */
  get story(): readonly string[] {
    return this.events.map((e) => e.name).filter((name) => name.startsWith("call.") || name.startsWith("conference."));
  }

  /** Nothing is left of any call. */
  async expectIdle(): Promise<void> {
    await this.universe.advance(64_000);
    const channels = this.kernel.find(sessions)?.channels.length;
    const left = { ...this.media.counts, channels };
    if (left.streams + left.conferences + (channels ?? 0) > 0) throw new Error(`left over: ${JSON.stringify(left)}`);
  }
}

export const addresses = {
  alice: "192.0.2.10",
  bob: "192.0.2.11",
  carol: "192.0.2.12",
  trunk: "192.0.2.20",
} as const;

/** A description of one audio line at a phone's address. */
export function description(host: string, port: number, ...lines: readonly string[]): string {
  const body = lines.some((line) => line.startsWith("m="))
    ? lines
    : [`m=audio ${port} RTP/AVP 0 8 101`, "a=rtpmap:101 telephone-event/8000", ...lines];
  return ["v=0", `o=- 7 ${port} IN IP4 ${host}`, "s=-", `c=IN IP4 ${host}`, "t=0 0", ...body].join("\r\n") + "\r\n";
}

export const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);
/** Port of the audio line in a message. */
export const audioPort = (text: string): number => Number(/m=audio (\d+)/.exec(bodyOf(text))?.[1] ?? 0);

/** A phone of bytes: asks and answers as its test says. */
export class Phone {
  #cseq = 0;
  #calls = 0;
  /** The dialog of the last call. */
  #dialog: { callId: string; from: string; to: string; target: string } | undefined;

  private constructor(
    readonly server: CallServer,
    readonly id: string,
    readonly host: string,
    readonly peer: RawPeer,
  ) {}

  static async at(server: CallServer, id: keyof typeof addresses): Promise<Phone> {
    return new Phone(server, id, addresses[id], await RawPeer.at(server.universe, addresses[id]));
  }

  get port(): number {
    return 20000 + Number(this.host.split(".").at(-1)) * 10;
  }

  sdp(...lines: readonly string[]): string {
    return description(this.host, this.port, ...lines);
  }

  #send(text: string): void {
    this.peer.send(text, SERVER);
  }

  #request(
    method: string,
    options: { readonly body?: string; readonly type?: string; readonly cseq?: number; readonly lines?: string[] } = {},
  ) {
    const dialog = this.#dialog;
    if (dialog === undefined) throw new Error(`${this.id} is in no call`);
    const body = options.body ?? "";
    this.#send([
      `${method} ${dialog.target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.host}:5060;branch=z9hG4bK${this.id}${method}${this.#cseq}.${this.#calls}`,
      "Max-Forwards: 70",
      `From: ${dialog.from}`,
      `To: ${dialog.to}`,
      `Call-ID: ${dialog.callId}`,
      `CSeq: ${options.cseq ?? this.#cseq} ${method}`,
      `Contact: <sip:${this.id}@${this.host}:5060>`,
      ...options.lines ?? [],
      ...body ? [`Content-Type: ${options.type ?? "application/sdp"}`] : [],
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n"));
  }

  /** Sends an INVITE; `settle` lets the answers come. */
  async invite(number: string, body = this.sdp()): Promise<void> {
    this.#calls++;
    this.#cseq = 1;
    this.#dialog = {
      callId: `call-${this.id}-${this.#calls}`,
      from: `"${this.id}" <sip:${this.id}@${SERVER}>;tag=${this.id}${this.#calls}`,
      to: `<sip:${number}@${SERVER}>`,
      target: `sip:${number}@${SERVER}`,
    };
    this.#request("INVITE", { body });
    await this.settle();
  }

  async settle(ms = 50): Promise<void> {
    await this.server.universe.advance(ms);
  }

  /** The last response to the INVITE, as "200" or "486 Busy Here". */
  get status(): string {
    return this.peer.last("SIP/2.0").split("\r\n")[0]?.slice(8, 11) ?? "";
  }

  /** ACKs the last 2xx and takes its tag and target into the dialog. */
  async ack(): Promise<string> {
    const ok = this.peer.last("SIP/2.0 200");
    if (this.#dialog) {
      this.#dialog.to = header(ok, "To");
      this.#dialog.target = /<(.*?)>/.exec(header(ok, "Contact"))?.[1] ?? this.#dialog.target;
    }
    this.#request("ACK");
    await this.settle();
    return ok;
  }

  async cancel(): Promise<void> {
    const dialog = this.#dialog;
    if (dialog === undefined) return;
    const invite = `z9hG4bK${this.id}INVITE${this.#cseq}.${this.#calls}`;
    this.#send([
      `CANCEL ${dialog.target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.host}:5060;branch=${invite}`,
      "Max-Forwards: 70",
      `From: ${dialog.from}`,
      `To: ${dialog.to}`,
      `Call-ID: ${dialog.callId}`,
      `CSeq: ${this.#cseq} CANCEL`,
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n"));
    await this.settle();
  }

  /** A new offer inside the call; answers the 200. */
  async reinvite(body: string): Promise<string> {
    this.#cseq++;
    this.#request("INVITE", { body });
    await this.settle();
    const ok = this.peer.last("SIP/2.0 200");
    this.#request("ACK");
    await this.settle();
    return ok;
  }

  /** Sends an INFO within the call. */
  info(type: string, body: string): void {
    this.#cseq++;
    this.#request("INFO", { body, type });
  }

  async bye(): Promise<void> {
    this.#cseq++;
    this.#request("BYE");
    await this.settle();
  }

  /** The INVITE that rings here. */
  get ringing(): string {
    return this.peer.last("INVITE ");
  }

  async answer(status: string, body = ""): Promise<void> {
    const invite = this.ringing;
    const contact = [`Contact: <sip:${this.id}@${this.host}:5060>`];
    this.#send(answerTo(invite, status, { tag: `${this.id}tag`, body, lines: contact }));
    if (status.startsWith("2")) {
      this.#cseq = 1;
      this.#dialog = {
        callId: header(invite, "Call-ID"),
        from: `${header(invite, "To").replace(/;tag=.*$/, "")};tag=${this.id}tag`,
        to: header(invite, "From"),
        target: /<(.*?)>/.exec(header(invite, "Contact"))?.[1] ?? "",
      };
    }
    await this.settle();
  }

  /** Answers a request of the server inside the call. */
  async reply(method: string, status: string, body = ""): Promise<string> {
    const request = this.peer.last(`${method} `);
    const contact = [`Contact: <sip:${this.id}@${this.host}:5060>`];
    this.#send(answerTo(request, status, { tag: `${this.id}tag`, body, lines: contact }));
    await this.settle();
    return request;
  }

  /** Requests of this method that came, each once. */
  count(method: string): number {
    return new Set(this.peer.all(`${method} `).map(({ text }) => header(text, "CSeq") + header(text, "Call-ID"))).size;
  }
}
