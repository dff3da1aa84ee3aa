// The codecs of `allow`: their names in options, in SDP, and their payload numbers (RFC 3551).

export interface Codec {
  readonly media: "audio" | "video";
  readonly option: string; // as in `allow`
  readonly name: string; // as in rtpmap
  /** Static number, or the one we propose. */
  readonly payloadType: number;
  readonly clockRate: number;
  readonly channels: number;
  readonly ptimeMs: number;
  /** Longest packet announced as maxptime; absent: 150. */
  readonly maxPtimeMs?: number;
  readonly fmtp?: string;
}

const codec = (option: string, name: string, payloadType: number, more: Partial<Codec> = {}): Codec => ({
  media: "audio",
  option,
  name,
  payloadType,
  clockRate: 8000,
  channels: 1,
  ptimeMs: 20,
  ...more,
});

/** Only passed on: a video codec runs at 90 kHz (RFC 3551 §5), and its parameters are those of the phones. */
const video = (option: string, name: string, payloadType: number): Codec =>
  codec(option, name, payloadType, { media: "video", clockRate: 90_000 });

/** In the order of `allow: all`: those first that are decoded here. */
export const codecs: readonly Codec[] = [
  codec("ulaw", "PCMU", 0),
  codec("alaw", "PCMA", 8),
  codec("g722", "G722", 9, { maxPtimeMs: 140 }), // clock 8000 although sampled at 16000 (RFC 3551 §4.5.2)
  codec("opus", "opus", 107, { clockRate: 48000, channels: 2, fmtp: "useinbandfec=1" }),
  codec("g729", "G729", 18, { fmtp: "annexb=no" }),
  codec("gsm", "GSM", 3),
  codec("g723", "G723", 4, { ptimeMs: 30 }),
  codec("ilbc", "iLBC", 97, { ptimeMs: 30, fmtp: "mode=30" }),
  codec("g726", "G726-32", 111),
  codec("g726aal2", "AAL2-G726-32", 112),
  codec("speex", "speex", 110),
  codec("speex16", "speex", 117, { clockRate: 16000 }),
  codec("speex32", "speex", 119, { clockRate: 32000 }),
  codec("lpc10", "LPC", 7),
  codec("slin", "L16", 96),
  codec("slin16", "L16", 118, { clockRate: 16000 }),
  codec("adpcm", "DVI4", 5),
  codec("siren7", "G7221", 102, { clockRate: 16000 }),
  codec("siren14", "G7221", 115, { clockRate: 32000 }),
  codec("g719", "G719", 116, { clockRate: 48000 }),
  video("vp8", "VP8", 100),
  video("h264", "H264", 99),
  video("vp9", "VP9", 105),
  video("h265", "H265", 106),
  video("h263p", "H263-1998", 98),
  video("h263", "H263", 34),
  video("h261", "H261", 31),
  video("mpeg4", "MP4V-ES", 104),
];

/** By option name or rtpmap name. */
export function codecNamed(name: string): Codec | undefined {
  const wanted = name.toLowerCase();
  return codecs.find((c) => c.option === wanted) ?? codecs.find((c) => c.name.toLowerCase() === wanted);
}

/** A codec as an endpoint allows it, with its packet length. */
export interface Preference {
  readonly codec: Codec;
  readonly ptimeMs: number;
}

/** `ulaw`, `ulaw:30`, `all`, `!g722`, in order, without what `disallow` names. A string is the name nobody knows. */
export function readAllow(allow: readonly string[], disallow: readonly string[]): readonly Preference[] | string {
  const list = new Map<string, Preference>();
  const without = disallow.filter((name) => name !== "all").map((name) => `!${name}`);
  for (const entry of [...allow, ...without]) {
    const [, not, name = "", length] = /^(!?)([A-Za-z0-9]+)(?::(\d{2,3}))?$/.exec(entry) ?? [];
    if (name === "all") {
      if (not) list.clear();
      else for (const codec of codecs) list.set(codec.option, { codec, ptimeMs: codec.ptimeMs });
      continue;
    }
    const codec = codecs.find((c) => c.option === name);
    if (codec === undefined) return entry;
    if (not) list.delete(name);
    else list.set(name, { codec, ptimeMs: Math.min(200, Math.max(10, Number(length ?? codec.ptimeMs))) });
  }
  return [...list.values()];
}
