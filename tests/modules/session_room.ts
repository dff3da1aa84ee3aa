// A server with core and session in a virtual universe, a module that stands for the dialplan and the media, and a peer of
// bytes that calls it.
import * as v from "valibot";
import type { AnyModule } from "../../src/kernel/configuration.ts";
import type { EventName } from "../../src/kernel/events.ts";
import { bootKernel, type Kernel } from "../../src/kernel/kernel.ts";
import { defineModule } from "../../src/kernel/module.ts";
import { type Channel, identifiers, type SdpHandler, type Sessions, stack } from "../../src/kernel/services.ts";
import core from "../../src/modules/core/module.ts";
import dlgOptions from "../../src/modules/dlg_options.ts";
import session from "../../src/modules/session/module.ts";
import { header, RawPeer } from "../sip/dialog/agent.ts";
import { VirtualUniverse } from "../virtual_world.ts";

export const US = "192.0.2.1";
export const PEER = "192.0.2.9";

/** A description with one audio line, as a phone writes it. */
export const audio = (port: number, direction = "sendrecv", address = PEER) =>
  [
    "v=0",
    `o=- 1 1 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
    `a=${direction}`,
    "",
  ].join("\r\n");

/** Takes every audio line, opens nothing but counts: what session and handler promise each other, and no more. */
export class PlainHandler implements SdpHandler {
  readonly mediaTypes = ["audio"];
  readonly open = new Set<unknown>();
  /** Each offer asked for: built on what is active, or not. */
  readonly offers: ("again" | "afresh")[] = [];
  #port = 10_000;

  #describe(line: Parameters<SdpHandler["offer"]>[0], port: number) {
    const direction = line.locallyHeld ? "sendonly" : line.remotelyHeld ? "recvonly" : "sendrecv";
    return {
      type: "audio",
      port,
      protocol: "RTP/AVP",
      payloads: "0",
      rtp: [{ payload: 0, codec: "PCMU", rate: 8000 }],
      fmtp: [],
      direction: direction as "sendonly" | "recvonly" | "sendrecv", // one of the three above
      connection: { version: 4, ip: US },
    };
  }

  #take(line: Parameters<SdpHandler["offer"]>[0]): number {
    this.open.add(line);
    if (typeof line.state !== "number") line.state = this.#port += 2;
    return typeof line.state === "number" ? line.state : 0;
  }

  async offer(line: Parameters<SdpHandler["offer"]>[0], previous: Parameters<SdpHandler["offer"]>[1]) {
    this.offers.push(previous ? "again" : "afresh");
    const port = this.#take(line);
    await Promise.resolve();
    return this.#describe({ ...line, locallyHeld: line.locallyHeld, remotelyHeld: false }, port);
  }

  async answer(line: Parameters<SdpHandler["answer"]>[0], offered: Parameters<SdpHandler["answer"]>[1]) {
    if (offered.payloads !== "0" && !offered.payloads?.split(" ").includes("0")) return "decline" as const;
    await Promise.resolve();
    return this.#describe(line, this.#take(line));
  }

  async apply(line: Parameters<SdpHandler["apply"]>[0]) {
    line.codec = "ulaw";
    return true;
  }

  async stop(line: Parameters<SdpHandler["stop"]>[0]) {
    this.open.delete(line);
  }
}

export interface RoomOptions {
  readonly endpoint?: Readonly<Record<string, unknown>>;
  readonly global?: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Further objects of core. */
  readonly core?: Readonly<Record<string, unknown>>;
  /** No SDP handler at all. */
  readonly deaf?: boolean;
  readonly modules?: readonly AnyModule[];
  /** What an incoming call meets; absent: nothing happens to it. */
  run?(channel: Channel, sessions: Sessions): Promise<void> | void;
}

export class Room {
  readonly channels: Channel[] = [];
  readonly events: { readonly name: EventName; readonly data: unknown }[] = [];
  sessions: Sessions | undefined;
  capabilities: { readonly methods: readonly string[]; readonly optionTags: readonly string[] } | undefined;

  private constructor(
    readonly universe: VirtualUniverse,
    readonly kernel: Kernel,
    readonly peer: RawPeer,
    readonly handler: PlainHandler,
  ) {}

  static async open(options: RoomOptions = {}): Promise<Room> {
    const universe = new VirtualUniverse();
    universe.setFaults({ delayMs: 0 });
    const handler = new PlainHandler();
    const seen: { room: Room | undefined; sessions: Sessions | undefined } = { room: undefined, sessions: undefined };
    const stage = defineModule({
      name: "stage",
      summary: "Stands for identification, dialplan and media",
      requires: ["session"],
      options: v.object({}),
      names: () => ({ context: ["default"] }),
      setup(ctx) {
        seen.sessions = ctx.sessions;
        const { capabilities } = ctx.use(stack);
        ctx.use(identifiers).add(undefined, () => ({
          endpoint: ctx.objects.endpoint("phone"),
          looked: "anybody",
          result: "phone",
        }));
        if (!options.deaf) ctx.sessions.sdpHandler(handler);
        ctx.sessions.answerer({
          lookup: (_context, extension) =>
            /^(100|s|phone)$/.test(extension) ? "found" : /^1/.test(extension) ? "partial" : "absent",
          run: async (channel) => {
            seen.room?.channels.push(channel);
            await options.run?.(channel, ctx.sessions);
          },
        });
        ctx.events.all((name, data) => void seen.room?.events.push({ name, data }));
        const { room } = seen;
        if (room) room.capabilities = capabilities;
      },
    });
    const peer = await RawPeer.at(universe, PEER);
    const kernel = await bootKernel({
      world: universe.host(US),
      modules: [core, session, dlgOptions, stage, ...options.modules ?? []],
      manifest: {
        core: {
          transports: { udp: { bind: `udp:${US}:5060` } },
          endpoints: { phone: { context: "default", ...options.endpoint } },
          global: options.global ?? {},
          ...options.core,
        },
        session: options.options ?? {},
        dlg_options: {},
        stage: {},
        ...Object.fromEntries((options.modules ?? []).map(({ name }) => [name, {}])),
      },
    });
    const room = new Room(universe, kernel, peer, handler);
    seen.room = room;
    room.sessions = seen.sessions;
    return room;
  }

  async run(ms = 0): Promise<void> {
    await this.universe.advance(ms);
  }

  send(text: string): Promise<void> {
    this.peer.send(text, US);
    return this.run();
  }

  get channel(): Channel {
    const channel = this.channels[0];
    if (!channel) throw new Error("no call came in");
    return channel;
  }

  named(name: EventName): readonly unknown[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data);
  }
}

export interface RequestParts {
  readonly to?: string;
  readonly user?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
  readonly type?: string;
  readonly branch?: string;
  readonly contact?: string;
}

/** A request of the peer; the Call-ID is the same in one test. */
export function request(method: string, cseq: number, parts: RequestParts = {}): string {
  const body = parts.body ?? "";
  return [
    `${method} sip:${parts.user ?? "100"}@${US}:5060 SIP/2.0`,
    `Via: SIP/2.0/UDP ${PEER}:5060;branch=z9hG4bK${parts.branch ?? `${method}${cseq}`}`,
    "Max-Forwards: 70",
    `From: "Bob" <sip:bob@${PEER}>;tag=p`,
    `To: ${parts.to ?? `<sip:100@${US}>`}`,
    "Call-ID: c1",
    `CSeq: ${cseq} ${method}`,
    ...parts.contact === "" ? [] : [parts.contact ?? `Contact: <sip:bob@${PEER}:5060>`],
    ...parts.lines ?? [],
    ...body ? [`Content-Type: ${parts.type ?? "application/sdp"}`] : [],
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** A call that is up; answers the To value of requests inside it. */
export async function callUp(room: Room, parts: RequestParts = {}): Promise<string> {
  await room.send(request("INVITE", 1, { body: audio(4000), ...parts }));
  const answered = room.channel.answer();
  await room.run();
  const to = header(room.peer.last("200 OK"), "To");
  await room.send(request("ACK", 1, { to, branch: "ack" }));
  await answered;
  return to;
}
