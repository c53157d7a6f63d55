/**
 * Order per key: works that share a key run one after the other, in the order in which they came; others run beside each
 * other. No two works can wait for each other: each enters all its lanes at once, behind everything older.
 *
 * One at a time, where the push SDK would send several of one channel together: a work that is refused for now is
 * repeated until it is done, and nothing newer of its keys may be under way meanwhile.
 */
export class Lanes {
  /** The last work of each key. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Keys with work. */
  get size(): number {
    return this.#tails.size;
  }

  /** Runs the work when all older works of its keys have ended. The work must not reject. */
  run(keys: readonly string[], work: () => Promise<void>): Promise<void> {
    const before = keys.map((key) => this.#tails.get(key)).filter((tail) => tail !== undefined);
    const mine = (before.length === 0 ? work() : Promise.all(before).then(work)).finally(() => {
      for (const key of keys) if (this.#tails.get(key) === mine) this.#tails.delete(key);
    });
    for (const key of keys) this.#tails.set(key, mine);
    return mine;
  }
}
