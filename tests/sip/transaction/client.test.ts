import { expect, test } from "bun:test";
import { VirtualUniverse } from "../../virtual_world.ts";
import { Side, tcp, udp } from "./side.ts";

async function pair(seed = 1) {
  const universe = new VirtualUniverse(seed);
  const a = await new Side(universe.host("192.0.2.1")).open();
  const b = await new Side(universe.host("192.0.2.2")).open();
  await a.open("tcp");
  await b.open("tcp");
  return { universe, a, b };
}

const sent = (side: Side, what: string) => side.wire.filter((line) => line.startsWith(`> ${what}`)).length;

test("a request is answered over UDP and leaves nothing behind after T4 (RFC 3261 §17.1.2)", async () => {
  const { universe, a, b } = await pair();
  a.send(a.message("OPTIONS"), udp("192.0.2.2"));
  await universe.advance(10);
  expect(a.seen).toEqual(["200 OPTIONS"]);
  expect(a.transactions.counts.client).toBe(1);
  await universe.advance(5000);
  expect(a.transactions.counts.client).toBe(0);
  await universe.advance(32_000);
  expect(b.transactions.counts.server).toBe(0);
  expect(universe.pending).toBe(0);
});

test("timer E repeats a request after 0.5, 1.5, 3.5, 7.5 s, then every T2, until timer F (RFC 3261 §17.1.2.2)", async () => {
  const { universe, a } = await pair();
  universe.partition("192.0.2.1", "192.0.2.2");
  a.send(a.message("OPTIONS"), udp("192.0.2.2"));
  await universe.advance(31_999);
  expect(sent(a, "OPTIONS")).toBe(11);
  expect(a.seen).toEqual([]);
  await universe.advance(2);
  expect(a.seen).toEqual(["failed timeout"]);
  expect(universe.pending).toBe(0);
});

test("timer A doubles without limit until timer B (RFC 3261 §17.1.1.2)", async () => {
  const { universe, a } = await pair();
  universe.partition("192.0.2.1", "192.0.2.2");
  a.send(a.message("INVITE"), udp("192.0.2.2"));
  await universe.advance(33_000);
  expect(sent(a, "INVITE")).toBe(7);
  expect(a.seen).toEqual(["failed timeout"]);
});

test("a 1xx stops the retransmission of INVITE and timer B (RFC 3261 §17.1.1.2)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => incoming.accept().respond(b.answer(incoming.request, 180, "Ringing"));
  a.send(a.message("INVITE"), udp("192.0.2.2"));
  await universe.advance(100_000);
  expect(sent(a, "INVITE")).toBe(1);
  expect(a.seen).toEqual(["180 INVITE"]);
});

test("a refusal is acknowledged, and both sides forget it: timers D and I (RFC 3261 §17.1.1.2)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => incoming.accept().respond(b.answer(incoming.request, 486, "Busy Here"));
  a.send(a.message("INVITE"), udp("192.0.2.2"));
  await universe.advance(10);
  expect(a.seen).toEqual(["486 INVITE"]);
  expect(sent(a, "ACK")).toBe(1);
  expect(b.seen).toEqual(["REQUEST INVITE"]);
  await universe.advance(32_010);
  expect(a.transactions.counts.client).toBe(0);
  expect(b.transactions.counts.server).toBe(0);
  expect(universe.pending).toBe(0);
});

test("a 2xx that comes again is handed on until timer M (RFC 6026 §7.2)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => {
    const transaction = incoming.accept();
    transaction.respond(b.answer(incoming.request));
    b.last = transaction;
  };
  a.send(a.message("INVITE"), udp("192.0.2.2"));
  await universe.advance(10);
  const transaction = b.last;
  transaction?.respond(b.answer(transaction.request));
  await universe.advance(10);
  expect(a.seen).toEqual(["200 INVITE", "200 INVITE"]);
  await universe.advance(32_000);
  expect(a.transactions.counts.client).toBe(0);
  expect(b.transactions.counts.server).toBe(0);
});

test("CANCEL waits for a 1xx and leaves with the branch of its INVITE (RFC 3261 §9.1)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => {
    const transaction = incoming.accept();
    transaction.onCancel(() => transaction.respond(b.answer(incoming.request, 487, "Request Terminated")));
    b.last = transaction;
  };
  const invite = a.send(a.message("INVITE"), udp("192.0.2.2"));
  invite.cancel();
  await universe.advance(100);
  expect(sent(a, "CANCEL")).toBe(0);
  await universe.advance(200); // the 100 of the other side
  expect(sent(a, "CANCEL")).toBe(1);
  expect(a.seen).toEqual(["100 INVITE", "487 INVITE"]);
  await universe.advance(40_000);
  expect(a.transactions.counts.client).toBe(0);
  expect(universe.pending).toBe(0);
});

test("an INVITE that stays unanswered after CANCEL is given up (RFC 3261 §9.1)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => incoming.accept().respond(b.answer(incoming.request, 180, "Ringing"));
  const invite = a.send(a.message("INVITE"), udp("192.0.2.2"));
  await universe.advance(10);
  invite.cancel();
  await universe.advance(32_100);
  expect(a.seen).toEqual(["180 INVITE", "failed timeout"]);
});

test("over TCP nothing is repeated and the transaction ends with the answer", async () => {
  const { universe, a, b } = await pair();
  a.send(a.message("OPTIONS"), tcp("192.0.2.2"));
  await universe.advance(10);
  expect(a.seen).toEqual(["200 OPTIONS"]);
  expect(a.transactions.counts.client).toBe(0);
  expect(b.transactions.counts.server).toBe(0);
  b.onRequest = (incoming) => b.last = incoming.accept();
  a.send(a.message("INVITE"), tcp("192.0.2.2"));
  await universe.advance(20_000);
  expect(sent(a, "INVITE")).toBe(1);
  expect(a.transports.flows.length).toBe(1); // the first connection served both
});

test("a port that nobody listens on is reported by ICMP and fails the request at once", async () => {
  const { universe, a } = await pair();
  a.send(a.message("OPTIONS"), udp("192.0.2.2", 9));
  await universe.advance(5);
  expect(a.seen).toEqual(["failed transport"]);
  expect(universe.pending).toBe(0);
});

test("a refused or silent connection fails the request", async () => {
  const { universe, a } = await pair();
  a.send(a.message("OPTIONS"), tcp("192.0.2.2", 9));
  await universe.advance(5);
  expect(a.seen).toEqual(["failed transport"]);
  a.send(a.message("OPTIONS"), tcp("192.0.2.77"));
  await universe.advance(6000);
  expect(a.seen).toEqual(["failed transport", "failed transport"]);
});

test("a response with two Via values, or with a branch of nobody, is not ours (RFC 3261 §8.1.3.3)", async () => {
  const { universe, a, b } = await pair();
  b.onRequest = (incoming) => {
    const answer = b.answer(incoming.request);
    answer.headers.append("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother");
    incoming.reply(answer);
    const stray = b.answer(incoming.request);
    stray.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother");
    b.transports.respond(stray, incoming.flow);
  };
  a.send(a.message("OPTIONS"), udp("192.0.2.2"));
  await universe.advance(10);
  expect(a.seen).toEqual(["stray 200"]);
});
