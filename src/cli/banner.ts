import type { Kernel } from "../kernel/kernel.ts";
import { stack } from "../kernel/services.ts";

const WIDTH = 100;

/** What a person wants to know when the server is up: a dozen lines. `secrets`: generated ones; `api`: where it is managed. */
export function banner(kernel: Kernel, secrets: Iterable<string>, api: string | undefined): string[] {
  const transports = kernel.find(stack)?.transports.transports ?? [];
  const listens = transports.map(({ protocol, host, port }) => `${protocol} ${hostPort(host, port)}`);
  return [
    ...row("listens", listens.length > 0 ? [listens.join(", ")] : ["nowhere"]),
    ...row("manages", api === undefined ? [] : [api]),
    ...row("modules", wrap(kernel.modules.map((module) => module.name))),
    ...row("accounts", accounts(kernel, new Set(secrets))),
    ...row("dial", numbers(kernel)),
  ];
}

const hostPort = (host: string, port: number) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

function row(title: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? title : "").padEnd(9)}  ${line}`);
}

function wrap(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Accounts whose password was generated: it stands nowhere else to be read. */
function accounts(kernel: Kernel, generated: ReadonlySet<string>): string[] {
  return kernel.host.objects.all("auth").flatMap(({ id, values }) => {
    const { username, password } = values;
    if (typeof password !== "string" || !generated.has(password)) return [];
    return [`${typeof username === "string" ? username : id}  password ${password}`];
  }).slice(0, 8);
}

/** The extensions of the contexts that endpoints call into, as the manifest writes them. */
function numbers(kernel: Kernel): string[] {
  const written = kernel.configuration.modules.find(({ definition }) => definition.name === "dialplan")?.written ?? {};
  const contexts = new Set(kernel.host.objects.endpoints().map((endpoint) => endpoint.context));
  const lines = [...contexts].flatMap((name) => {
    const context = written[name];
    if (typeof context !== "object" || context === null) return [];
    return Object.entries(context).filter(([key]) => key !== "include" && key !== "hints").map(([extension, steps]) =>
      `${extension.padEnd(8)} ${[steps].flat().join(", ")}`.slice(0, WIDTH)
    );
  });
  return lines.length <= 8 ? lines : [...lines.slice(0, 7), `and ${lines.length - 7} more`];
}
