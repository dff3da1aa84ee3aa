// The filter in docs/fail2ban, and fail2ban's own for Asterisk, read what we write.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SecurityLog } from "../../src/cli/security_log.ts";

const OURS = resolve(import.meta.dir, "../../docs/fail2ban/filter.d/patchbay.conf");
const ASTERISK = "/etc/fail2ban/filter.d/asterisk.conf";

const from = (event: string, address: string, account = "6001") => ({
  event,
  severity: "Error",
  fields: {
    AccountID: account,
    SessionID: "1@192.0.2.9",
    LocalAddress: "IPV4/UDP/192.0.2.1/5060",
    RemoteAddress: address,
  },
});

async function matched(filter: string): Promise<readonly string[]> {
  const dir = mkdtempSync(join(tmpdir(), "patchbay-fail2ban-"));
  const lines: string[] = [];
  const log = new SecurityLog((line) => lines.push(line), 1);
  log.event(from("InvalidPassword", "IPV4/UDP/203.0.113.1/5061"), Date.now());
  log.event(from("FailedACL", "IPV6/TCP/2001:db8::2/5061"), Date.now());
  log.event(
    from("InvalidAccountID", "IPV4/UDP/203.0.113.3/5", 'x",RemoteAddress="IPV4/UDP/198.51.100.1/1'),
    Date.now(),
  );
  log.event(from("ManagementAuthFailed", "IPV4/TCP/203.0.113.4/5"), Date.now());
  log.event(from("ManagementWrite", "IPV4/TCP/203.0.113.5/5"), Date.now());
  const file = join(dir, "log");
  writeFileSync(file, lines.join("\n") + "\n");
  const run = Bun.spawn(["fail2ban-regex", "--out", "<ip>", file, filter], {
    stdout: "pipe",
    env: { ...process.env, TZ: "UTC" },
  });
  const out = await new Response(run.stdout).text();
  await run.exited;
  rmSync(dir, { recursive: true });
  return out.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

test("our filter finds each source, and never one that a stranger wrote into a name", async () => {
  expect(await matched(OURS)).toEqual(["203.0.113.1", "2001:db8::2", "203.0.113.3", "203.0.113.4"]);
});

test("bans of an Asterisk keep working after a move", async () => {
  expect(await matched(ASTERISK)).toEqual(["203.0.113.1", "2001:db8::2", "203.0.113.3"]);
});
