import { type Channel, dtmfModes, locations } from "../kernel/services.ts";
import { DialplanError } from "../kernel/dialplan.ts";
import type { Tools } from "./application.ts";
import { callerOf } from "./apps/dial.ts";
import { isTrue } from "./expression.ts";
import { contactsOf } from "./targets.ts";

/** A function of ours; a module may add more. */
export interface NamedFunction {
  readonly name: string; // upper case
  readonly summary: string;
  read?(channel: Channel, args: readonly string[], tools: Pick<Tools, "host" | "globals">): string;
  write?(
    channel: Channel,
    args: readonly string[],
    value: string,
    tools: Pick<Tools, "host" | "globals">,
  ): void | Promise<void>;
}

const kinds: Readonly<Record<string, "name" | "num">> = { name: "name", num: "num", number: "num" };

export const functions: readonly NamedFunction[] = [
  {
    name: "CALLERID",
    summary: "Who calls: CALLERID(num), CALLERID(name), CALLERID(all)",
    read(channel, [what = ""]) {
      const party = callerOf(channel);
      const kind = kinds[what.toLowerCase()];
      if (kind) return kind === "num" ? party.number : party.name;
      return what.toLowerCase() === "all" ? `"${party.name}" <${party.number}>` : "";
    },
    write: (channel, [what = ""], value) => setParty(channel, "CALLERID", what, value),
  },
  {
    name: "CONNECTEDLINE",
    summary: "Who answered: CONNECTEDLINE(num), CONNECTEDLINE(name), CONNECTEDLINE(all)",
    read({ variables }, [what = ""]) {
      const [name, number] = [variables.get("CONNECTEDLINE(name)") ?? "", variables.get("CONNECTEDLINE(num)") ?? ""];
      const kind = kinds[what.toLowerCase()];
      if (kind) return kind === "num" ? number : name;
      return what.toLowerCase() === "all" ? `"${name}" <${number}>` : "";
    },
    write: (channel, [what = ""], value) => setParty(channel, "CONNECTEDLINE", what, value),
  },
  {
    name: "CHANNEL",
    summary: "CHANNEL(name), (state), (endpoint), (pjsip,call-id) and its other items",
    read(channel, [what = "", item = ""]) {
      if (what === "pjsip") return sipItem(channel, item);
      const state = { down: "Down", ring: "Ring", ringing: "Ringing", up: "Up", ended: "Down" }[channel.state];
      const values: Readonly<Record<string, string>> = {
        name: channel.name,
        uniqueid: channel.id,
        endpoint: channel.endpoint.id,
        channeltype: "PJSIP",
        audionativeformat: channel.codec ?? "",
        state,
      };
      return values[what] ?? channel.variables.get(`CHANNEL(${what})`) ?? "";
    },
    write(channel, [what = ""], value) {
      channel.variables.set(`CHANNEL(${what})`, value);
    },
  },
  {
    name: "GLOBAL",
    summary: "A global variable",
    read: (_channel, [name = ""], { globals }) => globals.get(name) ?? "",
    write(_channel, [name = ""], value, { globals }) {
      globals.set(name, value);
    },
  },
  { name: "LEN", summary: "Length of a text", read: (_channel, args) => String(args.join(",").length) },
  {
    name: "CUT",
    summary: "Fields of a variable: CUT(variable, delimiter, fields), fields as 2, 2-, -3, 1-2&4",
    read(channel, [name = "", delimiter = "-", fields = "1"], { globals }) {
      const parts = (channel.variables.get(name) ?? globals.get(name) ?? "").split(delimiter || "-");
      return pick(parts, fields).join(delimiter || "-");
    },
  },
  {
    name: "IF",
    summary: "IF(condition?yes:no)",
    read(_channel, args) {
      const text = args.join(",");
      const question = text.indexOf("?");
      const [yes = "", no = ""] = text.slice(question + 1).split(":");
      return isTrue(text.slice(0, Math.max(0, question)).trim()) ? yes : no;
    },
  },
  { name: "ISNULL", summary: "1 when empty", read: (_channel, args) => args.join(",") === "" ? "1" : "0" },
  { name: "EXISTS", summary: "1 when not empty", read: (_channel, args) => args.join(",") === "" ? "0" : "1" },
  { name: "TOUPPER", summary: "Upper case", read: (_channel, args) => args.join(",").toUpperCase() },
  { name: "TOLOWER", summary: "Lower case", read: (_channel, args) => args.join(",").toLowerCase() },
  {
    name: "FILTER",
    summary: "Only the allowed characters: FILTER(0-9*#, text)",
    read(_channel, [allowed = "", ...text]) {
      const set = allowed.replaceAll(/[\]\\^]/g, "\\$&");
      return set === "" ? "" : text.join(",").replaceAll(new RegExp(`[^${set}]`, "g"), "");
    },
  },
  {
    name: "PJSIP_DTMF_MODE",
    summary: "How digits travel in this call: rfc4733, inband, info, none, auto, auto_info; empty is auto",
    read: ({ wishes, endpoint }) => wishes.dtmfMode ?? String(endpoint.values.dtmfMode ?? "rfc4733"),
    async write(channel, _args, value) {
      const mode = value.trim() === "" ? "auto" : dtmfModes.find((one) => one === value.trim().toLowerCase());
      if (mode === undefined) throw new DialplanError(`"${value}" is no mode: ${dtmfModes.join(", ")}`);
      channel.wishes.dtmfMode = mode;
      await channel.renegotiate();
    },
  },
  {
    name: "PJSIP_MEDIA_OFFER",
    summary: "Codecs of our next offer: PJSIP_MEDIA_OFFER(audio)=!all,ulaw, also (video)",
    read: ({ wishes }, [type = ""]) => (wishes.codecs.get(type.toLowerCase()) ?? []).join(","),
    write({ wishes }, [type = ""], value) {
      wishes.codecs.set(type.toLowerCase(), value.split(",").map((name) => name.trim()).filter((name) => name !== ""));
    },
  },
  {
    name: "PJSIP_SEND_SESSION_REFRESH",
    summary: "Describes our media again, once the call is up: PJSIP_SEND_SESSION_REFRESH()=invite, or update",
    async write(channel, _args, value) {
      const method = value.trim().toUpperCase();
      if (method !== "INVITE" && method !== "UPDATE") {
        throw new DialplanError(`"${value}" is neither invite nor update`);
      }
      if (channel.state !== "up") throw new DialplanError("a session refresh needs a call that is up");
      await channel.renegotiate({ method });
    },
  },
  {
    name: "PJSIP_DIAL_CONTACTS",
    summary: "All reachable contacts of an endpoint, for dial: PJSIP_DIAL_CONTACTS(endpoint, aor, user)",
    read(_channel, [id = "", aor = "", user = ""], { host }) {
      const endpoint = host.objects.endpoint(id);
      if (endpoint === undefined || host.find(locations) === undefined) return "";
      const contacts = contactsOf(aor === "" ? endpoint.aors : [aor], host);
      return contacts.map((c) => `PJSIP/${user === "" ? "" : `${user}@`}${id}/${c.uri}`).join("&");
    },
  },
];

/** Name, number or both of a party, kept as variables. Other items are taken and mean nothing here. */
function setParty({ variables }: Channel, party: string, what: string, value: string): void {
  if (what.toLowerCase() === "all") {
    const all = /^\s*(?:"?([^"<]*?)"?\s*)?<([^>]*)>\s*$/.exec(value);
    variables.set(`${party}(name)`, all ? all[1] ?? "" : "");
    variables.set(`${party}(num)`, all ? all[2] ?? "" : value.trim());
    return;
  }
  const kind = kinds[what.toLowerCase()];
  if (kind) variables.set(`${party}(${kind})`, value);
}

function sipItem(channel: Channel, item: string): string {
  const { sip, remoteMedia, audio } = channel;
  const address = (at: { host: string; port: number } | undefined) => at ? `${at.host}:${at.port}` : "";
  const values: Readonly<Record<string, string>> = {
    "call-id": sip.callId,
    secure: sip.flow?.secure ? "1" : "0",
    target_uri: sip.target,
    local_uri: sip.localUri,
    local_tag: sip.localTag,
    remote_uri: sip.remoteUri,
    remote_tag: sip.remoteTag,
    request_uri: sip.requestUri,
    local_addr: address(sip.flow?.local),
    remote_addr: address(sip.flow?.remote),
    local_media: address(audio?.local),
    remote_media: address(remoteMedia),
  };
  return values[item] ?? "";
}

/** `2`, `2-`, `-3`, `1-2&4`: fields from 1. */
function pick(parts: readonly string[], fields: string): readonly string[] {
  return fields.split("&").flatMap((field) => {
    const found = /^(\d*)(-?)(\d*)$/.exec(field.trim());
    if (found === null) return [];
    const first = Number(found[1] || 1);
    const last = found[2] === "" ? first : Number(found[3] || parts.length);
    return parts.slice(Math.max(0, first - 1), last);
  });
}
