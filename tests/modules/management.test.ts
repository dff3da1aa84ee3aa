import { expect, test } from "bun:test";
import { App } from "../../src/http/app.ts";
import { hashOf, Tokens } from "../../src/http/tokens.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { offer } from "../../src/kernel/kernel.ts";
import { httpEngine } from "../../src/kernel/services.ts";
import { headerOf, type Peer, server, wire } from "../wire.ts";

/** A server whose API is asked without a socket; bob's phone is at 192.0.2.9. */
async function managed(options: Readonly<Record<string, unknown>> = {}) {
  let app: App | undefined;
  const engine = offer(httpEngine, {
    start: (settings, host) => {
      app = new App(settings, host, new Tokens(hashOf("secret"), settings.tokens), { now: () => 0 });
      return Promise.resolve({ url: "http://127.0.0.1:8088", stop() {} });
    },
  });
  const patchbay = await server(
    {
      core: {
        transports: { udp: { bind: "udp:0.0.0.0:5060" } },
        endpoints: {
          bob: { context: "internal", aors: ["bob"] },
          carol: { context: "internal", password: "hunter2-hunter2", maxContacts: 1 },
        },
        aors: { bob: { contact: ["sip:bob@192.0.2.9:5060"] } },
      },
      session: {},
      sdp_rtp: {},
      registrar: {},
      management: options,
      dialplan: { internal: { 600: ["answer", "echo"] } },
    },
    [],
    [engine],
  );
  const call = async (method: string, path: string, body?: unknown) => {
    const request = new Request(`http://127.0.0.1:8088${path}`, {
      method,
      headers: { "Host": "127.0.0.1", "Authorization": "Bearer secret", "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answering = app!.fetch(request, { remote: undefined, subscribe: () => false });
    await patchbay.advance(10);
    const response = await answering;
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  return { patchbay, call };
}

const answered = (invite: string) =>
  wire`
    SIP/2.0 200 OK
    Via: ${headerOf(invite, "Via")}
    From: ${headerOf(invite, "From")}
    To: ${headerOf(invite, "To")};tag=bob1
    Call-ID: ${headerOf(invite, "Call-ID")}
    CSeq: ${headerOf(invite, "CSeq")}
    Contact: <sip:bob@192.0.2.9:5060>
    Content-Type: application/sdp

    v=0
    o=- 1 1 IN IP4 192.0.2.9
    s=-
    c=IN IP4 192.0.2.9
    t=0 0
    m=audio 4000 RTP/AVP 0
    a=rtpmap:0 PCMU/8000
  `;

const finished = (bye: string) =>
  wire`
    SIP/2.0 200 OK
    Via: ${headerOf(bye, "Via")}
    From: ${headerOf(bye, "From")}
    To: ${headerOf(bye, "To")}
    Call-ID: ${headerOf(bye, "Call-ID")}
    CSeq: ${headerOf(bye, "CSeq")}
    Content-Length: 0
  `;

const last = (phone: Peer, method: string) => phone.heard.findLast((message) => message.startsWith(`${method} `)) ?? "";

test("modules, endpoints and transports are listed, without a secret", async () => {
  const { call } = await managed();
  const modules = (await call("GET", "/api/v1/modules")).body;
  expect(modules.map((m: { name: string }) => m.name)).toContain("registrar");
  const endpoints = await call("GET", "/api/v1/endpoints");
  expect(endpoints.body).toEqual([
    { id: "bob", context: "internal", aors: ["bob"], online: true, contacts: ["sip:bob@192.0.2.9:5060"], calls: 0 },
    { id: "carol", context: "internal", aors: ["carol"], online: false, contacts: [], calls: 0 },
  ]);
  expect(JSON.stringify([modules, endpoints])).not.toContain("hunter2");
  expect((await call("GET", "/api/v1/endpoints/bob")).body.id).toBe("bob");
  expect((await call("GET", "/api/v1/endpoints/dave")).status).toBe(404);
  expect((await call("GET", "/api/v1/transports")).body).toEqual([
    { id: "udp", protocol: "udp", address: "0.0.0.0:5060", connections: 0 },
  ]);
});

test("a call is originated to an endpoint, runs its extension when answered, and is hung up", async () => {
  const { patchbay, call } = await managed();
  const phone = await patchbay.peer();
  const made = await call("POST", "/api/v1/calls", { endpoint: "bob", extension: "600", callerId: { number: "100" } });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ endpoint: "bob", direction: "outgoing" });
  await patchbay.advance(100);
  await phone.send(answered(last(phone, "INVITE")), 200);
  expect(last(phone, "ACK")).not.toBe("");
  expect(patchbay.told("dialplan.step").map(({ extension, step }) => `${extension} ${step}`)).toContain("600 echo");
  const [shown] = (await call("GET", "/api/v1/calls")).body;
  expect(shown).toMatchObject({ id: made.body.id, endpoint: "bob", state: "up", codec: "ulaw" });
  expect((await call("GET", `/api/v1/calls/${made.body.id}`)).body.audio).toBeDefined();
  expect((await call("DELETE", `/api/v1/calls/${made.body.id}`)).status).toBe(204);
  await patchbay.advance(100);
  await phone.send(finished(last(phone, "BYE")), 100);
  expect((await call("GET", "/api/v1/calls")).body).toEqual([]);
  expect((await call("DELETE", `/api/v1/calls/${made.body.id}`)).status).toBe(404);
  expect(patchbay.told("security").map((e) => e.fields.Path)).toContain("/api/v1/calls");
});

test("an originated call that nobody answers is given up", async () => {
  const { patchbay, call } = await managed();
  const phone = await patchbay.peer();
  await call("POST", "/api/v1/calls", { endpoint: "bob", extension: "600", timeoutSeconds: 5 });
  await patchbay.advance(100);
  await phone.send(answered(last(phone, "INVITE")).replace("200 OK", "180 Ringing").replace(/v=0[^]*$/, ""), 6000);
  expect(last(phone, "CANCEL")).not.toBe("");
});

test("what cannot be called is said before a call is made", async () => {
  const { call } = await managed();
  const post = async (body: unknown) => (await call("POST", "/api/v1/calls", body)).status;
  expect(await post({ endpoint: "dave", extension: "600" })).toBe(404);
  expect(await post({ endpoint: "bob", extension: "999" })).toBe(404);
  expect(await post({ endpoint: "carol", extension: "600" })).toBe(409);
  expect(await post({ endpoint: "bob", extension: "600", uri: "http://x" })).toBe(400);
  expect(await post({ endpoint: "bob" })).toBe(400);
});

test("a module is reloaded by name; a manifest with faults is 422 with each fault's place", async () => {
  const { patchbay, call } = await managed();
  expect(await call("POST", "/api/v1/modules/registrar/reload", {})).toEqual({
    status: 200,
    body: { reloaded: "registrar" },
  });
  expect((await call("POST", "/api/v1/modules/nothing/reload", {})).status).toBe(404);
  expect(await call("POST", "/api/v1/reload", { plan: true })).toMatchObject({ body: { applied: false } });
  await expect(patchbay.reload({ core: {}, regstrar: {} })).rejects.toThrow(ConfigError);
  const refused = await call("POST", "/api/v1/reload", {});
  expect(refused.status).toBe(422);
  expect(refused.body.faults[0]).toMatchObject({
    file: "modules.json",
    line: 1,
    message: expect.stringContaining("regstrar"),
  });
});

test("an address that others reach needs TLS, or the word insecure", async () => {
  expect(managed({ bind: "0.0.0.0:8088" })).rejects.toThrow(ConfigError);
  expect(managed({ bind: "localhost:8088" })).rejects.toThrow(/address and port/);
  await managed({ bind: "0.0.0.0:8088", insecure: true });
  await managed({ bind: "[::1]:8088" });
});
