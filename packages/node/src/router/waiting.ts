import type { Publication } from './port.ts';

/** A publication with what the ring router must know of it until it is answered. */
export interface Parked {
  readonly publication: Publication;
  /** Its sender says it again when it is told that it must: the log stores it once. */
  readonly dedupe: boolean;
  /** Nodes that it has gone through to come here. */
  readonly hops: number;
  /** It went out once and was not answered: whether it was stored is not known. */
  readonly sent: boolean;
  /** Counts up with each publication that comes to this node. */
  readonly order: number;
  /** Monotonic, milliseconds. */
  readonly deadline: number;
}

/**
 * Publications that have to wait: for their home to be reachable, for the ring to settle, or for an earlier one to the
 * same channel to be answered (rule 6). One queue for each channel, in the order of the calls; bounded as a whole.
 */
export class Waiting {
  private readonly queues = new Map<string, Parked[]>();
  private readonly maxBytes: number;
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get size(): number {
    return this.queues.size;
  }

  has(channel: string): boolean {
    return this.queues.has(channel);
  }

  channels(): string[] {
    return [...this.queues.keys()];
  }

  /** At the end of its channel's queue; false when there is no room. */
  push(parked: Parked): boolean {
    const bytes = bytesOf(parked);
    if (this.bytes + bytes > this.maxBytes) return false;
    const { channel } = parked.publication;
    const queue = this.queues.get(channel);
    if (queue) queue.push(parked);
    else this.queues.set(channel, [parked]);
    this.bytes += bytes;
    return true;
  }

  /** Each in its place in the order in which they came first: they have been out and have come back. Always taken. */
  putBack(returned: readonly Parked[]): void {
    for (const parked of returned) {
      const { channel } = parked.publication;
      const queue = this.queues.get(channel);
      this.bytes += bytesOf(parked);
      if (!queue) {
        this.queues.set(channel, [parked]);
        continue;
      }
      const behind = queue.findIndex(({ order }) => order > parked.order);
      queue.splice(behind < 0 ? queue.length : behind, 0, parked);
    }
  }

  /** Takes from the front of a channel's queue for as long as `send` accepts. */
  drain(channel: string, send: (parked: Parked) => boolean): void {
    const queue = this.queues.get(channel);
    if (!queue) return;
    let sent = 0;
    while (sent < queue.length && send(queue[sent] as Parked)) this.bytes -= bytesOf(queue[sent++] as Parked);
    if (sent === queue.length) this.queues.delete(channel);
    else if (sent > 0) queue.splice(0, sent);
  }

  /**
   * Takes out everything whose deadline has passed, and what the same sender said to the same channel after it: that one
   * will say the former again, and what had waited on here would have overtaken it by then.
   */
  expired(now: number): Parked[] {
    const expired: Parked[] = [];
    for (const [channel, queue] of this.queues) {
      if (!queue.some(({ deadline }) => deadline <= now)) continue;
      const again = new Set<string>();
      this.takeOut(channel, queue, expired, (parked) => {
        const { from } = parked.publication;
        const isRepeatable = repeatable(parked);
        if (parked.deadline > now && !(isRepeatable && again.has(from))) return false;
        if (isRepeatable) again.add(from);
        return true;
      });
    }
    return expired;
  }

  /** Takes out what waits behind one that was refused for now: its sender will say all of them again, in order. */
  behind(refused: Pick<Parked, 'publication' | 'dedupe'>): Parked[] {
    const behind: Parked[] = [];
    const { channel, from } = refused.publication;
    const queue = this.queues.get(channel);
    if (queue && repeatable(refused)) {
      this.takeOut(
        channel,
        queue,
        behind,
        (parked) => repeatable(parked) && parked.publication.from === from,
      );
    }
    return behind;
  }

  private takeOut(channel: string, queue: Parked[], out: Parked[], which: (parked: Parked) => boolean): void {
    const keep = queue.filter((parked) => {
      if (!which(parked)) return true;
      out.push(parked);
      this.bytes -= bytesOf(parked);
      return false;
    });
    if (keep.length > 0) this.queues.set(channel, keep);
    else this.queues.delete(channel);
  }
}

/** Neither an ephemeral one nor one without an id of its sender's is ever said again. */
function repeatable({ dedupe, publication }: Pick<Parked, 'publication' | 'dedupe'>): boolean {
  return dedupe && !publication.ephemeral;
}

function bytesOf({ publication }: Parked): number {
  return 200 + publication.data.length;
}
