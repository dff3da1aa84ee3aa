import type { AudioClip, MediaPlane } from "../kernel/media.ts";
import { readClip } from "../dialplan/clip.ts";
import { parseUri, type SipUri, sipUri, type Uri, writeUri } from "../sip/message/uri.ts";
import type { World } from "../world/world.ts";
import { type Command, exit, type ExitStatus, readArgs, readCount, type Terminal, WrongUse } from "./command.ts";
import { Agent, type Identity } from "./probe/agent.ts";
import { call, type CallPlan, type CallReport, type ProbeCodec, probeCodecs } from "./probe/call.ts";
import { writeLadder } from "./probe/ladder.ts";
import { measure } from "./probe/measure.ts";
import { manifestPeer } from "./probe/manifest_peer.ts";
import { writeWav } from "./probe/wav.ts";
import type { Rooms } from "./rooms.ts";

const TONE_HZ = 1004;
const LEVEL_DBM0 = -13;
/** Below this the line is silent. */
const AUDIBLE_DBM0 = -45;
/** The tone of ours that came back must be this near. */
const NEAR_HZ = 5;

/** `patchbay probe`: calls like a phone and says what came back. */
export const probe = (rooms: Rooms): Command => ({
  name: "probe",
  summary: "Call a number like a phone and measure what comes back",
  usage: "[options] <number or sip: URI>",
  details: [
    "--as USER            who calls; default: the first endpoint of the manifest that has a password",
    "--password SECRET    default: the endpoint's own, from the manifest",
    "--server HOST[:PORT] where requests go; default: the server of the manifest",
    "--register           register first, and take the registration back at the end",
    "--tcp                over TCP",
    "--play FILE          send this sound instead of a tone (WAV, ulaw, alaw, sln)",
    "--record FILE        keep what comes back as WAV",
    "--codec LIST         what to offer: ulaw, alaw, g722; default ulaw,alaw",
    "--dtmf DIGITS        send digits (RFC 4733)",
    "--seconds N          talk for N seconds; default 3",
    "--timeout N          give up when nobody answers for N seconds; default 20",
    "--calls N --rate R   N calls, R new ones a second",
    "--json               the result as JSON",
    "Exit status 0 only if sound came back (for an echo of a tone: that tone).",
  ],
  async run(args, terminal) {
    const options = readOptions(args);
    const world = rooms.world();
    const peer = options.server === undefined || options.password === undefined
      ? await manifestPeer(rooms, world, options.config, options.as)
      : undefined;
    const server = options.server ?? peer?.server;
    const target = readTarget(options.target, server);
    const proxy = options.server ?? (options.target?.includes(":") ? undefined : server);
    const user = options.as ?? peer?.user ?? "probe";
    const domain = (proxy ?? target ?? server)?.host;
    if (domain === undefined) throw new WrongUse("no server: give --server, a sip: URI, or -c with a manifest");
    const password = options.password ?? (user === peer?.user ? peer.password : undefined);
    const identity: Identity = { user, domain, password };
    const clip = options.play === undefined ? undefined : await readSound(world, options.play);
    const plane = await rooms.media(world, 1);
    try {
      return await run(world, plane, terminal, { ...options, identity, proxy, target, clip });
    } finally {
      await plane.stop();
    }
  },
});

interface Options {
  readonly target: string | undefined;
  readonly config: string | undefined;
  readonly as: string | undefined;
  readonly password: string | undefined;
  readonly server: SipUri | undefined;
  readonly register: boolean;
  readonly protocol: "udp" | "tcp";
  readonly play: string | undefined;
  readonly record: string | undefined;
  readonly codecs: readonly ProbeCodec[];
  readonly digits: string;
  readonly seconds: number;
  readonly timeout: number;
  readonly calls: number;
  readonly rate: number;
  readonly json: boolean;
}

interface Plan extends Omit<Options, "target"> {
  readonly identity: Identity;
  readonly proxy: SipUri | undefined;
  readonly target: SipUri | undefined;
  readonly clip: AudioClip | undefined;
}

function readOptions(args: readonly string[]): Options {
  const { values, positionals } = readArgs(args, {
    options: {
      config: { type: "string", short: "c" },
      as: { type: "string" },
      password: { type: "string" },
      server: { type: "string" },
      register: { type: "boolean" },
      tcp: { type: "boolean" },
      play: { type: "string" },
      record: { type: "string" },
      codec: { type: "string" },
      dtmf: { type: "string" },
      seconds: { type: "string" },
      timeout: { type: "string" },
      calls: { type: "string" },
      rate: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const [target, ...more] = positionals;
  if (more.length > 0) throw new WrongUse(`one number or URI, found also "${more[0]}"`);
  if (target === undefined && !values.register) {
    throw new WrongUse("whom to call? a number, a sip: URI, or --register alone");
  }
  const digits = values.dtmf ?? "";
  if (!/^[0-9*#A-D]*$/.test(digits)) throw new WrongUse(`--dtmf expects 0-9 * # A-D, found "${digits}"`);
  const server = values.server === undefined ? undefined : parseUri(`sip:${values.server.replace(/^sip:/, "")}`);
  if (values.server !== undefined && server?.scheme !== "sip") {
    throw new WrongUse(`--server expects host or host:port, found "${values.server}"`);
  }
  return {
    target,
    config: values.config,
    as: values.as,
    password: values.password,
    server: server?.scheme === "sip" ? server : undefined,
    register: values.register ?? false,
    protocol: values.tcp ? "tcp" : "udp",
    play: values.play,
    record: values.record,
    codecs: readCodecs(values.codec ?? "ulaw,alaw"),
    digits,
    seconds: readCount(values.seconds, 3, "seconds", 1, 3600),
    timeout: readCount(values.timeout, 20, "timeout", 1, 600),
    calls: readCount(values.calls, 1, "calls", 1, 10_000),
    rate: readCount(values.rate, 10, "rate", 1, 1000),
    json: values.json ?? false,
  };
}

function readCodecs(list: string): readonly ProbeCodec[] {
  const named = list.split(",").map((name) => {
    const codec = probeCodecs.find(({ option }) => option === name.trim());
    if (codec) return codec;
    throw new WrongUse(`--codec expects ${probeCodecs.map(({ option }) => option).join(", ")}, found "${name}"`);
  });
  return [...new Set(named)];
}

function readTarget(text: string | undefined, server: SipUri | undefined): SipUri | undefined {
  if (text === undefined) return undefined;
  const uri: Uri | undefined = /^sips?:/i.test(text)
    ? parseUri(text)
    : server && sipUri(text, server.host, { port: server.port });
  if (uri === undefined) {
    throw new WrongUse(`"${text}" needs a server: give --server, a sip: URI, or -c with a manifest`);
  }
  if (uri.scheme !== "sip") throw new WrongUse(`the probe calls sip: URIs, found "${text}"`);
  return uri;
}

async function readSound(world: World, path: string): Promise<AudioClip> {
  const bytes = await world.files.read(path);
  if (bytes === undefined) throw new WrongUse(`no file ${path}`);
  const clip = readClip(path, bytes);
  if (typeof clip === "string") throw new WrongUse(`${path}: ${clip}`);
  return clip;
}

async function run(world: World, plane: MediaPlane, terminal: Terminal, plan: Plan): Promise<ExitStatus> {
  const towards = plan.proxy?.host ?? plan.target?.host ?? "127.0.0.1";
  const host = world.network.localAddressTowards(towards) ?? "127.0.0.1";
  const agent = await Agent.open({
    world,
    plane,
    identity: plan.identity,
    proxy: plan.proxy,
    protocol: plan.protocol,
    host,
    timeoutMs: plan.timeout * 1000,
  });
  try {
    const registered = plan.register ? await register(agent, 300) : undefined;
    if (registered !== undefined && registered !== "") {
      if (!plan.json) terminal.out(ladder(agent, plan));
      terminal.err(`REGISTER: ${registered}`);
      return exit.failed;
    }
    const reports = plan.target === undefined ? [] : await callAll(world, agent, plan.target, plan);
    if (plan.register) await register(agent, 0);
    return await conclude(world, agent, terminal, plan, reports);
  } finally {
    await agent.close();
  }
}

/** "" when it was taken, else why not. */
async function register(agent: Agent, seconds: number): Promise<string> {
  const outcome = await agent.register(seconds);
  if (outcome.kind === "failed") return outcome.why;
  const { status, reason } = outcome.response;
  return status < 300 ? "" : `${status} ${reason}`;
}

async function callAll(world: World, agent: Agent, target: SipUri, plan: Plan): Promise<CallReport[]> {
  const each: CallPlan = {
    target,
    clip: plan.clip,
    toneHz: TONE_HZ,
    levelDbm0: LEVEL_DBM0,
    codecs: plan.codecs,
    digits: plan.digits,
    talkMs: plan.seconds * 1000,
  };
  const running: Promise<CallReport>[] = [];
  for (let at = 0; at < plan.calls; at++) {
    running.push(call(agent, each));
    if (at + 1 < plan.calls) await new Promise<void>((resolve) => void world.after(1000 / plan.rate, resolve));
  }
  return await Promise.all(running);
}

const ladder = (agent: Agent, plan: Plan): string =>
  writeLadder(agent.rungs, plan.identity.user, plan.proxy ? writeUri(plan.proxy) : plan.identity.domain);

async function conclude(
  world: World,
  agent: Agent,
  terminal: Terminal,
  plan: Plan,
  reports: readonly CallReport[],
): Promise<ExitStatus> {
  const results = reports.map((report) => judge(report, agent.roundTripMs));
  const [first] = reports;
  if (plan.record !== undefined && first) await world.files.write(plan.record, writeWav(first.heard));
  if (plan.json) {
    terminal.out(JSON.stringify({ registered: plan.register, calls: results }, undefined, 2));
  } else {
    if (reports.length < 2) terminal.out(ladder(agent, plan));
    if (plan.target === undefined) terminal.out("registered");
    else if (results.length === 1) { for (const line of describe(results[0] as Result)) terminal.out(line); }
    else terminal.out(summary(results));
  }
  return results.every((result) => result.soundCameBack) ? exit.done : exit.failed;
}

interface Result {
  readonly answered: boolean;
  readonly status: number | undefined;
  readonly why: string;
  readonly ringMs: number | undefined;
  readonly answerMs: number | undefined;
  readonly codec: string | undefined;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly lost: number;
  readonly jitterMs: number;
  readonly roundTripMs: number | undefined;
  readonly roundTripOf: "RTCP" | "SIP"; // RTCP reports come late in a short call
  readonly frequencyHz: number;
  readonly levelDbm0: number;
  readonly echo: boolean; // it was our own tone
  readonly digits: string;
  readonly soundCameBack: boolean;
}

function judge(report: CallReport, sipRoundTripMs: number | undefined): Result {
  const found = measure(report.heard.samples, report.heard.sampleRate);
  const { stats } = report;
  return {
    answered: report.answered,
    status: report.status,
    why: report.why,
    ringMs: report.ringMs,
    answerMs: report.answerMs,
    codec: report.codec,
    packetsSent: stats?.packetsSent ?? 0,
    packetsReceived: stats?.packetsReceived ?? 0,
    lost: stats?.lost ?? 0,
    jitterMs: stats?.jitterMs ?? 0,
    roundTripMs: stats === undefined || stats.roundTripMs < 0 ? sipRoundTripMs : stats.roundTripMs,
    roundTripOf: stats === undefined || stats.roundTripMs < 0 ? "SIP" : "RTCP",
    frequencyHz: found.frequencyHz,
    levelDbm0: found.levelDbm0,
    echo: Math.abs(found.frequencyHz - TONE_HZ) < NEAR_HZ,
    digits: report.digits,
    soundCameBack: report.answered && found.totalDbm0 > AUDIBLE_DBM0,
  };
}

function* describe(result: Result): Generator<string> {
  if (!result.answered) {
    const status = result.status === undefined ? "" : `${result.status} `;
    yield `not answered: ${status}${result.why}`;
    return;
  }
  const ms = (value: number | undefined) => value === undefined ? "-" : `${value.toFixed(0)} ms`;
  const ringing = result.ringMs === undefined ? "" : ` (ringing after ${ms(result.ringMs)})`;
  const expected = result.packetsReceived + result.lost;
  const loss = expected === 0 ? 0 : 100 * result.lost / expected;
  yield `answered after ${ms(result.answerMs)}${ringing}, codec ${result.codec}`;
  yield `sent ${result.packetsSent} packets, received ${result.packetsReceived}, lost ${result.lost} (${
    loss.toFixed(1)
  } %), ` +
    `jitter ${result.jitterMs.toFixed(1)} ms, round trip ${ms(result.roundTripMs)} (${result.roundTripOf})`;
  if (result.digits !== "") yield `digits received: ${result.digits}`;
  yield result.soundCameBack
    ? `sound came back: ${result.frequencyHz.toFixed(1)} Hz at ${result.levelDbm0.toFixed(1)} dBm0${
      result.echo ? " (our own tone)" : ""
    }`
    : "NO SOUND came back";
}

function summary(results: readonly Result[]): string {
  const answered = results.filter((r) => r.answered);
  const sound = results.filter((r) => r.soundCameBack);
  const times = answered.map((r) => r.answerMs ?? 0).sort((a, b) => a - b);
  const at = (share: number) => (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(0);
  const lost = results.reduce((sum, r) => sum + r.lost, 0);
  return `${results.length} calls: ${answered.length} answered, ${sound.length} with sound, ${lost} packets lost; ` +
    `answered after ${at(0.5)} ms (median), ${at(0.99)} ms (99 %)`;
}
