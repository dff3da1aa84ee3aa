// The command line as a client of the running server's HTTP API.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { ADDRESS_FILE, TOKEN_FILE } from "../http/server.ts";
import { exit, type ExitStatus, type Terminal } from "./command.ts";
import type { Location } from "./location.ts";

const TIMEOUT_MS = 10_000;

/** No server answers: exit status 69. */
export class NotReached extends Error {}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const addressFile = v.pipe(v.string(), v.parseJson(), v.object({ url: v.string() }));

export class ApiClient {
  private constructor(readonly url: string, readonly token: string) {}

  /** Address and token are in the state folder of the manifest. */
  static of(location: Location): ApiClient {
    try {
      const { url } = v.parse(addressFile, readFileSync(join(location.state, ADDRESS_FILE), "utf8"));
      return new ApiClient(url, readFileSync(join(location.state, TOKEN_FILE), "utf8").trim());
    } catch (error) {
      const denied = error instanceof Error && "code" in error && error.code === "EACCES";
      const why = denied
        ? `${location.state} belongs to another user`
        : `${location.shown} has not been run with the module "management"`;
      throw new NotReached(why, { cause: error });
    }
  }

  async call(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<Answer> {
    const loopback = /^https:\/\/(127\.|\[::1\])/.test(this.url);
    try {
      const response = await fetch(this.url + path, {
        method,
        headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        // The certificate is made for the name others use.
        ...(loopback ? { tls: { rejectUnauthorized: false } } : {}),
      });
      const text = await response.text();
      const json = response.headers.get("content-type")?.startsWith("application/json");
      return { status: response.status, body: json ? JSON.parse(text) : text };
    } catch (error) {
      throw new NotReached(`the server at ${this.url} does not answer: is it running?`, { cause: error });
    }
  }
}

const faultBody = v.object({
  error: v.string(),
  faults: v.optional(v.array(
    v.looseObject({ file: v.string(), line: v.number(), column: v.number(), message: v.string() }),
  )),
});

/** Says why a call failed; answers the exit status that goes with it. */
export function reportFault({ status, body }: Answer, terminal: Terminal): ExitStatus {
  const read = v.safeParse(faultBody, body);
  const { error, faults = [] } = read.success ? read.output : { error: `the server answered ${status}` };
  for (const { file, line, column, message } of faults) terminal.err(`${file}:${line}:${column}: ${message}`);
  terminal.err(`patchbay: ${error}`);
  if (status === 404) return exit.notFound;
  return status === 422 ? exit.invalidConfiguration : exit.failed;
}

/** Runs a command against the server of `location`; a server that is not there is exit status 69. */
export async function withServer(
  location: Location,
  terminal: Terminal,
  run: (api: ApiClient) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  try {
    return await run(ApiClient.of(location));
  } catch (error) {
    if (!(error instanceof NotReached)) throw error;
    terminal.err(`patchbay: ${error.message}`);
    return exit.notReached;
  }
}
