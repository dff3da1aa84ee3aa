import { expect, test } from "bun:test";
import { VirtualUniverse } from "../../virtual_world.ts";
import { Side, udp } from "./side.ts";

/** A server, and a socket that speaks to it octet by octet. */
async function server() {
  const universe = new VirtualUniverse();
  const b = await new Side(universe.host("192.0.2.2")).open();
  const heard: string[] = [];
  const socket = await universe.host("192.0.2.9").network.bindDatagram({ host: "192.0.2.9", port: 5060 }, {
    received: (bytes) => heard.push(new TextDecoder().decode(bytes)),
    unreachable: () => {},
  });
  const send = (text: string) =>
    socket.send(new TextEncoder().encode(text.replaceAll("\n", "\r\n")), { host: "192.0.2.2", port: 5060 });
  const statuses = () => heard.map((text) => text.slice(8, 11));
  return { universe, b, heard, statuses, send };
}

const request = (method: string, branch = "z9hG4bK1", more = "", cseq = method === "ACK" ? "INVITE" : method) =>
  `${method} sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=${branch}\nMax-Forwards: 70\n` +
  `From: <sip:alice@192.0.2.9>;tag=a\nTo: <sip:bob@192.0.2.2>${more}\nCall-ID: 1@192.0.2.9\n` +
  `CSeq: 1 ${cseq === "INVITE" && method === "ACK" ? "ACK" : cseq}\nContent-Length: 0\n\n`;

test("a copy of a request gets the same answer and is not seen again until timer J (RFC 3261 §17.2.2)", async () => {
  const { universe, b, statuses, send } = await server();
  send(request("OPTIONS"));
  await universe.advance(10);
  send(request("OPTIONS"));
  await universe.advance(31_000);
  send(request("OPTIONS"));
  await universe.advance(10);
  expect(b.seen).toEqual(["REQUEST OPTIONS"]);
  expect(statuses()).toEqual(["200", "200", "200"]);
  await universe.advance(2000);
  expect(b.transactions.counts.server).toBe(0);
  expect(universe.pending).toBe(0);
});

test("a request whose owner says nothing is forgotten after 64 T1 (RFC 4320)", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => incoming.accept();
  send(request("OPTIONS"));
  await universe.advance(32_100);
  expect(statuses()).toEqual([]);
  expect(b.transactions.counts.server).toBe(0);
});

test("an INVITE nobody answers within 200 ms gets a 100, and so does its copy (RFC 3261 §17.2.1)", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => incoming.accept();
  send(request("INVITE"));
  await universe.advance(199);
  expect(statuses()).toEqual([]);
  await universe.advance(10);
  expect(statuses()).toEqual(["100"]);
  send(request("INVITE"));
  await universe.advance(10);
  expect(statuses()).toEqual(["100", "100"]);
});

test("timer G repeats a refusal until the ACK, timer I absorbs further ACKs (RFC 3261 §17.2.1)", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => {
    incoming.accept().respond(b.answer(incoming.request, 486, "Busy Here"));
  };
  send(request("INVITE"));
  await universe.advance(1600);
  expect(statuses()).toEqual(["486", "486", "486"]); // 0, 0.5, 1.5 s
  send(request("ACK", "z9hG4bK1", ";tag=theirs"));
  await universe.advance(10);
  send(request("ACK", "z9hG4bK1", ";tag=theirs"));
  await universe.advance(4000);
  expect(statuses().length).toBe(3);
  expect(b.seen).toEqual(["REQUEST INVITE"]);
  await universe.advance(1000);
  expect(b.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
  expect(universe.pending).toBe(0);
});

test("without an ACK timer H ends it", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => {
    incoming.accept().respond(b.answer(incoming.request, 486, "Busy Here"));
  };
  send(request("INVITE"));
  await universe.advance(32_100);
  expect(b.transactions.counts.server).toBe(0);
  expect(statuses().length).toBe(11); // T1 doubling to T2
  expect(universe.pending).toBe(0);
});

test("after a 2xx copies of the INVITE are absorbed and its ACK goes to the dialog (RFC 6026 §7.1)", async () => {
  const { universe, b, statuses, send } = await server();
  send(request("INVITE"));
  await universe.advance(10);
  send(request("INVITE"));
  send(request("ACK", "z9hG4bK2", ";tag=theirs"));
  await universe.advance(10);
  expect(statuses()).toEqual(["200"]);
  expect(b.seen).toEqual(["REQUEST INVITE", "ack"]);
  await universe.advance(32_000);
  expect(b.transactions.counts.server).toBe(0);
});

test("CANCEL is answered 200 and ends the INVITE; one that matches nothing gets 481 (RFC 3261 §9.2)", async () => {
  const { universe, b, heard, statuses, send } = await server();
  b.onRequest = (incoming) => {
    const transaction = incoming.accept();
    transaction.onCancel(() => transaction.respond(b.answer(incoming.request, 487, "Request Terminated")));
  };
  send(request("INVITE"));
  await universe.advance(10);
  send(request("CANCEL"));
  await universe.advance(10);
  expect(heard.map((text) => `${text.slice(8, 11)} ${/CSeq: 1 (\w+)/.exec(text)?.[1]}`)).toEqual([
    "200 CANCEL",
    "487 INVITE",
  ]);
  send(request("CANCEL", "z9hG4bKother"));
  await universe.advance(10);
  expect(statuses().at(-1)).toBe("481");
});

test("a CANCEL that overtakes the decision about its INVITE is not lost", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => {
    universe.after(50, () => {
      const transaction = incoming.accept();
      transaction.onCancel(() => transaction.respond(b.answer(incoming.request, 487, "Request Terminated")));
    });
  };
  send(request("INVITE"));
  send(request("CANCEL"));
  await universe.advance(100);
  expect(statuses()).toEqual(["200", "487"]);
});

test("copies are absorbed while nobody has decided, and seen again after an answer without state", async () => {
  const { universe, b, statuses, send } = await server();
  b.onRequest = (incoming) => {
    universe.after(50, () => incoming.reply(b.answer(incoming.request, 401, "Unauthorized")));
  };
  send(request("OPTIONS"));
  send(request("OPTIONS"));
  await universe.advance(60);
  send(request("OPTIONS"));
  await universe.advance(60);
  expect(b.seen).toEqual(["REQUEST OPTIONS", "REQUEST OPTIONS"]);
  expect(statuses()).toEqual(["401", "401"]);
  expect(b.transactions.counts.server).toBe(0);
});

for (const branch of ["1", "z9hG4bK", ""]) {
  test(`branch "${branch}" is matched the RFC 2543 way: INVITE, its ACK and its CANCEL`, async () => {
    const { universe, b, statuses, send } = await server();
    b.onRequest = (incoming) => {
      const transaction = incoming.accept();
      transaction.onCancel(() => transaction.respond(b.answer(incoming.request, 487, "Request Terminated")));
    };
    send(request("INVITE", branch));
    send(request("INVITE", branch));
    await universe.advance(10);
    send(request("CANCEL", branch));
    await universe.advance(10);
    send(request("ACK", branch, ";tag=theirs"));
    await universe.advance(10_000);
    expect(b.seen).toEqual(["REQUEST INVITE"]);
    expect(statuses().filter((status) => status === "487").length).toBe(1);
    expect(b.transactions.counts.server).toBe(0);
  });
}

test("5,000 transactions through loss, duplication and reordering end, and nothing is left", async () => {
  const universe = new VirtualUniverse(7);
  universe.setFaults({ loss: 0.15, duplication: 0.1, jitterMs: 80 });
  const a = await new Side(universe.host("192.0.2.1")).open();
  const b = await new Side(universe.host("192.0.2.2")).open();
  b.onRequest = (incoming) => {
    const transaction = incoming.accept();
    const { request } = incoming;
    if (request.method !== "INVITE") return transaction.respond(b.answer(request));
    const status = universe.draw(3);
    transaction.onCancel(() => transaction.respond(b.answer(request, 487, "Request Terminated")));
    transaction.respond(b.answer(request, 180, "Ringing"));
    if (status < 2) {
      universe.after(universe.draw(3000), () => transaction.respond(b.answer(request, status === 0 ? 486 : 200, "x")));
    }
  };
  for (let count = 0; count < 5000; count++) {
    const invite = count % 2 === 0;
    const client = a.send(a.message(invite ? "INVITE" : "OPTIONS"), udp("192.0.2.2"));
    if (invite) universe.after(4000, () => client.cancel());
    if (count % 50 === 0) await universe.advance(20);
  }
  await universe.advance(200_000);
  const finals = a.seen.filter((line) => /^([2-6]|failed)/.test(line));
  expect(new Set(finals)).toEqual(
    new Set(
      ["200 OPTIONS", "486 INVITE", "200 INVITE", "487 INVITE", "failed timeout"].filter((x) => finals.includes(x)),
    ),
  );
  expect(a.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
  expect(b.transactions.counts).toEqual({ server: 0, inviteServer: 0, client: 0 });
  expect(universe.pending).toBe(0);
});
