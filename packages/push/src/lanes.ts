/** Work that touches some channels and must keep its place in each of them. */
export interface LaneWork {
  readonly channels: readonly string[];
}

interface Waiting<W> {
  readonly work: W;
  /** Lanes that it does not hold yet. */
  missing: number;
}

interface Lane<W> {
  /** Works that hold it: gathered, under way, or waiting for another lane. */
  holders: number;
  /** Whether every holder is still gathered, so that a further one can join the same batch. */
  open: boolean;
  readonly queue: Waiting<W>[];
}

/**
 * Sender order: per channel, works are handed out in the order in which they came, and a channel whose works are under
 * way hands out no newer one until all of them are done. What is ready is gathered until `take` is called, so that one
 * batch carries as many as came in meanwhile.
 *
 * No two works can wait for each other: each enters all its lanes at once, behind everything older.
 */
export class Lanes<W extends LaneWork> {
  readonly #lanes = new Map<string, Lane<W>>();
  readonly #open = new Set<Lane<W>>();
  #ready: W[] = [];

  /** Whether {@link take} would answer anything. */
  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  add(work: W): void {
    const waiting: Waiting<W> = { work, missing: work.channels.length };
    const held: Lane<W>[] = [];
    for (const channel of work.channels) {
      let lane = this.#lanes.get(channel);
      if (lane === undefined) {
        lane = { holders: 0, open: true, queue: [] };
        this.#lanes.set(channel, lane);
      }
      if (lane.open && lane.queue.length === 0) {
        lane.holders++;
        waiting.missing--;
        held.push(lane);
      } else lane.queue.push(waiting);
    }
    if (waiting.missing === 0) this.#gather(work, held);
    else for (const lane of held) this.#shut(lane);
  }

  /** What is ready, oldest first; its channels are under way from now on. */
  take(): W[] {
    const batch = this.#ready;
    this.#ready = [];
    for (const lane of this.#open) lane.open = false;
    this.#open.clear();
    return batch;
  }

  /** One work is done with one of its channels. */
  done(channel: string): void {
    const lane = this.#lanes.get(channel);
    if (lane === undefined || --lane.holders > 0) return;
    if (lane.queue.length === 0) {
      this.#open.delete(lane);
      this.#lanes.delete(channel);
      return;
    }
    lane.open = true;
    this.#open.add(lane);
    for (let next = lane.queue.shift(); next !== undefined; next = lane.queue.shift()) {
      lane.holders++;
      if (--next.missing > 0) {
        this.#shut(lane);
        return;
      }
      this.#ready.push(next.work);
    }
  }

  #gather(work: W, held: readonly Lane<W>[]): void {
    this.#ready.push(work);
    for (const lane of held) this.#open.add(lane);
  }

  #shut(lane: Lane<W>): void {
    lane.open = false;
    this.#open.delete(lane);
  }
}
