// A B2BUA call, an OPTIONS and a refused REGISTER without kernel and network: the JavaScript of the signaling thread
// alone, on a world whose wires are function calls. What sockets cost comes on top (bench/calls.ts).
import { catalog } from "../src/catalog.ts";
import { engine as dialplan } from "../src/dialplan/engine.ts";
import { bootKernel, offer } from "../src/kernel/kernel.ts";
import { media } from "../src/kernel/services.ts";
import { dialplanEngine } from "../src/kernel/dialplan.ts";
import { MemoryStore } from "../src/store/memory_store.ts";
import type { DatagramListener } from "../src/world/world.ts";
import { manifest } from "../tests/interop/manifest.ts";
import { VirtualMedia } from "../tests/virtual_media.ts";
import { VirtualUniverse } from "../tests/virtual_world.ts";
import { table } from "./process.ts";

const CALLER = { host: "127.0.0.1", port: 15180 };
const encoder = new TextEncoder();

const universe = new VirtualUniverse();
const machine = universe.host("127.0.0.1");
let server: DatagramListener | undefined;
const inbox: string[] = []; // what the server sent
const world = {
  now: () => universe.now(),
  wallClock: () => machine.wallClock(),
  after: (ms: number, run: () => void) => universe.after(ms, run),
  random: machine.random,
  dns: machine.dns,
  files: machine.files,
  network: {
    ...machine.network,
    localAddressTowards: (remote: string) => machine.network.localAddressTowards(remote),
    listenStream: machine.network.listenStream.bind(machine.network),
    connectStream: machine.network.connectStream.bind(machine.network),
    bindDatagram(options: { readonly host: string; readonly port: number }, listener: DatagramListener) {
      server = listener;
      return Promise.resolve({
        local: options,
        send: (bytes: Uint8Array) =>
          inbox.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) > 0,
        close: () => {},
      });
    },
  },
};

const written = manifest();
const { endpoints } = written.core as { endpoints: Record<string, Record<string, unknown>> };
if (endpoints.trunk) endpoints.trunk.callLimit = 100_000;
Object.assign(written.core as object, {
  transports: { udp: { bind: "udp:127.0.0.1:15060" } },
  limits: { knownRate: 1_000_000, inviteServerTransactions: 100_000, serverTransactions: 100_000 },
});
delete written.management;
await bootKernel({
  world,
  store: new MemoryStore(machine),
  modules: catalog,
  services: [offer(media, new VirtualMedia(machine)), offer(dialplanEngine, dialplan)],
  log: () => {},
  manifest: written,
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const say = (text: string, from = CALLER) => server?.received(encoder.encode(text), from);
const value = (text: string, name: string) => {
  const at = text.indexOf(`\r\n${name}: `) + name.length + 4;
  return text.slice(at, text.indexOf("\r\n", at));
};
/** The next message that starts so; lets the server work until it is there. */
async function next(start: string): Promise<string> {
  for (let turns = 0; turns < 100; turns++) {
    const at = inbox.findIndex((text) => text.startsWith(start));
    if (at >= 0) {
      const [found] = inbox.splice(at, 1);
      return found ?? "";
    }
    await turn();
  }
  throw new Error(`no ${start}: ${inbox.join("\n---\n")}`);
}

const sdp = (port: number) =>
  `v=0\r\no=peer 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0 101\r\n` +
  "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n";

function request(method: string, target: string, n: number, cseq: number, to: string, body = ""): string {
  return `${method} ${target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:15180;branch=z9hG4bK-${n}-${method}\r\n` +
    `From: <sip:trunk@127.0.0.1:15180>;tag=c${n}\r\nTo: ${to}\r\nCall-ID: ${n}@127.0.0.1\r\nCSeq: ${cseq} ${method}\r\n` +
    "Contact: <sip:trunk@127.0.0.1:15180;transport=UDP>\r\nMax-Forwards: 70\r\n" +
    `${body === "" ? "" : "Content-Type: application/sdp\r\n"}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function response(asked: string, status: string, tag: string, body = ""): string {
  return `SIP/2.0 ${status}\r\nVia: ${value(asked, "Via")}\r\nFrom: ${value(asked, "From")}\r\nTo: ${
    value(asked, "To")
  }${tag}\r\n` +
    `Call-ID: ${value(asked, "Call-ID")}\r\nCSeq: ${
      value(asked, "CSeq")
    }\r\nContact: <sip:127.0.0.1:15190;transport=UDP>\r\n` +
    `${body === "" ? "" : "Content-Type: application/sdp\r\n"}Content-Length: ${body.length}\r\n\r\n${body}`;
}

async function call(n: number): Promise<void> {
  const callee = { host: "127.0.0.1", port: 15190 };
  say(request("INVITE", "sip:91@127.0.0.1:15060", n, 1, "<sip:91@127.0.0.1:15060>", sdp(30000 + n % 10000 * 2)));
  await next("SIP/2.0 100");
  const invite = await next("INVITE");
  say(response(invite, "180 Ringing", `;tag=s${n}`), callee);
  await next("SIP/2.0 180");
  say(response(invite, "200 OK", `;tag=s${n}`, sdp(40000 + n % 10000 * 2)), callee);
  await next("ACK");
  const ok = await next("SIP/2.0 200");
  const target = value(ok, "Contact").slice(1, -1);
  say(request("ACK", target, n, 1, value(ok, "To")));
  await turn();
  say(request("BYE", target, n, 2, value(ok, "To")));
  await next("SIP/2.0 200");
  say(response(await next("BYE"), "200 OK", ""), callee);
  await universe.advance(10); // a hundred calls a second: what lingers (timers of 32 s) is there as it would be
}

async function options(n: number): Promise<void> {
  say(request("OPTIONS", "sip:127.0.0.1:15060", n, 1, "<sip:127.0.0.1:15060>"));
  await next("SIP/2.0 200");
}

async function cost(count: number, work: (n: number) => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) await work(++serial);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
let serial = 0;

const rounds = Number(process.argv[2] ?? 4);
const rows: string[][] = [["round of 2,000", "µs per call", "µs per OPTIONS"]];
for (let round = 1; round <= rounds; round++) {
  const perCall = await cost(2000, call);
  rows.push([String(round), perCall.toFixed(0), (await cost(2000, options)).toFixed(0)]);
}
table("Signaling without sockets (whole process: garbage collection and compilation included)", rows);
process.exit();
