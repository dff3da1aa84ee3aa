// A running API whose answers a test chooses, and a terminal that remembers what was written.
import type { Command } from "../../src/cli/command.ts";
import type { ApiReply, ApiRoute } from "../../src/kernel/http.ts";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS_FILE, TOKEN_FILE } from "../../src/http/server.ts";
import { Api } from "../http/api.ts";

export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as `patchbay <name> ...args` does. */
export async function run(command: Command, ...args: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const status = await command.run(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { status, out: out.join("\n"), err: err.join("\n") };
}

type Answers = Readonly<Record<string, (request: Parameters<ApiRoute["run"]>[0]) => ApiReply>>;

/** `answers` by "METHOD /path"; `folder` is what -c names. */
export async function serve(answers: Answers): Promise<{ readonly folder: string; readonly api: Api }> {
  const methods = ["GET", "POST", "DELETE"] as const;
  const api = await Api.start(
    Object.entries(answers).flatMap(([key, answer]) => {
      const [method, path = ""] = key.split(" ");
      return methods.filter((m) => m === method).map((m): ApiRoute => ({
        method: m,
        path,
        summary: "",
        scope: "read",
        run: answer,
      }));
    }),
  );
  mkdirSync(join(api.folder, "state"));
  for (const file of [ADDRESS_FILE, TOKEN_FILE]) renameSync(join(api.folder, file), join(api.folder, "state", file));
  return { folder: api.folder, api };
}
