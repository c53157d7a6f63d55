import type { Position } from '@ringway/protocol';

/** So many channels are remembered. */
const MOST = 200_000;

/**
 * The last position that a home has sent on, for each channel that it wrote to lately. By it the home sees that somebody
 * else has appended in between, and tells the log what it knows of.
 */
export class SentOn {
  private readonly positions = new Map<string, Position>();

  get(channel: string): Position | undefined {
    return this.positions.get(channel);
  }

  set(channel: string, position: Position): void {
    this.positions.set(channel, position);
    if (this.positions.size <= MOST) return;
    for (const oldest of this.positions.keys()) {
      this.positions.delete(oldest);
      break;
    }
  }

  delete(channel: string): void {
    this.positions.delete(channel);
  }
}
