// (8) One HTML page for people: what a call and a conference member cost, the delay of the jitter buffer, what the DTMF receiver
// takes. `bun bench/report.ts [file]`; about two minutes. Needs gcc.
import { listen } from "../tests/wasm/listen.ts";
import { desk, DIGITS, random } from "../tests/wasm/sound.ts";
import { plain, sweep } from "../tests/wasm/digit_sounds.ts";
import { seededRandom } from "../tests/virtual_world.ts";

const file = process.argv[2] ?? "report.html";

/** The rows of a table that another bench prints: its cells as numbers. */
async function rows(script: string, ...args: string[]): Promise<number[][]> {
  const run = Bun.spawn([process.execPath, `${import.meta.dir}/${script}.ts`, ...args], { stdout: "pipe" });
  const text = await new Response(run.stdout).text();
  if (await run.exited !== 0) throw new Error(`${script} failed`);
  return text.split("\n").filter((line) => /^ +\d/.test(line)).map((line) => line.match(/[\d.]+/g)?.map(Number) ?? []);
}

const [WIDTH, HEIGHT, MARGIN] = [720, 260, 48];

interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

/** A chart of lines over one scale; axes begin at 0. */
function chart(title: string, x: string, y: string, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const [right, top] = [Math.max(...all.map(([x]) => x)), Math.max(...all.map(([, y]) => y)) * 1.1];
  const at = ([px, py]: readonly [number, number]) =>
    `${(MARGIN + px / right * (WIDTH - 2 * MARGIN)).toFixed(1)},${
      (HEIGHT - MARGIN - py / top * (HEIGHT - 2 * MARGIN)).toFixed(1)
    }`;
  const colours = ["#06c", "#c30", "#083"];
  const lines = series.map(({ points }, n) =>
    `<polyline fill="none" stroke="${colours[n % 3]}" stroke-width="1.5" points="${points.map(at).join(" ")}"/>`
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const [tx, ty] = [MARGIN + part * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN)];
    return `<text x="${tx}" y="${HEIGHT - MARGIN + 16}" text-anchor="middle">${
      Number((right * part).toPrecision(3))
    }</text>` +
      `<text x="${MARGIN - 6}" y="${ty + 4}" text-anchor="end">${Number((top * part).toPrecision(2))}</text>` +
      `<line x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${ty}" y2="${ty}" stroke="#ddd"/>`;
  });
  const key = series.map(({ name }, n) =>
    `<text x="${WIDTH - MARGIN}" y="${20 + 16 * n}" text-anchor="end" fill="${colours[n % 3]}">${name}</text>`
  );
  return `<h2>${title}</h2><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" font-size="12" font-family="sans-serif">${
    ticks.join("")
  }` +
    `${lines.join("")}${key.join("")}<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>` +
    `<text x="${MARGIN}" y="14">${y}</text></svg>`;
}

/** Per cent of digits that are taken, by deviation of both tones and by twist. */
async function digits(): Promise<string> {
  const on = await desk();
  const detunes = [-4, -3.5, -3, -2.5, -2, -1.5, -1, 0, 1, 1.5, 2, 2.5, 3, 3.5, 4];
  const twists = [-12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8];
  const each = 3 * DIGITS.length;
  const body = twists.map((twist) => {
    const cells = detunes.map((percent) => {
      const rnd = random(7);
      const one = (digit: string) =>
        plain(rnd, { digit, twist, level: -15, on: 60, off: 60, detune: [percent / 100, percent / 100] });
      const faults = sweep(
        on,
        each * 10,
        rnd,
        (line) => ({ digits: Array.from({ length: 10 }, (_, n) => one(DIGITS[(line * 10 + n) % 16] ?? "0")) }),
      );
      const taken = Math.max(0, Math.round(100 - 100 * faults / (each * 10)));
      return `<td style="background:hsl(${taken * 1.2},60%,75%)">${taken}</td>`;
    });
    return `<tr><th>${twist} dB</th>${cells.join("")}</tr>`;
  });
  return `<h2>DTMF: digits taken, per cent, by deviation of both tones and level of the high one over the low one</h2><table><tr><th></th>${
    detunes.map((percent) => `<th>${percent} %</th>`).join("")
  }</tr>${body.join("")}</table><p>±1.5 % at -8 to 4 dB must be taken, ±3.5 % must not.</p>`;
}

/** Delay of a network and of what is heard, over ten seconds with a change and a spike. */
async function delays(): Promise<string> {
  const random = seededRandom(1);
  const way: [number, number][] = [];
  const delay = (frame: number) => {
    const jitter = frame < 200 ? 5 : frame < 350 ? 40 : 10;
    const spike = frame >= 420 && frame < 430 ? 200 - 20 * (frame - 420) : 0;
    way.push([frame / 50, spike + random.below(jitter * 100) / 100]);
    return way.at(-1)?.[1];
  };
  const { heard } = await listen({ frames: 600, delay });
  return chart("Jitter buffer: jitter of 5, 40 and 10 ms, a spike of 200 ms", "seconds", "ms", [
    { name: "on the way", points: way },
    { name: "from mouth to ear", points: heard.map(({ frame, at }) => [frame / 50, at]) },
  ]);
}

const calls = await rows("signaling", "4");
const members = await rows("conference", "3");
const parts = [
  chart("Signaling of a call and of an OPTIONS, from cold to warm (rounds of 2,000)", "round", "CPU µs", [
    { name: "call", points: calls.map(([round = 0, call = 0]) => [round, call]) },
    { name: "OPTIONS", points: calls.map(([round = 0, , options = 0]) => [round, options]) },
  ]),
  chart("A member of a conference for 20 ms, sockets included", "members", "CPU µs", [
    { name: "member", points: members.map(([count = 0, micros = 0]) => [count, micros]) },
  ]),
  await delays(),
  await digits(),
];
await Bun.write(
  file,
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>patchbay: what it costs</title><style>body{font-family:sans-serif;max-width:${
    WIDTH + 60
  }px;margin:2em auto}table{border-collapse:collapse;font-size:12px}td,th{padding:2px 5px;text-align:right}</style><h1>patchbay: what it costs</h1>${
    parts.join("\n")
  }</html>\n`,
);
console.log(`wrote ${file}`);
