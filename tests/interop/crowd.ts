// Many phones in one process behind one socket: they register with digest, refresh, and answer OPTIONS.
import { createHash } from "node:crypto";
import { ADDRESS, PASSWORD, SIP } from "./manifest.ts";

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
const line = (text: string, name: string) => {
  const at = text.indexOf(`\r\n${name}: `);
  return at < 0 ? "" : text.slice(at + name.length + 4, text.indexOf("\r\n", at + 2));
};

export class Crowd {
  /** OPTIONS answered so far. */
  qualified = 0;
  readonly #waiting = new Map<string, (text: string) => void>(); // by Call-ID
  #cseq = 0;
  #socket!: Bun.udp.Socket<"buffer">;

  static async open(): Promise<Crowd> {
    const crowd = new Crowd();
    crowd.#socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (_socket, bytes) => crowd.#received(bytes.toString()) },
    });
    return crowd;
  }

  #received(text: string): void {
    if (!text.startsWith("OPTIONS ")) return this.#waiting.get(line(text, "Call-ID"))?.(text);
    this.qualified++;
    const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${line(text, name)}\r\n`).join("");
    this.#socket.send(`SIP/2.0 200 OK\r\n${copied}Content-Length: 0\r\n\r\n`, SIP, "127.0.0.1");
  }

  /** Resolves with the answer; a request that gets none is sent again, as a phone does. */
  ask(method: string, user: string, callId: string, more: readonly string[] = []): Promise<string> {
    const { port } = this.#socket;
    const text = [
      `${method} sip:${ADDRESS} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${++this.#cseq};rport`,
      `From: <sip:${user}@${ADDRESS}>;tag=f`,
      method === "REGISTER" ? `To: <sip:${user}@${ADDRESS}>` : `To: <sip:${ADDRESS}>`,
      `Call-ID: ${callId}`,
      `CSeq: ${this.#cseq} ${method}`,
      "Max-Forwards: 70",
      `Contact: <sip:${user}@127.0.0.1:${port}>`,
      ...more,
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n");
    return new Promise((resolve) => {
      const send = () => this.#socket.send(text, SIP, "127.0.0.1");
      const again = setInterval(send, 500);
      this.#waiting.set(callId, (answer) => {
        clearInterval(again);
        this.#waiting.delete(callId);
        resolve(answer);
      });
      send();
    });
  }

  async register(user: string, expires = 600): Promise<void> {
    const asked = [`Expires: ${expires}`];
    const challenge = line(await this.ask("REGISTER", user, `r-${user}`, asked), "WWW-Authenticate");
    const value = (name: string) => new RegExp(`${name}="?([^",]+)`).exec(challenge)?.[1] ?? "";
    const [realm, nonce, opaque] = [value("realm"), value("nonce"), value("opaque")];
    const [ha1, ha2] = [md5(`${user}:${realm}:${PASSWORD}`), md5(`REGISTER:sip:${ADDRESS}`)];
    const response = md5(`${ha1}:${nonce}:00000001:c:auth:${ha2}`);
    const answer = await this.ask("REGISTER", user, `r-${user}`, [
      ...asked,
      `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="sip:${ADDRESS}", ` +
      `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", opaque="${opaque}"`,
    ]);
    if (!answer.startsWith("SIP/2.0 200")) throw new Error(`${user} was answered\n${answer}`);
  }

  /** All of them, so many at a time and at most so many a second. */
  async registerAll(users: readonly string[], atOnce: number, perSecond: number): Promise<void> {
    const started = performance.now();
    let next = 0;
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let at = next++; at < users.length; at = next++) {
        const early = at / perSecond * 1000 - (performance.now() - started);
        if (early > 1) await Bun.sleep(early);
        await this.register(users[at] ?? "");
      }
    }));
  }

  close(): void {
    this.#socket.close();
  }
}
