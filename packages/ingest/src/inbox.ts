/** What an adapter has taken from its queue and nobody has read yet. */
export class Inbox<T> {
  #items: T[] = [];
  #closed = false;
  #wake: (() => void) | undefined;

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    if (this.#closed) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** 1 to `max` items, the oldest first, as soon as there is one; none when it is closed. */
  async take(max: number): Promise<T[]> {
    while (this.#items.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return this.#closed ? [] : this.#items.splice(0, max);
  }

  /** Forgets what does not pass. */
  keep(passes: (item: T) => boolean): void {
    this.#items = this.#items.filter(passes);
  }

  /** Nothing is taken any more. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}
