/** Something with output that waits for the end of this turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/** Written to in one turn: a message for a hundred thousand sockets must not hold up links and timers until all have it. */
const MOST_A_TURN = 500;

/**
 * Writes once for each socket and turn of the event loop, whatever was produced for it in that turn: under load the
 * system calls, not the messages, are what costs. Where there are many, so many a turn, in the order in which they came.
 */
export class Flusher {
  private readonly slices: Flushable[][] = [];
  /** The last of them, while it has room. */
  private open: Flushable[] | undefined;
  private scheduled = false;

  add(item: Flushable): void {
    if (!this.open || this.open.length === MOST_A_TURN) {
      this.open = [];
      this.slices.push(this.open);
    }
    this.open.push(item);
    if (!this.scheduled) this.schedule();
  }

  private schedule(): void {
    this.scheduled = true;
    setImmediate(this.turn);
  }

  private readonly turn = (): void => {
    const slice = this.slices.shift() ?? [];
    // what comes meanwhile is for a later turn
    if (slice === this.open) this.open = undefined;
    for (const item of slice) item.flush();
    this.scheduled = false;
    if (this.slices.length > 0) this.schedule();
  };
}
