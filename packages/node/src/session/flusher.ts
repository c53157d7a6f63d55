/** Something with output that waits for the end of this turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * Writes once for each socket and turn of the event loop, whatever was produced for it in that turn: under load the
 * system calls, not the messages, are what costs.
 */
export class Flusher {
  private dirty: Flushable[] = [];

  add(item: Flushable): void {
    if (this.dirty.length === 0) setImmediate(this.turn);
    this.dirty.push(item);
  }

  private readonly turn = (): void => {
    const { dirty } = this;
    this.dirty = [];
    for (const item of dirty) item.flush();
  };
}
