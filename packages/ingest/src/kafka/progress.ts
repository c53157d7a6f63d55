/** How far one partition has been read, and up to where all of it is done with. */
export class Progress {
  /** The offset to fetch next. */
  position: bigint;
  /** The offset that the group has committed. */
  committed: bigint;
  /** Delivered offsets, oldest first; those before the first that is not done are dropped. */
  readonly #order: bigint[] = [];
  readonly #done = new Set<bigint>();
  #first = 0;

  constructor(start: bigint) {
    this.position = start;
    this.committed = start;
  }

  /** Delivered and not done. */
  get open(): number {
    return this.#order.length - this.#first - this.#done.size;
  }

  /** Everything before this offset is done with: it may be committed. */
  get settled(): bigint {
    return this.#order[this.#first] ?? this.position;
  }

  delivered(offset: bigint): void {
    this.#order.push(offset);
  }

  done(offset: bigint): void {
    this.#done.add(offset);
    for (let next = this.#order[this.#first]; next !== undefined && this.#done.delete(next); ) {
      next = this.#order[++this.#first];
    }
    if (this.#first > 1_000) {
      this.#order.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
