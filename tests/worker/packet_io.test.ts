import { afterEach, expect, test } from "bun:test";
import type { MediaEvent, MediaPlane, MediaStream } from "../../src/kernel/media.ts";
import { NoPort } from "../../src/kernel/media.ts";
import { seededRandom } from "../virtual_world.ts";
import { config, IOS, LIMIT_MS, PCMA, Peer, plane, unbroken, world } from "./peer.ts";

const ANY = { host: "127.0.0.1", ports: [0, 0] } as const;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function planeOf(io: (typeof IOS)[number], count = 1): Promise<MediaPlane> {
  const opened = await plane(io, count);
  closers.push(() => opened.stop());
  return opened;
}

/** A stream and its peer, configured towards each other. */
async function leg(plane: MediaPlane, more: Parameters<typeof config>[1] = {}, near?: MediaStream) {
  const peer = await Peer.open();
  closers.push(() => peer.close());
  const stream = await plane.open({ ...ANY, rtcpMux: more.rtcpMux ?? false, ...near ? { near } : {} });
  await stream.configure(config(peer.local, more));
  return { peer, stream };
}

function eventOf<K extends MediaEvent["kind"]>(
  stream: MediaStream,
  kind: K,
): Promise<Extract<MediaEvent, { kind: K }>> {
  return new Promise((resolve) => {
    stream.on((event) => {
      if (event.kind === kind) resolve(event as Extract<MediaEvent, { kind: K }>); // by its kind
    });
  });
}

/** Why a promise was rejected. */
function reason(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => "it was not", (error: unknown) => error);
}

for (const io of IOS) {
  const on = (title: string, run: () => Promise<void>) => test(`${io}: ${title}`, run, LIMIT_MS);

  on("a pair is an even port and the next, at random in the range; a closed pair rests", async () => {
    const media = await planeOf(io);
    const range = { host: "127.0.0.1", ports: [31000, 31099] } as const;
    const streams = await Promise.all(Array.from({ length: 10 }, () => media.open(range)));
    const ports = streams.map(({ local }) => local.port);
    expect(ports.every((port) => port % 2 === 0 && port >= 31000 && port < 31100)).toBe(true);
    expect(streams.every(({ local, localRtcp }) => localRtcp.port === local.port + 1)).toBe(true);
    expect(new Set(ports).size).toBe(10);
    expect(ports).not.toEqual([...ports].sort((a, b) => a - b));
    await Promise.all(streams.map((stream) => stream.close()));
    const again = await Promise.all(Array.from({ length: 10 }, () => media.open(range)));
    expect(again.some(({ local }) => ports.includes(local.port))).toBe(false);
    expect(media.counts.streams).toBe(10);
  });

  on("an exhausted range is NoPort, a foreign address an error", async () => {
    const media = await planeOf(io);
    const range = { host: "127.0.0.1", ports: [31200, 31203] } as const;
    await media.open(range);
    await media.open(range);
    expect(await reason(media.open(range))).toBeInstanceOf(NoPort);
    expect(String(await reason(media.open({ ...range, host: "192.0.2.1" })))).toContain("192.0.2.1");
    expect(media.counts.streams).toBe(2);
  });

  on("a port of another program is passed over", async () => {
    const media = await planeOf(io);
    const other = await world.network.bindDatagram({ host: "127.0.0.1", port: 31300 }, {
      received: () => {},
      unreachable: () => {},
    });
    closers.push(() => other.close());
    const stream = await media.open({ host: "127.0.0.1", ports: [31300, 31303] });
    expect(stream.local.port).toBe(31302);
  });

  on("two connected streams relay both ways, payload unchanged", async () => {
    const media = await planeOf(io);
    const [a, b] = [await leg(media), await leg(media)];
    await a.stream.connect(b.stream);
    const payload = Uint8Array.from({ length: 160 }, (_, i) => i);
    b.peer.answer = ({ payload }) => b.peer.say(b.stream.local, payload);
    a.peer.answer = () => a.peer.say(a.stream.local, payload);
    a.peer.say(a.stream.local, payload);
    const heard = await b.peer.until((packets) => packets.length >= 50);
    const back = await a.peer.until((packets) => packets.length >= 50);
    for (const packets of [heard, back]) {
      expect(packets.every((packet) => packet.payload.equals(payload))).toBe(true);
      expect(unbroken(packets)).toBe(true);
    }
    const stats = await a.stream.stats();
    expect(stats.packetsReceived).toBeGreaterThanOrEqual(50);
    expect(stats).toMatchObject({ lost: 0, malformed: 0, foreign: 0, codec: "PCMU" });
  });

  on("IPv6 works like IPv4", async () => {
    const media = await planeOf(io);
    const stream = await media.open({ host: "::1", ports: [0, 0] });
    const arrived = Promise.withResolvers<number>();
    const peer = await world.network.bindDatagram({ host: "::1", port: 0 }, {
      received: (bytes) => arrived.resolve(bytes.length),
      unreachable: () => {},
    });
    closers.push(() => peer.close());
    await stream.configure(config(peer.local));
    const tone = stream.tone([{ frequencies: [440], levelDbm0: -13, ms: 0 }], { loop: false });
    expect(await arrived.promise).toBe(172);
    await stream.stopPlaying();
    expect(await tone).toBe(false);
  });

  on("a peer that is gone (ICMP) harms neither the stream nor its neighbours", async () => {
    const media = await planeOf(io);
    const gone = await Peer.open();
    gone.close();
    const { peer, stream } = await leg(media);
    await stream.configure(config(gone.local));
    const silence = new Int16Array(1600);
    expect(await stream.play({ samples: silence, sampleRate: 8000 }, { loop: false })).toBe(true);
    await stream.configure(config(peer.local));
    expect(await stream.play({ samples: silence, sampleRate: 8000 }, { loop: false })).toBe(true);
    await peer.until((packets) => packets.length >= 10);
  });

  on("transcodes between the laws", async () => {
    const media = await planeOf(io);
    const a = await leg(media);
    const b = await leg(media, { codec: PCMA, accepted: [PCMA] });
    await a.stream.connect(b.stream);
    a.peer.say(a.stream.local, 0xff);
    const [heard] = await b.peer.until((packets) => packets.length > 0);
    expect(heard!.payloadType).toBe(8);
    expect(heard!.payload.every((octet) => octet === 0xd5)).toBe(true);
  });

  on("an echo, its statistics and what was recorded", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    await stream.echo();
    const samples: number[] = [];
    const recording = await stream.record((part) => samples.push(...part));
    peer.answer = () => void (peer.packets.length < 20 && peer.say(stream.local, 0x80));
    peer.say(stream.local, 0x80);
    await peer.until((packets) => packets.length === 20);
    await recording.stop();
    expect(samples).toHaveLength(3200);
    expect(samples.every((sample) => sample === 32124)).toBe(true);
    expect(await stream.stats()).toMatchObject({ packetsReceived: 20, packetsSent: 20, octetsSent: 3200 });
  });

  on("a clip longer than the core's ring is heard whole and in order", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    // 1.5 s in which every packet has a level of its own
    const samples = Int16Array.from({ length: 12_000 }, (_, i) => 100 * Math.floor(i / 160));
    const played = eventOf(stream, "played");
    expect(await stream.play({ samples, sampleRate: 8000 }, { loop: false })).toBe(true);
    await played;
    const packets = await peer.until((packets) => packets.length >= 75);
    expect(unbroken(packets)).toBe(true);
    const levels = packets.map(({ payload }) => 255 - payload[80]!);
    expect(levels.every((level, i) => i === 0 || (level & 0x7f) >= (levels[i - 1]! & 0x7f))).toBe(true);
    expect(new Set(levels).size).toBeGreaterThan(40);
  });

  on("a loop goes on until it is stopped; 16 kHz becomes 8", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    const playing = stream.play({ samples: new Int16Array(1000).fill(5000), sampleRate: 16000 }, { loop: true });
    const packets = await peer.until((packets) => packets.length >= 30);
    expect(packets.slice(5).every(({ payload }) => (payload[80]! & 0x7f) < 0x40)).toBe(true);
    await stream.stopPlaying();
    expect(await playing).toBe(false);
  });

  on("digits go out as events and come in as digits", async () => {
    const media = await planeOf(io);
    const [a, b] = [await leg(media), await leg(media)];
    a.peer.answer = ({ payloadType, marker, timestamp, payload }) =>
      payloadType === 101 && b.peer.say(b.stream.local, payload, { payloadType, marker, timestamp });
    await b.stream.configure(config(b.peer.local));
    const told: string[] = [];
    const all = new Promise<void>((resolve) =>
      b.stream.on((event) => {
        if (event.kind === "digit" && told.push(event.digit) === 4) resolve();
      })
    );
    await a.stream.sendDigits("1A#0", { durationMs: 100, gapMs: 60 });
    await all;
    expect(told.join("")).toBe("1A#0");
    expect(String(await reason(a.stream.sendDigits("x", { durationMs: 100, gapMs: 60 })))).toContain("not digits");
  });

  on("RTCP has its own port, or with mux the same", async () => {
    const media = await planeOf(io);
    const rtcp = await Peer.open();
    closers.push(() => rtcp.close());
    const apart = await leg(media, { remoteRtcp: rtcp.local, rtcpIntervalMs: 500 });
    const muxed = await leg(media, { rtcpMux: true, rtcpIntervalMs: 500 });
    const tone = [{ frequencies: [], levelDbm0: 0, ms: 0 }];
    const tones = [apart, muxed].map(({ stream }) => stream.tone(tone, { loop: false }));
    const [report] = await rtcp.until((packets) => packets.length > 0);
    expect(report!.from).toBe(apart.stream.localRtcp.port);
    await muxed.peer.until((packets) => packets.some(({ payloadType }) => payloadType === 200 - 128));
    expect(muxed.stream.localRtcp).toEqual(muxed.stream.local);
    await Promise.all([apart.stream.close(), muxed.stream.close()]);
    expect(await Promise.all(tones)).toEqual([false, false]);
  });

  on("a stream whose configuration is refused is closed, and its neighbour goes on", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    const other = await leg(media);
    const closed = eventOf(stream, "closed");
    await stream.configure(config(peer.local, { codec: { ...PCMA, payloadType: 300 } }));
    expect((await closed).why).toContain("codec PCMA");
    expect(String(await reason(stream.stats()))).toContain("closed");
    expect(await stream.close()).toBeUndefined();
    expect(media.counts.streams).toBe(1);
    expect(await other.stream.close()).toMatchObject({ packetsReceived: 0 });
  });

  on("silence is told", async () => {
    const media = await planeOf(io);
    const { stream } = await leg(media, { timeoutSeconds: 1 });
    expect(await eventOf(stream, "timeout")).toEqual({ kind: "timeout", seconds: 1 });
  });

  on("a locked source is told; strangers are counted and not heard", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    await stream.echo();
    const locked = eventOf(stream, "source");
    peer.say(stream.local, 1);
    expect((await locked).address).toEqual(peer.local);
    const stranger = await Peer.open();
    closers.push(() => stranger.close());
    for (let i = 0; i < 5; i++) stranger.say(stream.local, 2);
    while ((await stream.stats()).foreign < 5);
    peer.say(stream.local, 3);
    const packets = await peer.until((packets) => packets.length >= 2);
    expect(packets.map(({ payload }) => payload[0])).toEqual([1, 3]);
    expect(stranger.packets).toEqual([]);
  });

  on("never sends where media may not go", async () => {
    const media = await planeOf(io);
    const { stream } = await leg(media);
    for (const host of ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"]) {
      await stream.configure(config({ host, port: 4000 }));
      await stream.play({ samples: new Int16Array(160), sampleRate: 8000 }, { loop: false });
    }
    expect(await stream.stats()).toMatchObject({ packetsSent: 0 });
  });

  on("never sends to a port of its own: two echoes would answer each other for ever", async () => {
    const media = await planeOf(io);
    const [a, b] = [await leg(media), await leg(media)];
    await a.stream.configure(config(b.stream.local));
    await b.stream.configure(config(a.stream.local));
    await Promise.all([a.stream.echo(), b.stream.echo()]);
    await a.stream.play({ samples: new Int16Array(320), sampleRate: 8000 }, { loop: false });
    expect(await a.stream.stats()).toMatchObject({ packetsSent: 0 });
    expect(await b.stream.stats()).toMatchObject({ packetsSent: 0, packetsReceived: 0 });
  });

  on("after close every call is refused, and nothing is left", async () => {
    const media = await planeOf(io);
    const { peer, stream } = await leg(media);
    const playing = stream.play({ samples: new Int16Array(80_000), sampleRate: 8000 }, { loop: true });
    await peer.until((packets) => packets.length > 0);
    await stream.join("room", { muted: false });
    await stream.close();
    await stream.close();
    expect(await playing).toBe(false);
    expect(String(await reason(stream.stats()))).toContain("closed");
    expect(String(await reason(stream.echo()))).toContain("closed");
    expect(media.counts).toMatchObject({ streams: 0, conferences: 0 });
  });

  on("garbage on the RTP and RTCP ports leaves a running call untouched", async () => {
    const media = await planeOf(io);
    const [a, b] = [await leg(media), await leg(media)];
    await a.stream.connect(b.stream);
    const random = seededRandom(11);
    const attacker = await Peer.open();
    closers.push(() => attacker.close());
    b.peer.answer = () => {
      for (let i = 0; i < 20; i++) {
        const target = [a.stream.local, a.stream.localRtcp, b.stream.local, b.stream.localRtcp][random.below(4)]!;
        (i % 2 === 0 ? attacker : a.peer).raw(target, i % 4 < 2 ? random.bytes(random.below(300)) : new Uint8Array(0));
      }
      a.peer.say(a.stream.local, 0x42);
    };
    a.peer.say(a.stream.local, 0x42);
    const packets = await b.peer.until((packets) => packets.length >= 100);
    const speech = packets.filter(({ payload }) => payload.length === 160 && payload[0] === 0x42);
    expect(speech.length).toBeGreaterThanOrEqual(99);
  });
}
