import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SecretsFile } from "../../src/cli/secrets_file.ts";
import { realWorld } from "../../src/world/real_world.ts";

test("a secret is made once, kept in a file of its owner, and the same after a new start", async () => {
  const folder = await mkdtemp(join(tmpdir(), "patchbay-secrets-"));
  const path = join(folder, "state", "secrets.json");
  const first = new SecretsFile(path, realWorld());
  const [alice, again, bob] = await Promise.all([first.get("alice"), first.get("alice"), first.get("bob")]);
  expect(alice).toMatch(/^[a-z2-9]{14}$/);
  expect(again).toBe(alice);
  expect(bob).not.toBe(alice);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const second = new SecretsFile(path, realWorld());
  expect(await second.get("alice")).toBe(alice);
  expect([...await second.existing()]).toEqual([["alice", alice], ["bob", bob]]);
  await writeFile(path, "{");
  expect(new SecretsFile(path, realWorld()).get("alice")).rejects.toThrow("is damaged");
  await rm(folder, { recursive: true });
});
