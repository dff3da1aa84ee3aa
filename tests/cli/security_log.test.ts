import { expect, test } from "bun:test";
import { SecurityLog } from "../../src/cli/security_log.ts";

const at = Date.UTC(2026, 0, 31, 12, 0, 0);
const refused = (account: string) => ({
  event: "InvalidPassword",
  severity: "Error",
  fields: {
    AccountID: account,
    SessionID: "1@192.0.2.9",
    LocalAddress: "IPV4/UDP/192.0.2.1/5060",
    RemoteAddress: "IPV4/UDP/203.0.113.9/5061",
  },
});

test("a line is the one that filters for Asterisk read", () => {
  const lines: string[] = [];
  new SecurityLog((line) => lines.push(line), 1234).event(refused("6001"), at);
  expect(lines).toEqual([
    '[2026-01-31 12:00:00] SECURITY[1234] patchbay: SecurityEvent="InvalidPassword",' +
    'EventTV="2026-01-31T12:00:00.000+0000",Severity="Error",Service="PJSIP",EventVersion="2",AccountID="6001",' +
    'SessionID="1@192.0.2.9",LocalAddress="IPV4/UDP/192.0.2.1/5060",RemoteAddress="IPV4/UDP/203.0.113.9/5061"',
  ]);
});

test("what a stranger wrote cannot forge a line", () => {
  const lines: string[] = [];
  new SecurityLog((line) => lines.push(line), 1).event(refused('x"\r\n[2026] SECURITY' + "y".repeat(200)), at);
  expect(lines[0]).toContain('AccountID="x\\x22\\x0d\\x0a[2026] SECURITYyyy');
  expect(lines[0]).not.toMatch(/[\r\n]/);
});

test("the same event of one source is written ten times a minute, then counted", () => {
  const lines: string[] = [];
  const log = new SecurityLog((line) => lines.push(line), 1);
  for (let count = 0; count < 25; count++) log.event(refused("6001"), at + count);
  expect(lines).toHaveLength(10);
  log.event(refused("6001"), at + 61_000);
  expect(lines.at(-1)).toEndWith('Suppressed="15"');
});
