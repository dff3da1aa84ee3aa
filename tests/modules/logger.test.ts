import { expect, test } from "bun:test";
import type { ApiReply } from "../../src/kernel/http.ts";
import { server, wire, type WireServer } from "../wire.ts";

let serial = 0;
const request = (method: string, ...more: string[]) =>
  wire`
    ${method} sip:192.0.2.4 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${++serial};rport
    Max-Forwards: 70
    From: <sip:bob@example.org>;tag=b
    To: <sip:alice@example.org>
    Call-ID: ${serial}@192.0.2.9
    CSeq: 7 ${method}
    ${["Subject: none", ...more].join("\n")}
  `;

const core = (debug: string) => ({
  transports: { udp: { bind: "udp:0.0.0.0:5060" }, six: { bind: "udp:[::]:5060" } },
  endpoints: { peer: {} },
  global: { debug },
});
const by_address = { addresses: { "192.0.2.9": "peer", "192.0.2.10": "peer", "2001:db8::9": "peer" } };
const start = (debug = "no", logger: Readonly<Record<string, unknown>> = {}) =>
  server({ core: core(debug), logger, by_address });

/** Heads of what the logger wrote. */
const heads = (patchbay: WireServer) =>
  patchbay.log.filter(({ module, text }) => module === "logger" && /^(<---|Unparsable)/.test(text))
    .map(({ text }) => text.replace(/ \(\d+ bytes\)/, ""));
const lines = (patchbay: WireServer) =>
  patchbay.log.filter(({ module }) => module === "logger").map(({ text }) => text);

async function set(patchbay: WireServer, body: Readonly<Record<string, unknown>>): Promise<ApiReply> {
  const found = patchbay.kernel.routes.find(({ route }) => route.method === "PUT" && route.path === "/logger");
  if (!found) throw new Error("no route");
  return await found.route.run({ params: {}, query: {}, body });
}

test("nothing is logged until it is switched on, then each message once per direction", async () => {
  const patchbay = await start();
  const peer = await patchbay.peer();
  await peer.ask(request("OPTIONS"));
  expect(heads(patchbay)).toEqual([]);
  await set(patchbay, { on: true });
  await peer.ask(request("OPTIONS"));
  expect(heads(patchbay)).toEqual([
    "<--- Received SIP request from UDP:192.0.2.9:5060 --->",
    "<--- Transmitting SIP response to UDP:192.0.2.9:5060 --->",
  ]);
  expect(lines(patchbay)).toContain("Subject: none");
});

test("`debug` of the manifest switches it on for all, or for one host or network and port", async () => {
  const counts = async (debug: string) => {
    const patchbay = await start(debug);
    const [one, other] = [await patchbay.peer(), await patchbay.peer("192.0.2.10", 5070)];
    await one.ask(request("OPTIONS"));
    await other.ask(request("OPTIONS"));
    return heads(patchbay).filter((head) => head.includes("Received")).map((head) => head.split(" ").at(-2));
  };
  expect(await counts("yes")).toEqual(["UDP:192.0.2.9:5060", "UDP:192.0.2.10:5070"]);
  expect(await counts("192.0.2.10")).toEqual(["UDP:192.0.2.10:5070"]);
  expect(await counts("192.0.2.0/24:5070")).toEqual(["UDP:192.0.2.10:5070"]);
  expect(await counts("0.0.0.0/0")).toEqual(["UDP:192.0.2.9:5060", "UDP:192.0.2.10:5070"]);
});

test("a method filter takes requests and their responses; with a host filter both must fit", async () => {
  const patchbay = await start();
  const [one, other] = [await patchbay.peer(), await patchbay.peer("192.0.2.10", 5070)];
  await set(patchbay, { methods: ["message", "BYE"], hosts: ["192.0.2.10"] });
  for (const peer of [one, other]) for (const method of ["OPTIONS", "MESSAGE"]) await peer.ask(request(method));
  expect(heads(patchbay)).toEqual([
    "<--- Received SIP request from UDP:192.0.2.10:5070 --->",
    "<--- Transmitting SIP response to UDP:192.0.2.10:5070 --->",
  ]);
  expect((await set(patchbay, {})).body).toEqual({ on: false, hosts: [], methods: [], text: true, pcap: "" });
});

test("an unknown name is refused and changes nothing", async () => {
  const patchbay = await start("yes");
  expect((await set(patchbay, { hosts: ["nowhere.example"] })).status).toBe(400);
  const peer = await patchbay.peer();
  await peer.ask(request("OPTIONS"));
  expect(heads(patchbay).length).toBe(2);
});

test("digest answers can be hidden, control characters are shown as numbers, junk is named", async () => {
  const patchbay = await start("yes", { maskAuth: true });
  const peer = await patchbay.peer();
  await peer.ask(
    request("OPTIONS", 'Authorization: Digest username="x", response="0123", cnonce=abc', "Subject: a\x1bb"),
  );
  await peer.ask("hello there");
  const text = lines(patchbay).join("\n");
  expect(text).toContain('Authorization: Digest username="x", response=***, cnonce=***');
  expect(text).not.toContain("0123");
  expect(text).toContain("a\\x1bb");
  expect(heads(patchbay).at(-1)).toBe("Unparsable packet from UDP:192.0.2.9:5060");
});

test("a capture has one packet per message, with both addresses, a checksum, and IPv6", async () => {
  const patchbay = await start("yes", { pcap: "calls.pcap", text: false });
  const four = await patchbay.peer();
  const six = await patchbay.peer("2001:db8::9");
  await four.ask(request("OPTIONS"));
  await six.send(request("OPTIONS"), 200, { host: "2001:db8::4", port: 5060 });
  expect(lines(patchbay)).toEqual([]);
  const bytes = patchbay.host.files.files.get("calls.pcap") ?? new Uint8Array();
  const view = new DataView(bytes.buffer);
  expect(view.getUint32(0, true)).toBe(0xa1b2c3d4);
  const packets: { type: number; length: number; at: number }[] = [];
  for (let at = 24; at < bytes.length;) {
    const length = view.getUint32(at + 8, true);
    expect(view.getUint32(at + 12, true)).toBe(length);
    packets.push({ type: view.getUint16(at + 28), length, at: at + 16 });
    at += 16 + length;
  }
  expect(packets.map(({ type }) => type)).toEqual([0x0800, 0x0800, 0x86dd, 0x86dd]);
  const [request4, answer4, request6] = packets;
  const ip = (request4?.at ?? 0) + 14;
  expect([...bytes.subarray(ip + 12, ip + 20)]).toEqual([192, 0, 2, 9, 192, 0, 2, 4]);
  expect(view.getUint16(ip + 20)).toBe(5060);
  let sum = 0;
  for (let offset = 0; offset < 20; offset += 2) sum += view.getUint16(ip + offset);
  expect((sum & 0xffff) + (sum >>> 16)).toBe(0xffff);
  const payload = (answer4?.at ?? 0) + 14 + 28;
  expect(new TextDecoder().decode(bytes.subarray(payload, payload + 14))).toBe("SIP/2.0 200 OK");
  const ip6 = (request6?.at ?? 0) + 14;
  expect(view.getUint16(ip6 + 4)).toBe((request6?.length ?? 0) - 14 - 40);
});

test("a disk that is full ends the capture with one error, and traffic goes on", async () => {
  const patchbay = await start("yes", { pcap: "calls.pcap", text: false });
  const peer = await patchbay.peer();
  patchbay.host.files.full = true;
  for (let count = 0; count < 3; count++) expect(await peer.ask(request("OPTIONS"), 300)).toContain("200 OK");
  expect(patchbay.log.filter(({ level }) => level === "error").length).toBe(1);
});

test("what was set at run time stays over a reload that does not change `debug`", async () => {
  const patchbay = await start();
  await set(patchbay, { on: true });
  const peer = await patchbay.peer();
  await patchbay.reload({ core: core("no"), logger: { maskAuth: true }, by_address });
  await peer.ask(request("OPTIONS"));
  expect(heads(patchbay).length).toBe(2);
  await patchbay.reload({ core: core("192.0.2.77"), logger: {}, by_address });
  await peer.ask(request("OPTIONS"));
  expect(heads(patchbay).length).toBe(2);
});
