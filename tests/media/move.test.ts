import { afterEach, expect, test } from "bun:test";
import type { MediaPlane, MediaStream } from "../../src/kernel/media.ts";
import { config, IOS, LIMIT_MS, Peer, plane, unbroken } from "../worker/peer.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A plane of two threads and as many legs; each new one goes to the thread with fewer. */
async function legs(io: (typeof IOS)[number], count: number) {
  const media: MediaPlane = await plane(io, 2);
  closers.push(() => media.stop());
  const all: { peer: Peer; stream: MediaStream }[] = [];
  for (let i = 0; i < count; i++) {
    const peer = await Peer.open();
    closers.push(() => peer.close());
    const stream = await media.open({ host: "127.0.0.1", ports: [0, 0] });
    await stream.configure(config(peer.local));
    all.push({ peer, stream });
  }
  return { media, all };
}

/** The sample of a µ-law octet. */
function level(octet: number): number {
  const u = ~octet & 0xff;
  const magnitude = ((((u & 15) << 3) + 132) << ((u >> 4) & 7)) - 132;
  return u & 0x80 ? -magnitude : magnitude;
}

for (const io of IOS) {
  const on = (title: string, run: () => Promise<void>) => test(`${io}: ${title}`, run, LIMIT_MS);

  on("a stream that moves to its peer's thread goes on: port, SSRC, sequence, time line", async () => {
    const { all: [a, b] } = await legs(io, 2);
    const { local } = a!.stream;
    const playing = a!.stream.play({ samples: new Int16Array(8000).fill(3000), sampleRate: 8000 }, { loop: true });
    await a!.peer.until((packets) => packets.length >= 10);
    await a!.stream.connect(b!.stream);
    const count = a!.peer.packets.length;
    await a!.peer.until((packets) => packets.length >= count + 10);
    await a!.stream.stopPlaying();
    expect(await playing).toBe(false);
    b!.peer.answer = () => {};
    b!.peer.say(b!.stream.local, 0x33);
    const packets = await a!.peer.until((packets) => packets.at(-1)!.payload[0] === 0x33);
    expect(unbroken(packets)).toBe(true);
    expect(packets.every(({ from }) => from === local.port)).toBe(true);
    expect(packets.every(({ timestamp }, i) => i === 0 || ((timestamp - packets[i - 1]!.timestamp) | 0) > 0)).toBe(
      true,
    );
    a!.peer.say(a!.stream.local, 0x44);
    await b!.peer.until((packets) => packets.some(({ payload }) => payload[0] === 0x44));
  });

  on("a conference hears members that came from different threads", async () => {
    const { media, all } = await legs(io, 5);
    await Promise.all(all.map(({ stream }) => stream.join("main", { muted: false })));
    expect(media.counts).toMatchObject({ conferences: 1, streams: 5 });
    // Each says a steady level whenever it hears something; the sum of the four others comes back.
    const codes = [0xaf, 0x9f, 0xbf, 0xcf, 0xdf];
    all.forEach(({ peer, stream }, i) => peer.answer = () => peer.say(stream.local, codes[i]!));
    await Promise.all(all.map(({ peer }, i) => {
      const others = codes.filter((_, j) => j !== i).reduce((sum, code) => sum + level(code), 0);
      return peer.until((packets) => {
        const heard = level(packets.at(-1)?.payload[80] ?? 0xff);
        return Math.abs(heard - others) <= others / 16;
      });
    }));
    for (const { peer } of all) expect(unbroken(peer.packets)).toBe(true);
    await Promise.all(all.map(({ stream }) => stream.close()));
    expect(media.counts).toMatchObject({ conferences: 0, streams: 0, members: 0 });
  });

  on("a recording goes on over a move", async () => {
    const { all: [a, b] } = await legs(io, 2);
    const samples: number[] = [];
    const recording = await a!.stream.record((part) => samples.push(...part));
    a!.peer.say(a!.stream.local, 0x80);
    while ((await a!.stream.stats()).packetsReceived < 1);
    await a!.stream.connect(b!.stream);
    a!.peer.say(a!.stream.local, 0x80);
    while ((await a!.stream.stats()).packetsReceived < 2);
    await recording.stop();
    expect(samples).toHaveLength(320);
  });

  on("two legs that connect to each other at once meet", async () => {
    const { all: [a, b] } = await legs(io, 2);
    await Promise.all([a!.stream.connect(b!.stream), b!.stream.connect(a!.stream)]);
    a!.peer.say(a!.stream.local, 0x21);
    await b!.peer.until((packets) => packets.length > 0);
  });

  on("commands given while a stream moves are done after it", async () => {
    const { all: [a, b] } = await legs(io, 2);
    const connected = a!.stream.connect(b!.stream);
    const others = [a!.stream.stats(), a!.stream.configure(config(a!.peer.local)), b!.stream.stats()];
    await Promise.all([connected, ...others]);
    const closing = b!.stream.close();
    await Promise.all([closing, a!.stream.close()]);
  });
}
