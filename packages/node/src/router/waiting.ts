import type { Publication } from './port.ts';

/** A publication with what the ring router must know of it while it cannot be sent. */
export interface Parked {
  readonly publication: Publication;
  readonly dedupe: boolean;
  /** Nodes that it has gone through to come here. */
  readonly hops: number;
  /** It went out once and was not answered: whether it was stored is not known. */
  readonly sent: boolean;
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

  /** Before everything else of their channels, in the order given: they were sent before. Always taken. */
  unshift(parked: readonly Parked[]): void {
    for (let i = parked.length - 1; i >= 0; i--) {
      const item = parked[i] as Parked;
      const { channel } = item.publication;
      const queue = this.queues.get(channel);
      if (queue) queue.unshift(item);
      else this.queues.set(channel, [item]);
      this.bytes += bytesOf(item);
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
      this.takeOut(channel, queue, expired, ({ deadline, publication }) => {
        const isRepeatable = repeatable(publication);
        if (deadline > now && !(isRepeatable && again.has(publication.from))) return false;
        if (isRepeatable) again.add(publication.from);
        return true;
      });
    }
    return expired;
  }

  /** Takes out what waits behind one that was refused for now: its sender will say all of them again, in order. */
  behind(refused: Publication): Parked[] {
    const behind: Parked[] = [];
    const queue = this.queues.get(refused.channel);
    if (queue && repeatable(refused)) {
      this.takeOut(
        refused.channel,
        queue,
        behind,
        ({ publication }) => repeatable(publication) && publication.from === refused.from,
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

/** Neither an ephemeral one nor one without an answer is ever said again. */
function repeatable({ done, ephemeral }: Publication): boolean {
  return done !== undefined && !ephemeral;
}

function bytesOf({ publication }: Parked): number {
  return 200 + publication.data.length;
}
