import * as v from "valibot";
import { defineModule } from "../../kernel/module.ts";
import { bool, integer } from "../../kernel/schema.ts";
import { Ring } from "./entry.ts";
import { FilterError, readFilter } from "./filter.ts";

const MEGABYTE = 1024 * 1024;
const SHOWN = 1000; // entries in one answer
const TURN = 500; // entries looked at in one go

/** Kept over a reload of the module. */
class Kept {
  constructor(readonly ring: Ring, readonly on: boolean) {}
}

const entryView = v.object({
  number: v.number(),
  timestamp: v.number(), // seconds
  direction: v.picklist(["in", "out"]),
  source: v.string(),
  destination: v.string(),
  transport: v.string(),
  summary: v.string(),
});
const listView = v.object({
  on: v.boolean(),
  kept: v.number(),
  dropped: v.number(),
  matched: v.number(),
  entries: v.array(entryView),
});

/** SIP messages in memory, to look back at: a list, one in full, and a language to choose from them. */
export default defineModule({
  name: "history",
  summary: "Keeps SIP messages in memory to look back at",
  replaces: "res_pjsip_history",
  requires: ["core"],
  options: v.object({
    /** Record from the start. */
    onStart: bool(false),
    /** Older messages go first; 0: no limit. */
    maxEntries: integer(10_000, 0, 100_000_000),
    maxMegabytes: integer(64, 0, 1_000_000),
  }),
  setup(ctx) {
    const { onStart, maxEntries, maxMegabytes } = ctx.options;
    const kept = ctx.restored instanceof Kept ? ctx.restored : undefined;
    const ring = kept?.ring ?? new Ring(maxEntries, maxMegabytes * MEGABYTE);
    ring.mostEntries = maxEntries;
    ring.mostOctets = maxMegabytes * MEGABYTE;
    let on = kept?.on ?? onStart;
    ctx.observe((observation) => {
      if (on) ring.add(observation, ctx.world.wallClock());
    });
    const state = () => ({ on, kept: ring.size, dropped: ring.dropped });
    const bad = (error: string) => ({ status: 400, body: { error } });
    const page = (text: string | undefined, most: number, otherwise: number): number | undefined => {
      if (text === undefined) return otherwise;
      return /^\d{1,9}$/.test(text) ? Math.min(Number(text), most) : undefined;
    };

    ctx.http.route({
      method: "GET",
      path: "/history",
      summary: "Recorded messages, oldest first; where=<expression>, offset=, limit= (1,000 at most)",
      scope: "admin",
      reply: listView,
      async run({ query }) {
        const offset = page(query.offset, Number.MAX_SAFE_INTEGER, 0);
        const limit = page(query.limit, SHOWN, SHOWN);
        if (offset === undefined || limit === undefined) return bad("offset and limit are numbers");
        try {
          const test = query.where === undefined ? () => true : readFilter(query.where);
          const entries = [];
          let matched = 0;
          const [oldest, next] = ring.span;
          for (let number = oldest; number < next; number++) {
            // Calls go on while somebody looks.
            if ((number - oldest) % TURN === TURN - 1) await new Promise<void>((done) => ctx.world.after(0, done));
            const entry = ring.get(number);
            if (!entry || !test(entry)) continue;
            if (matched >= offset && entries.length < limit) entries.push(entry.describe());
            matched++;
          }
          return { status: 200, body: { ...state(), matched, entries } };
        } catch (error) {
          if (error instanceof FilterError) return bad(error.message);
          throw error;
        }
      },
    });
    ctx.http.route({
      method: "GET",
      path: "/history/:number",
      summary: "One recorded message in full",
      scope: "admin",
      reply: v.object({ ...entryView.entries, message: v.string() }),
      run({ params: { number = "" } }) {
        const entry = /^\d{1,15}$/.test(number) ? ring.get(Number(number)) : undefined;
        if (!entry) return { status: 404, body: { error: `no such entry: ${number}` } };
        return { status: 200, body: { ...entry.describe(), message: entry.text.toWellFormed() } };
      },
    });
    ctx.http.route({
      method: "PUT",
      path: "/history",
      summary: "Starts or stops recording; what was recorded stays",
      scope: "admin",
      body: v.strictObject({ on: v.boolean() }),
      run({ body }) {
        on = v.parse(v.object({ on: v.boolean() }), body).on;
        return { status: 200, body: state() };
      },
    });
    ctx.http.route({
      method: "DELETE",
      path: "/history",
      summary: "Forgets what was recorded; numbers begin at 0 again",
      scope: "admin",
      run() {
        ring.clear();
        return { status: 200, body: state() };
      },
    });
    ctx.metrics.gauge("entries", () => ring.size);
    ctx.metrics.gauge("octets", () => ring.octets);
    ctx.save(() => new Kept(ring, on));
  },
});
