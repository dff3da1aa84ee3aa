// TLS: openssl looks at certificates, versions and names; baresip registers and calls.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { manifest } from "./manifest.ts";
import { expectTone, Phones } from "./phones.ts";
import { Server } from "./server.ts";

const TLS = 15061;
const STRICT = 15063;
const ASKED = 15065;
const dir = await mkdtemp(join(tmpdir(), "certificates-"));
const file = (name: string) => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function openssl(...args: string[]): Promise<string> {
  const run = Bun.spawn(["openssl", ...args], { cwd: dir, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  await run.exited;
  return out + err;
}

/** A certificate of our own authority; its key stands in the same file. */
async function certificate(name: string, authority = "ca"): Promise<void> {
  await openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
    "-subj",
    `/CN=${name}`,
  );
  const sign = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial", "-days", "30"];
  await openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.crt`);
  await Bun.write(
    file(`${name}.pem`),
    await Bun.file(file(`${name}.crt`)).text() + await Bun.file(file(`${name}.key`)).text(),
  );
}

async function authority(name: string): Promise<void> {
  const subject = ["-subj", `/CN=${name}`, "-days", "30"];
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.pem`,
    ...subject,
  );
}

const OPTIONS =
  "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKtls\r\nFrom: <sip:x@y>;tag=1\r\n" +
  "To: <sip:127.0.0.1>\r\nCall-ID: tls\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

/** What a client shows to be this name. */
const shownAs = async (name: string) => ({
  cert: await Bun.file(file(`${name}.crt`)).text(),
  key: await Bun.file(file(`${name}.key`)).text(),
});

/** What comes back for an OPTIONS over this connection. */
function ask(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("data", (bytes) => resolve(bytes.toString()));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.write(OPTIONS);
  });
}

const open = (port: number, more: object = {}) =>
  new Promise<TLSSocket>((resolve, reject) => {
    const socket: TLSSocket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...more }, () =>
      resolve(socket));
    socket.once("error", reject);
  });

let server: Server;
const phones = new Phones();
beforeAll(async () => {
  await authority("ca");
  await authority("other");
  for (const name of ["sip.example.org", "voice.example.net", "phone"]) await certificate(name);
  await certificate("stranger", "other");
  const base = manifest();
  const core = base.core as { transports: Record<string, unknown>; endpoints: Record<string, object> };
  const own = { certFile: file("sip.example.org.pem"), caListFile: file("ca.pem") };
  core.transports.tls = {
    bind: `tls:127.0.0.1:${TLS}`,
    ...own,
    names: {
      "voice.example.net": { certFile: file("voice.example.net.crt"), privKeyFile: file("voice.example.net.key") },
    },
  };
  core.transports.strict = { bind: `tls:127.0.0.1:${STRICT}`, ...own, requireClientCert: true, method: "tlsv1_3" };
  core.transports.asked = { bind: `tls:127.0.0.1:${ASKED}`, ...own, verifyClient: true };
  server = await Server.start(base);
});
afterEach(() => phones.stop());
afterAll(() => server.stop());

const shown = (port: number, ...more: string[]) =>
  openssl("s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", "ca.pem", ...more);

test("openssl verifies the certificate, and gets another by its name", async () => {
  const plain = await shown(TLS);
  expect(plain).toContain("subject=CN = sip.example.org");
  expect(plain).toContain("Verify return code: 0 (ok)");
  const named = await shown(TLS, "-servername", "voice.example.net");
  expect(named).toContain("subject=CN = voice.example.net");
  expect(await shown(TLS, "-tls1_1")).toContain("no peer certificate available");
}, 30_000);

test("a client certificate is required where it says so, and the lowest version is kept", async () => {
  const withCertificate = await shownAs("phone");
  expect(await ask(await open(STRICT, withCertificate))).toStartWith("SIP/2.0 ");
  const forged = await shownAs("stranger");
  for (const more of [{}, forged]) {
    const answer = await open(STRICT, more).then(ask).catch(() => "refused");
    expect(answer).toBe("refused");
  }
  expect(await shown(STRICT, "-tls1_2")).toContain("no peer certificate available");
  expect(await ask(await open(TLS))).toStartWith("SIP/2.0 ");
}, 30_000);

test("where certificates are only verified, none is enough but a forged one is not", async () => {
  const forged = await shownAs("stranger");
  expect(await ask(await open(ASKED))).toStartWith("SIP/2.0 ");
  expect(await open(ASKED, forged).then(ask).catch(() => "refused")).toBe("refused");
}, 30_000);

test(
  "a renewed certificate is taken with a reload; a connection that runs stays, a broken file changes nothing",
  async () => {
    const running = await open(TLS);
    expect(await ask(running)).toStartWith("SIP/2.0 ");
    const serial = async () => (await shown(TLS)).match(/BEGIN CERTIFICATE-----\n([^-]*)/)?.[1];
    const before = await serial();
    await certificate("sip.example.org");
    expect((await server.cli("reload")).code).toBe(0);
    const after = await serial();
    expect(after).toBeDefined();
    expect(after).not.toBe(before);
    await Bun.write(file("sip.example.org.pem"), "this is no certificate");
    await server.cli("reload");
    expect(await serial()).toBe(after);
    expect(server.peer.output).toContain("keeps its certificate");
    expect(await ask(running)).toStartWith("SIP/2.0 ");
    running.destroy();
  },
  30_000,
);

test("baresip registers over TLS and hears its echo", async () => {
  const alice = await phones.baresip("alice", 440, { server: `127.0.0.1:${TLS}`, transport: "tls" });
  await alice.dial(`sip:601@127.0.0.1:${TLS}`);
  await alice.event("CALL_ESTABLISHED");
  await Bun.sleep(2500);
  await alice.hangup();
  expectTone(await alice.heard(), 440);
}, 40_000);
