/** So many channels are told apart. */
const MOST = 10_000;

/**
 * Channels of which a publication that a peer had forwarded went back to it, because this node is not their home: what is
 * on its way behind it goes back, too. Where they are too many, that holds for all channels until the link ends, which
 * costs each of the peer's publications that were forwarded a second trip.
 */
export class TurnedBack {
  private readonly most: number;
  private channels: Set<string> | undefined = new Set();

  constructor(most = MOST) {
    this.most = most;
  }

  has(channel: string): boolean {
    return this.channels?.has(channel) ?? true;
  }

  add(channel: string): void {
    this.channels?.add(channel);
    if (this.channels && this.channels.size > this.most) this.channels = undefined;
  }

  /** The one that went back is here again, and what comes now is behind it. */
  delete(channel: string): void {
    this.channels?.delete(channel);
  }
}
