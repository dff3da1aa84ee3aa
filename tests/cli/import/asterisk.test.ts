import { expect, test } from "bun:test";
import { catalog } from "../../../src/catalog.ts";
import { importAsterisk } from "../../../src/cli/import/asterisk.ts";
import { engine } from "../../../src/dialplan/engine.ts";
import { checkManifest, offer } from "../../../src/kernel/kernel.ts";
import { dialplanEngine } from "../../../src/kernel/dialplan.ts";
import { realWorld } from "../../../src/world/real_world.ts";

type Json = Record<string, Record<string, Record<string, Record<string, unknown>>>>;

/** Imports files given by name; the manifest is checked as `run` would. */
async function read(files: Record<string, string>, more: Record<string, readonly string[]> = {}) {
  const folder = {
    files: Object.keys(files).sort(),
    list: (path: string) => more[path] ?? [],
    source: (name: string) => files[name] === undefined ? [] : [{ file: name, text: files[name] }],
  };
  const imported = await importAsterisk(folder, catalog, [], async (manifest) => {
    await checkManifest({
      world: realWorld(),
      manifest,
      file: "modules.json",
      folder: "/",
      environment: {},
      modules: catalog,
      services: [offer(dialplanEngine, engine)],
      readManifest: async () => manifest,
      generated: async (name) => name,
      importModule: () => Promise.reject(new Error("none")),
    });
  });
  const manifest = JSON.parse(imported.manifest.text) as Json; // written by the import
  return { ...imported, manifest, text: imported.report.text() };
}

const transport = "[udp]\ntype=transport\nprotocol=udp\nbind=192.0.2.1\n";

test("an endpoint with its aor and auth: names in camelCase, Asterisk's words, templates", async () => {
  const { manifest } = await read({
    "pjsip.conf": transport +
      "[phone](!)\ntype=endpoint\ncontext=in\ndisallow=all\nallow=ulaw,g722\nrewrite_contact=true\n" +
      "[a](phone)\naors=a\nauth=a\ndirect_media=no\n[a]\ntype=aor\nmax_contacts=3\nremove_existing=1\n" +
      "[a]\ntype=auth\nauth_type=userpass\nusername=anne\npassword=s3cr;et\n",
    "extensions.conf": "[in]\nexten => 1,1,Answer()\n",
  });
  expect(manifest.core?.transports?.udp).toEqual({ bind: "udp:192.0.2.1" });
  expect(manifest.core?.endpoints?.a).toMatchObject({
    context: "in",
    allow: ["ulaw", "g722"],
    rewriteContact: true,
    aors: ["a"],
    auth: ["a"],
  });
  expect(manifest.core?.aors?.a).toEqual({ maxContacts: 3, removeExisting: true });
  expect(manifest.core?.auths?.a).toEqual({ authType: "userpass", username: "anne", password: "s3cr" });
  expect(manifest.dialplan?.in).toEqual({ 1: ["Answer()"] } as never);
});

test("every line is in the report, and no secret is", async () => {
  const files = {
    "pjsip.conf": transport + "[a]\ntype=auth\nusername=a\npassword=hunter2\npassword hunter2\nmd5_cred=hunter2\n" +
      "[b]\ntype=nonsense\nx=1\n[c]\ny=1\n[d](!)\nz=hunter2\n",
    "ari.conf": "[general]\nenabled=yes\n[u]\ntype=user\npassword=hunter2\n",
    "rtp.conf": "[general]\nrtpstart=5000\nnonsense=1\n",
    "voicemail.conf": "[general]\n",
    "acl.conf": "[lan]\npermit=hunter2\n",
    "http.conf": "[general]\nenabled=yes\nbindaddr=0.0.0.0\n",
    "asterisk.conf": "[directories]\nastdatadir => /data\n[options]\nverbose=3\n",
    "modules.conf": "[modules]\nautoload=yes\nnoload => chan_sip.so\n",
    "pjsip_wizard.conf":
      "[w]\ntype=wizard\nsends_auth=yes\noutbound_auth/username=x\noutbound_auth/password=hunter2\nfoo/bar=1\n",
    "pjsip_notify.conf": "[n]\nEvent=>check-sync\n",
    "extensions.conf": "[globals]\nX=1\n[in]\nexten => 1,1,Answer()\nswitch => Realtime\n",
  };
  const { report, text } = await read(files);
  for (const [file, content] of Object.entries(files)) {
    content.split("\n").forEach((line, at) => {
      const written = line !== "" && (!line.startsWith("[") || file === "voicemail.conf");
      if (written) expect({ file, line, known: report.knows({ file, line: at + 1 }) }).toMatchObject({ known: true });
    });
  }
  expect(text).not.toContain("hunter2");
});

test("what a reference names and nobody has: closed where it guards, left out elsewhere", async () => {
  const { manifest, text } = await read({
    "pjsip.conf": transport +
      "[a]\ntype=endpoint\ncontext=gone\nauth=gone\naors=gone\nacl=gone\noutbound_auth=away\n" +
      "[i]\ntype=identify\nendpoint=gone\nmatch=192.0.2.9\n",
  });
  expect(manifest.core?.endpoints?.a).toMatchObject({ context: "gone", auth: ["gone"], acl: ["gone"] });
  expect(manifest.core?.auths?.gone?.password).toContain("${generated:");
  expect(manifest.acl?.lists?.gone).toEqual({ rules: ["deny 0.0.0.0/0", "deny ::/0"] });
  expect(manifest.dialplan?.gone).toEqual({});
  expect(manifest.endpoint_identifier_ip?.identifies).toBeUndefined();
  expect(manifest.core?.endpoints?.a).toMatchObject({ aors: [], outboundAuth: [] });
  expect(text).toContain('[a] endpoint aors: there is no aor "gone"');
});

test("access lists keep the order of their lines; one that cannot be read lets nobody in", async () => {
  const { manifest } = await read({
    "pjsip.conf": "[guard]\ntype=acl\npermit=192.0.2.0/24\ndeny=192.0.2.7/255.255.255.255\n" +
      "[a]\ntype=endpoint\npermit=0.0.0.0/0\ndeny=192.0.2.1\n",
    "acl.conf": "[lan]\ndeny=0.0.0.0/0\npermit=10.0.0.0/8\n[bad]\npermit=not.a.network\n",
  });
  expect(manifest.acl?.acls?.guard).toEqual({ rules: ["permit 192.0.2.0/24", "deny 192.0.2.7/255.255.255.255"] });
  expect(manifest.acl?.lists?.["a-acl"]).toEqual({ rules: ["permit 0.0.0.0/0", "deny 192.0.2.1"] });
  expect(manifest.core?.endpoints?.a).toMatchObject({ acl: ["a-acl"] });
  expect(manifest.acl?.lists?.lan).toEqual({ rules: ["deny 0.0.0.0/0", "permit 10.0.0.0/8"] });
  expect(manifest.acl?.lists?.bad).toEqual({ rules: ["deny 0.0.0.0/0", "deny ::/0"] });
});

test("allow and disallow in their order; codecs nobody speaks are reported", async () => {
  const { manifest, text } = await read({
    "pjsip.conf":
      "[a]\ntype=endpoint\nallow=ulaw\nallow=all\ndisallow=gsm\n[b]\ntype=endpoint\nallow=!all,alaw,av1,ulaw:30\n[c]\ntype=endpoint\n",
  });
  const all = manifest.core?.endpoints?.a?.allow as unknown as string[]; // in Asterisk's order
  expect(all.slice(0, 6)).toEqual(["g723", "ulaw", "alaw", "g726", "g726aal2", "adpcm"]);
  expect(all).toContain("vp8");
  expect(manifest.core?.endpoints?.b?.allow).toEqual(["alaw", "ulaw:30"]);
  expect(manifest.core?.endpoints?.c?.allow).toEqual([]);
  expect(text).toContain("pjsip.conf:8: [b] endpoint allow: without av1");
});

test("a wizard becomes its objects; own single options give way, lists add up", async () => {
  const { manifest, text } = await read({
    "pjsip_wizard.conf": "[t]\ntype=wizard\nsends_auth=yes\nremote_hosts=a.example.org:5070, 192.0.2.2\n" +
      "outbound_auth/username=u\noutbound_auth/password=p\nendpoint/context=in\nendpoint/aors=other\nhas_hint=yes\nhint_exten=7\n" +
      "[p]\ntype=wizard\naccepts_auth=yes\naccepts_registrations=yes\ninbound_auth/password=p\naor/max_contacts=1\n",
  });
  expect(manifest.core?.endpoints?.t).toMatchObject({ aors: ["t"], outboundAuth: ["t-oauth"], context: "in" });
  expect(manifest.core?.aors?.t?.contact).toEqual(["sip:a.example.org:5070", "sip:192.0.2.2"]);
  expect(manifest.endpoint_identifier_ip?.identifies?.["t-identify"]).toMatchObject({
    endpoint: "t",
    match: ["a.example.org:5070", "192.0.2.2"],
  });
  expect(manifest.dialplan?.in).toEqual({ hints: { 7: "PJSIP/t" } } as never);
  expect(text).toContain("inbound_auth/username is missing");
  expect(manifest.core?.endpoints?.p?.auth).toEqual(["p-iauth"]);
  expect(manifest.core?.auths?.["p-iauth"]?.password).toContain("${generated:");
});

test("noload takes a module away, and what needs it; HTTP has an address only where it is enabled", async () => {
  const { manifest, text } = await read({
    "modules.conf": "[modules]\nautoload=yes\nnoload => res_pjsip_registrar.so\n",
    "pjsip.conf": "[global]\ntype=global\nsend_contact_status_on_update_registration=yes\n",
    "http.conf": "[general]\nenabled=yes\nbindaddr=127.0.0.3\nbindport=8089\n",
  });
  expect(manifest.registrar).toBeUndefined();
  expect(manifest.qualify).toBeUndefined();
  expect(manifest.management).toEqual({ bind: "127.0.0.3:8089" } as never);
  expect(text).toContain("send_contact_status_on_update_registration: its module is not loaded");
  expect((await read({})).manifest.management).toBeUndefined();
});

test("an option without a value has its default", async () => {
  const { manifest, text } = await read({ "pjsip.conf": "[a]\ntype=endpoint\nsdp_owner=\n" });
  expect(manifest.core?.endpoints?.a).toEqual({ allow: [] });
  expect(text).toContain("[a] endpoint sdp_owner: empty, so the default counts");
});

test("pjsip_notify.conf becomes templates, without what cannot be set", async () => {
  const { manifest, text } = await read({
    "pjsip_notify.conf":
      "[reboot]\nEvent=>check-sync;x\nEvent=>again\nCall-ID=>1\nContent-type=>text/plain\nContent=>a=b\nContent=>\n",
  });
  expect(manifest.notify?.templates).toEqual(
    { reboot: [["Event", "check-sync"], ["Content-type", "text/plain"], ["Content", "a=b"], ["Content", ""]] } as never,
  );
  expect(text).toContain("pjsip_notify.conf:4: [reboot] Call-ID cannot be set");
});

test("hep.conf turns the mirror on; without an address, or with noload, it is left out", async () => {
  const hep = "[general]\nenabled=yes\ncapture_address=192.0.2.5:9060\ncapture_password=hunter2\n";
  const on = await read({ "hep.conf": hep });
  expect(on.manifest.hep).toEqual(
    { enabled: true, captureAddress: "192.0.2.5:9060", capturePassword: "hunter2" } as never,
  );
  expect(on.text).not.toContain("hunter2");
  expect((await read({ "hep.conf": "[general]\nenabled=yes\n" })).manifest.hep).toBeUndefined();
  const without = { "hep.conf": hep, "modules.conf": "[modules]\nautoload=yes\nnoload=res_hep.so\n" };
  expect((await read(without)).manifest.hep).toBeUndefined();
});

test("sounds and music are where asterisk.conf says", async () => {
  const { manifest } = await read({
    "asterisk.conf": "[directories]\nastdatadir => /data\n[options]\ndefaultlanguage = de\n",
    "musiconhold.conf": "[default]\nmode=files\ndirectory=moh\n",
  }, { "/data/moh": ["notes.txt", "tone.ulaw"] });
  expect(manifest.dialplan?.general).toEqual(
    { imported: true, sounds: "/data/sounds/de", musicOnHold: "/data/moh/tone" } as never,
  );
});

test("what the check of a manifest refuses is left out with its reason; an unknown application stays", async () => {
  const { manifest, text } = await read({
    "rtp.conf": "[general]\nrtpstart=9000\nrtpend=8000\n",
    "extensions.conf": "[in]\nexten => 1,1,Frobnicate(x)\n",
  });
  expect(manifest.sdp_rtp?.rtpEnd).toBeUndefined();
  expect(text).toContain("sdp_rtp.rtpEnd: expected more than rtpStart (9000)");
  expect(manifest.dialplan?.in).toEqual({ 1: ["Frobnicate(x)"] } as never);
});

test("media_encryption is taken; keys go over every transport as in Asterisk, over none without res_srtp", async () => {
  const endpoint = (more: string) => `[a]\ntype=endpoint\nallow=ulaw\nmedia_encryption=sdes\n${more}`;
  const udp = "[t]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n";
  const open = await read({ "pjsip.conf": udp + endpoint("media_encryption_optimistic=yes\nsrtp_tag_32=yes\n") });
  expect<unknown>(open.manifest.sdp_rtp?.sdes).toBe("any");
  expect(open.manifest.core?.endpoints).toMatchObject({
    a: { mediaEncryption: "sdes", mediaEncryptionOptimistic: true, srtpTag32: true },
  });
  expect(open.text).toContain("keys stand in SDP whatever it travels over");
  const files = { "pjsip.conf": udp + endpoint(""), "modules.conf": "[modules]\nautoload=yes\nnoload=res_srtp.so\n" };
  const without = await read(files);
  expect<unknown>(without.manifest.sdp_rtp?.sdes).toBe("none");
  expect(without.text).toContain('sdes is "none"');
  const tls = udp.replace("udp", "tls").replace("bind", "cert_file=/x.pem\nbind");
  const closed = await read({ "pjsip.conf": tls + endpoint("") });
  expect<unknown>(closed.manifest.sdp_rtp?.sdes).toBeUndefined();
});

test("the example of docs/import.md", async () => {
  const page = await Bun.file(new URL("../../../docs/import.md", import.meta.url).pathname).text();
  const block = (language: string) =>
    new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)?.[1] ?? "";
  const { manifest } = await read({ "pjsip.conf": block("ini") });
  expect<unknown>(manifest.core).toEqual(JSON.parse(`{${block("jsonc")}}`).core);
});
