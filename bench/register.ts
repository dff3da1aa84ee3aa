// CPU of an authenticated REGISTER (two messages, durable write) and of an OPTIONS: fifty phones over real sockets.
// `bun bench/register.ts [rounds of each phone]`
import { createHash } from "node:crypto";
import { ADDRESS, manifest, PASSWORD, SIP } from "../tests/interop/manifest.ts";
import { Server } from "../tests/interop/server.ts";
import { cpu, table } from "./process.ts";

const PHONES = 50;
const ROUNDS = Number(process.argv[2] ?? 200);

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

/** One phone at a time has one request under way. */
class Phone {
  #answer: ((text: string) => void) | undefined;
  #cseq = 0;

  private constructor(readonly user: string) {}
  socket!: Bun.udp.Socket<"buffer">;

  static async open(user: string): Promise<Phone> {
    const phone = new Phone(user);
    phone.socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (_socket, bytes) => phone.#answer?.(bytes.toString()) },
    });
    return phone;
  }

  #ask(method: string, more: readonly string[]): Promise<string> {
    const { port } = this.socket;
    const lines = [
      `${method} sip:${ADDRESS} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${this.user}${++this.#cseq};rport`,
      `From: <sip:${this.user}@${ADDRESS}>;tag=f`,
      method === "REGISTER" ? `To: <sip:${this.user}@${ADDRESS}>` : `To: <sip:${ADDRESS}>`,
      `Call-ID: ${this.user}-${method}`,
      `CSeq: ${this.#cseq} ${method}`,
      "Max-Forwards: 70",
      `Contact: <sip:${this.user}@127.0.0.1:${port}>`,
      "User-Agent: bench",
      ...more,
      "Content-Length: 0",
    ];
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.socket.send(lines.join("\r\n") + "\r\n\r\n", SIP, "127.0.0.1");
    });
  }

  async #authenticated(method: string, more: readonly string[]): Promise<void> {
    const challenge = /^WWW-Authenticate: Digest (.*algorithm=MD5\b.*)$/m.exec(await this.#ask(method, more))?.[1] ??
      "";
    const value = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(challenge)?.[1] ?? "";
    const [realm, nonce, opaque] = [value("realm"), value("nonce"), value("opaque")];
    const [ha1, ha2] = [md5(`${this.user}:${realm}:${PASSWORD}`), md5(`${method}:sip:${ADDRESS}`)];
    const response = md5(`${ha1}:${nonce}:00000001:c:auth:${ha2}`);
    const answer = await this.#ask(method, [
      ...more,
      `Authorization: Digest username="${this.user}", realm="${realm}", nonce="${nonce}", uri="sip:${ADDRESS}", ` +
      `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", opaque="${opaque}"`,
    ]);
    if (!answer.startsWith("SIP/2.0 200")) throw new Error(`${this.user} was answered\n${answer}`);
  }

  register = () => this.#authenticated("REGISTER", ["Expires: 600"]);

  async options(): Promise<void> {
    const answer = await this.#ask("OPTIONS", []);
    if (!answer.startsWith("SIP/2.0 200")) throw new Error(`${this.user} was answered\n${answer}`);
  }
}

const server = await Server.start(manifest({
  core: {
    transports: { udp: { bind: `udp:127.0.0.1:${SIP}` } },
    endpoints: Object.fromEntries(
      Array.from({ length: PHONES }, (_, i) => [`p${i}`, {
        password: PASSWORD,
        maxContacts: 1,
        allowUnauthenticatedOptions: true,
      }]),
    ),
    limits: { exempt: ["127.0.0.0/8"], serverTransactions: 1_000_000 },
  },
  endpoint_identifier_ip: {},
  dialplan: {},
}));
const phones = await Promise.all(Array.from({ length: PHONES }, (_, i) => Phone.open(`p${i}`)));

/** Microseconds of CPU per transaction, best of three after a warm-up: main thread, whole process. */
async function measure(what: (phone: Phone) => Promise<void>): Promise<readonly [string, string]> {
  const rounds: { main: number; all: number }[] = [];
  for (let round = 0; round < 4; round++) {
    const before = cpu(server.peer.pid);
    await Promise.all(phones.map(async (phone) => {
      for (let i = 0; i < ROUNDS; i++) await what(phone);
    }));
    const after = cpu(server.peer.pid);
    rounds.push({ main: after.main - before.main, all: after.all - before.all });
  }
  const best = rounds.slice(1).reduce((a, b) => (a.main < b.main ? a : b));
  const micros = (seconds: number) => (seconds / (PHONES * ROUNDS) * 1e6).toFixed(0);
  return [micros(best.main), micros(best.all)];
}

const registered = await measure((phone) => phone.register());
const asked = await measure((phone) => phone.options());
table(`REGISTER and OPTIONS, CPU per transaction (best of 3 x ${PHONES * ROUNDS})`, [
  ["figure", "main thread", "whole process", "goal"],
  ["REGISTER with digest and durable write, us", ...registered, "<= 120"],
  ["OPTIONS, us", ...asked, "<= 30"],
]);
for (const phone of phones) phone.socket.close();
await server.stop();
