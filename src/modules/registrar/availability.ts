import type { ModuleContext } from "../../kernel/module.ts";
import type { Bindings } from "./bindings.ts";

/** Says "endpoint.status" when the first contact of an endpoint becomes available, or the last one unavailable. */
export class Availability {
  readonly #online = new Map<string, boolean>(); // by endpoint
  #byAor = new Map<string, string[]>();

  constructor(
    readonly host: Pick<ModuleContext<unknown>, "events" | "objects">,
    readonly bindings: Bindings,
  ) {}

  /** The endpoints or their contacts are other ones now; `tell`: whoever changed is reported. */
  rebuild(tell: boolean): void {
    const byAor = new Map<string, string[]>();
    for (const endpoint of this.host.objects.endpoints()) {
      for (const aor of endpoint.aors) byAor.set(aor, [...byAor.get(aor) ?? [], endpoint.id]);
    }
    this.#byAor = byAor;
    for (const endpoint of new Set([...byAor.values()].flat())) this.#check(endpoint, tell);
  }

  changed(aor: string): void {
    for (const endpoint of this.#byAor.get(aor) ?? []) this.#check(endpoint, true);
  }

  #check(id: string, tell: boolean): void {
    const aors = this.host.objects.endpoint(id)?.aors ?? [];
    const online = aors.some((aor) => this.bindings.contacts(aor).some((c) => c.status !== "unreachable"));
    if ((this.#online.get(id) ?? false) === online) return;
    this.#online.set(id, online);
    if (tell) this.host.events.emit("endpoint.status", { endpoint: id, online });
  }
}
