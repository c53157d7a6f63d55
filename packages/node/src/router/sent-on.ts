import type { Position } from '@ringway/protocol';

/** So many channels are remembered at least, those written to last; at most twice as many. */
const GENERATION = 100_000;

/**
 * The last position that a home has sent on, for each channel that it wrote to lately. By it the home sees that somebody
 * else has appended in between, and tells the log what it knows of.
 *
 * Two generations, the older dropped as a whole: to delete the first key of a large map for each new one costs more the more
 * of its first keys are deleted, hundreds of microseconds at 200,000.
 */
export class SentOn {
  private young = new Map<string, Position>();
  private old = new Map<string, Position>();

  get(channel: string): Position | undefined {
    return this.young.get(channel) ?? this.old.get(channel);
  }

  set(channel: string, position: Position): void {
    this.young.set(channel, position);
    if (this.young.size < GENERATION) return;
    this.old = this.young;
    this.young = new Map();
  }

  delete(channel: string): void {
    this.young.delete(channel);
    this.old.delete(channel);
  }
}
