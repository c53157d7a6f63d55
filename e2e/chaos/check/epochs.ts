import type { PublishRecord } from '../record.ts';
import type { Flaw } from './flaw.ts';

/** When an epoch of a channel was in use, as far as its confirmed messages tell. */
interface Span {
  /** Nothing of it was stored before. */
  begin: number;
  /** Something of it had been stored by then. */
  end: number;
}

/** The epochs of channels. They cannot be compared by themselves, only by when they were in use. */
export class Epochs {
  readonly #spans = new Map<string, Span>();
  readonly #byChannel: Map<string, PublishRecord[]>;

  constructor(publishes: readonly PublishRecord[]) {
    const placed = publishes.filter(({ outcome, position }) => outcome === 'confirmed' && position);
    for (const { channel, position, sentAt, answeredAt = sentAt } of placed) {
      const key = `${channel} ${position?.epoch}`;
      const span = this.#spans.get(key) ?? { begin: sentAt, end: answeredAt };
      this.#spans.set(key, { begin: Math.min(span.begin, sentAt), end: Math.max(span.end, answeredAt) });
    }
    this.#byChannel = Map.groupBy(placed, ({ channel }) => channel);
  }

  /** Whether one was over before the other began. False where nothing is known of one of them. */
  precedes(channel: string, one: string, other: string): boolean {
    const [before, after] = [one, other].map((epoch) => this.#spans.get(`${channel} ${epoch}`));
    return before !== undefined && after !== undefined && before.end < after.begin;
  }

  /**
   * A home that goes on in its epoch after another one has acted: both spoke for the channel. What is looked for is a
   * message of one, then of the other, then of the first again, each said after the one before it was confirmed.
   */
  interleaved(): Flaw[] {
    const flaws: Flaw[] = [];
    for (const [channel, publishes] of this.#byChannel) {
      const sorted = publishes.toSorted((one, other) => one.sentAt - other.sentAt);
      for (const [epoch, own] of Map.groupBy(sorted, ({ position }) => position?.epoch ?? '')) {
        const first = Math.min(...own.map(answered));
        const last = own.at(-1)?.sentAt ?? 0;
        const between = sorted.find(
          (other) => other.position?.epoch !== epoch && other.sentAt > first && answered(other) < last,
        );
        if (between === undefined) continue;
        const text = `${channel}: ${epoch} went on after ${between.position?.epoch} had confirmed ${between.id}`;
        flaws.push({ kind: 'two-homes', text });
      }
    }
    return flaws;
  }
}

function answered({ sentAt, answeredAt = sentAt }: PublishRecord): number {
  return answeredAt;
}
