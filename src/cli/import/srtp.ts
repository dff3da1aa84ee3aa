// Where the keys of SRTP may stand in SDP: Asterisk does not ask how the signaling travels.
import type { ConfFile } from "./conf.ts";
import type { Manifest, ObjectDrafts } from "./drafts.ts";
import { isModule } from "./modules_conf.ts";
import type { Report } from "./report.ts";

/** Writes `sdes` of sdp_rtp when an endpoint encrypts: "none" without res_srtp, "any" with a transport in the clear. */
export function importSrtp(
  modules: ConfFile,
  drafts: ObjectDrafts,
  { manifest, report }: { readonly manifest: Manifest; readonly report: Report },
): void {
  const encrypting = drafts.all("endpoint").find(({ values }) => values["mediaEncryption"] === "sdes");
  const options = manifest["sdp_rtp"];
  if (!encrypting || !options) return;
  const where = encrypting.places.get("mediaEncryption") ?? encrypting.where;
  const lines = modules.sections.flatMap((section) => section.lines);
  const without = lines.find((line) => line.name.toLowerCase() === "noload" && isModule(line.value, "res_srtp"));
  if (without) {
    options["sdes"] = "none";
    report.changed(without, 'SRTP is part of sdp_rtp: sdes is "none", nobody is told a key');
    return;
  }
  const open = drafts.all("transport").find(({ values }) => !/^(tls|wss):/.test(String(values["bind"])));
  if (!open) return;
  options["sdes"] = "any";
  report.changed(
    where,
    `[${encrypting.id}] mediaEncryption: keys stand in SDP whatever it travels over, as in Asterisk; sdes "secure" of ` +
      "sdp_rtp would ask for TLS",
  );
}
