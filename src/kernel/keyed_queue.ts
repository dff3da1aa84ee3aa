/** Work that may await, one at a time per key and in order: per dialog, AOR or subscription. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** Keys with work that runs or waits. */
  get size(): number {
    return this.#tails.size;
  }

  /** Runs `work` after all earlier work of the key; a failure of one does not stop the next. */
  run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    const before = this.#tails.get(key);
    const result = before ? before.then(work) : (async () => await work())();
    const settled: Promise<void> = result.then(() => {}, () => {}).then(() => {
      if (this.#tails.get(key) === settled) this.#tails.delete(key);
    });
    this.#tails.set(key, settled);
    return result;
  }
}
