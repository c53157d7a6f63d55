import { type PresenceState, userChannel } from '@ringway/protocol';
import { Desk } from './desk.ts';
import type { Following, PresenceListener } from './port.ts';
import type { PresenceTable } from './table.ts';

/** What {@link Followers} need to know at construction. */
export interface FollowersOptions {
  readonly table: PresenceTable;
  readonly isHome: (channel: string) => boolean;
  readonly debounceMs: number;
  /** Most that may follow at once. */
  readonly most: number;
  readonly now: () => number;
}

interface Follower {
  readonly channels: ReadonlySet<string> | undefined;
  readonly listener: PresenceListener;
}

/** Those who follow the users of this node's home: some of them, or all. Costs nothing while nobody does. */
export class Followers {
  readonly desk: Desk;
  private readonly options: FollowersOptions;
  private readonly followers = new Set<Follower>();
  refused = 0;
  slow = 0;

  constructor(options: FollowersOptions) {
    this.options = options;
    const { table, debounceMs, now } = options;
    this.desk = new Desk({
      present: (channel) => table.present(channel),
      debounceMs,
      now,
      tell: (channel, online) => this.tell(channel, online),
    });
  }

  get size(): number {
    return this.followers.size;
  }

  add(userIds: readonly string[] | undefined, listener: PresenceListener): Following | undefined {
    if (this.followers.size >= this.options.most) {
      this.refused++;
      return undefined;
    }
    const channels = userIds && new Set(userIds.map(userChannel));
    const follower = { channels, listener };
    // before it is one of them: what is so already it gets by the snapshot
    this.watch(follower);
    this.followers.add(follower);
    return {
      snapshot: () => this.snapshot(channels),
      close: (why) => {
        if (!this.followers.delete(follower)) return;
        if (why === 'slow') this.slow++;
        this.unwatch();
      },
    };
  }

  touched(channel: string): void {
    if (this.followers.size === 0) return;
    if (this.isWanted(channel)) this.watchOne(channel);
    this.desk.touched(channel);
  }

  /** This node may be home of other channels than before. */
  review(): void {
    if (this.followers.size === 0) return;
    this.unwatch();
    for (const follower of this.followers) this.watch(follower);
  }

  end(): void {
    for (const { listener } of [...this.followers]) listener.ended();
    this.followers.clear();
    this.unwatch();
  }

  private *snapshot(channels: ReadonlySet<string> | undefined): Iterable<PresenceState> {
    for (const channel of channels ?? [...this.desk.channels()])
      if (this.options.isHome(channel) && this.desk.told(channel) === true)
        yield this.options.table.state(channel, true);
  }

  private watch({ channels }: Follower): void {
    for (const channel of channels ?? this.options.table.users()) this.watchOne(channel);
  }

  /** Who is absent is of interest only to those who have named the user. */
  private watchOne(channel: string): void {
    const { isHome, table } = this.options;
    if (isHome(channel) && (this.isNamed(channel) || table.present(channel))) this.desk.watch(channel);
  }

  /** What nobody wants any more, or another node is home of. */
  private unwatch(): void {
    for (const channel of this.desk.channels())
      if (!this.isWanted(channel) || !this.options.isHome(channel)) this.desk.unwatch(channel);
  }

  private tell(channel: string, online: boolean): void {
    const state = this.options.table.state(channel, online);
    for (const { channels, listener } of [...this.followers])
      if (!channels || channels.has(channel)) listener.changed(state);
    if (!online && !this.isNamed(channel)) this.desk.unwatch(channel);
  }

  private isNamed(channel: string): boolean {
    for (const { channels } of this.followers) if (channels?.has(channel)) return true;
    return false;
  }

  private isWanted(channel: string): boolean {
    for (const { channels } of this.followers) if (!channels || channels.has(channel)) return true;
    return false;
  }
}
