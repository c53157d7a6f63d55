import type { Holder } from './home.ts';

const NONE: ReadonlyMap<Holder, number> = new Map();

/** Which other nodes hold subscribers of which channel, and how many: channel -> holder -> its sessions. */
export class Interests {
  private readonly holders = new Map<string, Map<Holder, number>>();

  /** Undefined where nobody holds the channel: asked for each message. */
  get(channel: string): ReadonlyMap<Holder, number> | undefined {
    return this.holders.get(channel);
  }

  has(holder: Holder, channel: string): boolean {
    return this.holders.get(channel)?.has(holder) === true;
  }

  get size(): number {
    return this.holders.size;
  }

  channels(): Iterable<string> {
    return this.holders.keys();
  }

  set(holder: Holder, channel: string, sessions: number): void {
    const holders = this.holders.get(channel);
    if (holders) holders.set(holder, sessions);
    else this.holders.set(channel, new Map([[holder, sessions]]));
  }

  delete(holder: Holder, channel: string): void {
    const holders = this.holders.get(channel);
    if (holders?.delete(holder) && holders.size === 0) this.holders.delete(channel);
  }

  /** Takes all interest in a channel out. */
  take(channel: string): ReadonlyMap<Holder, number> {
    const holders = this.holders.get(channel) ?? NONE;
    this.holders.delete(channel);
    return holders;
  }

  dropHolder(holder: Holder): void {
    for (const [channel, holders] of this.holders) {
      if (holders.delete(holder) && holders.size === 0) this.holders.delete(channel);
    }
  }
}
