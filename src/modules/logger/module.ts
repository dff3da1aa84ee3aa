import * as v from "valibot";
import { defineModule } from "../../kernel/module.ts";
import { bool } from "../../kernel/schema.ts";
import type { Observation } from "../../kernel/stages.ts";
import { decodeText } from "../../sip/message/octets.ts";
import { peek } from "../../sip/message/peek.ts";
import { Capture } from "./capture.ts";
import { entryLines } from "./entry.ts";
import { Filter } from "./filter.ts";
import { pcapRecord } from "./pcap.ts";

/** A name without folders: what may be asked for over HTTP. */
const fileName = () => v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,128}$/, "expected a file name"), v.excludes(".."));

const settings = v.strictObject({
  /** Everything. */
  on: v.optional(v.boolean()),
  hosts: v.optional(v.array(v.string())),
  methods: v.optional(v.array(v.string())),
  text: v.optional(v.boolean()),
  /** A new capture; "": none. */
  pcap: v.optional(v.union([v.literal(""), fileName()])),
});

/** What was set at run time survives a reload. */
class Kept {
  constructor(readonly debug: string, readonly filter: Filter, readonly text: boolean, readonly changed: boolean) {}
}

/** Every SIP message as text or as a packet capture, filtered, switched while the server runs. */
export default defineModule({
  name: "logger",
  summary: "Shows SIP messages as text or pcap",
  replaces: "res_pjsip_logger",
  requires: ["core"],
  options: v.object({
    /** Write messages to the log. */
    text: bool(true),
    /** Capture from the start into this file. */
    pcap: v.optional(v.string()),
    /** Folder of captures asked for over HTTP. */
    pcapDirectory: v.optional(v.string(), "."),
    /** Hide digest responses in the text. */
    maskAuth: bool(false),
  }),
  fields: {
    global: {
      /** What is logged from the start: "no", "yes", or an address, a name, a network. */
      debug: v.optional(v.pipe(v.string(), v.nonEmpty("expected yes, no or a host")), "no"),
    },
  },
  async setup(ctx) {
    const { options } = ctx;
    const debug = ctx.fieldsOf("global", "")?.debug ?? "no";
    const kept = ctx.restored instanceof Kept && ctx.restored.debug === debug && ctx.restored.changed
      ? ctx.restored
      : undefined;
    const filter = kept?.filter ?? new Filter();
    let text = kept?.text ?? options.text;
    let changed = kept !== undefined;
    let capture: Capture | undefined;
    if (!kept) await begin(filter, debug);

    async function begin(fresh: Filter, wanted: string): Promise<void> {
      if (wanted === "yes") fresh.on = true;
      else if (wanted !== "no") await fresh.addHost(wanted, ctx.world);
    }

    async function startCapture(path: string): Promise<void> {
      await capture?.close();
      capture = await Capture.open(path, ctx.world, () => ctx.metrics.count("records_dropped"), (reason) => {
        ctx.log.error(`the capture ${path} ended`, { reason });
        capture = undefined;
      });
    }
    if (options.pcap !== undefined) {
      await startCapture(options.pcap).catch((error: unknown) =>
        ctx.log.error(`cannot capture into ${options.pcap}`, { reason: String(error) })
      );
    }

    ctx.observe((observation) => {
      if (!filter.idle && (text || capture)) log(observation);
    });

    function log(observation: Observation): void {
      const { direction, bytes, flow } = observation;
      const content = decodeText(bytes);
      const seen = peek(content);
      if (!filter.passes(seen.method, flow.remote.host, flow.remote.port)) return;
      if (text) {
        for (const line of entryLines(observation, content, seen, options.maskAuth)) ctx.log.verbose(line);
      }
      if (!capture || seen.kind === "junk") return;
      const [from, to] = direction === "in" ? [flow.remote, flow.local] : [flow.local, flow.remote];
      capture.add(pcapRecord(bytes, from, to, ctx.world.wallClock()));
    }

    const state = () => ({
      on: filter.on,
      hosts: filter.hosts,
      methods: filter.methods,
      text,
      pcap: capture?.path ?? "",
    });
    ctx.http.route({
      method: "GET",
      path: "/logger",
      summary: "What is logged",
      scope: "read",
      run: () => ({ status: 200, body: state() }),
    });
    ctx.http.route({
      method: "PUT",
      path: "/logger",
      summary: "Sets what is logged; what is absent is off",
      scope: "admin",
      body: settings,
      async run({ body }) {
        const asked = v.parse(settings, body);
        const next = new Filter();
        try {
          for (const host of asked.hosts ?? []) await next.addHost(host, ctx.world);
        } catch (error) {
          return { status: 400, body: { error: error instanceof Error ? error.message : String(error) } };
        }
        filter.clear();
        filter.on = asked.on ?? false;
        for (const host of asked.hosts ?? []) await filter.addHost(host, ctx.world);
        for (const method of asked.methods ?? []) filter.addMethod(method);
        text = asked.text ?? true;
        changed = true;
        await capture?.close();
        capture = undefined;
        if (asked.pcap) await startCapture(`${options.pcapDirectory}/${asked.pcap}`);
        return { status: 200, body: state() };
      },
    });
    ctx.save(() => new Kept(debug, filter, text, changed));
    ctx.onUnload(() => capture?.close());
  },
});
