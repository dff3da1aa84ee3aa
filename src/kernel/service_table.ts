import type { LoadedModule } from "./loaded_module.ts";
import type { ServiceToken } from "./token.ts";
import type { ServiceUser } from "./module.ts";

interface Provided {
  readonly provider: LoadedModule | undefined; // undefined: the host
  readonly face: (user: ServiceUser) => unknown;
}

/** Who offers what. A user sees only what it requires, and what the host offers. */
export class ServiceTable {
  readonly #provided = new Map<ServiceToken<unknown>, Provided>();

  provide<T>(
    token: ServiceToken<T>,
    face: (user: ServiceUser) => T,
    provider: LoadedModule | undefined,
  ): () => void {
    const other = this.#provided.get(token);
    if (other) {
      const who = other.provider?.name ?? "the host";
      throw new Error(`the service "${token.name}" is offered by ${who} already`);
    }
    this.#provided.set(token, { provider, face });
    return () => this.#provided.delete(token);
  }

  /** Undefined when nobody offers it. */
  find<T>(token: ServiceToken<T>, user: LoadedModule): T | undefined {
    const provided = this.#provided.get(token);
    if (!provided) return undefined;
    return user.face(provided, () => provided.face(user)) as T; // the token carried the type when it was provided
  }

  use<T>(token: ServiceToken<T>, user: LoadedModule): T {
    const provider = this.#provided.get(token)?.provider;
    if (provider && provider !== user && !user.needs.has(provider.name)) {
      throw new Error(
        `"${user.name}" uses the service "${token.name}" of "${provider.name}", but does not require "${provider.name}"`,
      );
    }
    const service = this.find(token, user);
    if (service === undefined) {
      throw new Error(`"${user.name}" uses the service "${token.name}", and no module it requires offers it`);
    }
    return service;
  }

  /** What the host itself looks at; undefined when nobody offers it. */
  look<T>(token: ServiceToken<T>, user: ServiceUser): T | undefined {
    return this.#provided.get(token)?.face(user) as T | undefined; // as in `find`
  }
}
