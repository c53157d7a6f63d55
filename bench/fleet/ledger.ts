import type { Position } from '@ringway/protocol';

/** What became of the messages of all pairs. */
export interface Count {
  readonly sent: number;
  /** The server said that it has them. */
  readonly confirmed: number;
  /** Confirmed, not delivered, and no gap tells of them. */
  readonly lost: number;
  /** Confirmed, not delivered, and the receiver was told of a gap with them in it. */
  readonly told: number;
  readonly doubled: number;
  /** Delivered behind one that was sent later. */
  readonly disordered: number;
}

interface Bounds {
  readonly after: Position;
  readonly upTo: Position;
}

/** Who sends to whom: places among the people. */
export interface PairOf {
  readonly from: number;
  readonly to: number;
}

/** One sender, one receiver, messages numbered from 0. */
class Entry {
  readonly to: number;
  sent = 0;
  last = -1;
  readonly confirmed = new Map<number, Position | undefined>();
  readonly heard = new Set<number>();

  constructor(to: number) {
    this.to = to;
  }
}

/** Every message between pairs: confirmed ones are to arrive once, in order, or in a gap that was told. */
export class Ledger {
  readonly #entries: Entry[];
  readonly #gaps = new Map<number, Bounds[]>();
  #doubled = 0;
  #disordered = 0;
  #open = 0;

  constructor(pairs: readonly PairOf[]) {
    this.#entries = pairs.map(({ to }) => new Entry(to));
  }

  /** Messages without an answer. */
  get open(): number {
    return this.#open;
  }

  /** The number of the pair's next message, which is now on its way. */
  next(pair: number): number {
    this.#open += 1;
    const entry = this.#entry(pair);
    entry.sent += 1;
    return entry.sent - 1;
  }

  confirmed(pair: number, n: number, position: Position | undefined): void {
    this.#open -= 1;
    this.#entry(pair).confirmed.set(n, position);
  }

  refused(): void {
    this.#open -= 1;
  }

  heard(pair: number, n: number): void {
    const entry = this.#entry(pair);
    if (entry.heard.has(n)) {
      this.#doubled += 1;
      return;
    }
    entry.heard.add(n);
    if (n < entry.last) this.#disordered += 1;
    else entry.last = n;
  }

  gap(to: number, after: Position, upTo: Position): void {
    this.#gaps.set(to, [...(this.#gaps.get(to) ?? []), { after, upTo }]);
  }

  count(): Count {
    const total = { sent: 0, confirmed: 0, lost: 0, told: 0 };
    for (const { to, sent, confirmed, heard } of this.#entries) {
      total.sent += sent;
      total.confirmed += confirmed.size;
      for (const [n, position] of confirmed) {
        if (heard.has(n)) continue;
        const gaps = this.#gaps.get(to) ?? [];
        if (position && gaps.some((gap) => covers(gap, position))) total.told += 1;
        else total.lost += 1;
      }
    }
    return { ...total, doubled: this.#doubled, disordered: this.#disordered };
  }

  #entry(pair: number): Entry {
    const entry = this.#entries[pair];
    if (!entry) throw new Error(`no pair ${pair}`);
    return entry;
  }
}

/** Whether a gap has the position in it. Of an epoch between the two that it names no bound is known: it is in it. */
function covers({ after, upTo }: Bounds, { epoch, seq }: Position): boolean {
  return (epoch !== after.epoch || seq > after.seq) && (epoch !== upTo.epoch || seq <= upTo.seq);
}
