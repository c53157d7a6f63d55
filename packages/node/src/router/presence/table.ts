import { type PresenceState, userOf } from '@ringway/protocol';
import type { PresenceItem } from '../../peers/presence-control.ts';
import type { Home } from '../home.ts';
import { earliest, type LocalChannels, type Subscriber } from '../port.ts';

/** Who is there, of the channels that this node is home of: its own sessions, and what holders have told. */
export class PresenceTable {
  private readonly selfId: string;
  private readonly home: Home;
  private readonly local: LocalChannels;

  constructor(selfId: string, home: Home, local: LocalChannels) {
    this.selfId = selfId;
    this.home = home;
    this.local = local;
  }

  present(channel: string): boolean {
    for (const { state } of this.local.subscribersOf(channel)) if (state === 'open') return true;
    for (const _ of this.home.holdersOf(channel)) return true;
    return false;
  }

  /** Whether anybody, here or elsewhere, has joined the channel or is about to. */
  isHeld(channel: string): boolean {
    for (const _ of this.local.subscribersOf(channel)) return true;
    for (const _ of this.home.holdersOf(channel)) return true;
    return false;
  }

  /** When the user came online, milliseconds since the epoch; undefined where nobody has told. */
  since(channel: string): number | undefined {
    let since = earliest(this.standing(channel));
    for (const interest of this.home.interestsIn(channel))
      since = Math.min(since ?? Number.POSITIVE_INFINITY, interest.since ?? Number.POSITIVE_INFINITY);
    return since === Number.POSITIVE_INFINITY ? undefined : since;
  }

  item(channel: string): PresenceItem {
    // a node that has started anew may have two links for a moment
    const nodes = new Map<string, number>();
    const own = this.standing(channel).length;
    if (own > 0) nodes.set(this.selfId, own);
    for (const { holder, sessions } of this.home.interestsIn(channel))
      nodes.set(holder.nodeId, (nodes.get(holder.nodeId) ?? 0) + sessions);
    const since = this.since(channel);
    return {
      online: nodes.size > 0,
      ...(since === undefined ? {} : { since }),
      nodes: [...nodes].map(([nodeId, sessions]) => ({ nodeId, sessions })),
    };
  }

  state(channel: string, online: boolean): PresenceState {
    const since = online ? this.since(channel) : undefined;
    return { userId: userOf(channel) ?? '', online, ...(since === undefined ? {} : { since }) };
  }

  /** The user channels that anybody holds, here or elsewhere. */
  *users(): Iterable<string> {
    for (const { channel } of this.local.held()) if (userOf(channel) !== undefined) yield channel;
    for (const channel of this.home.channels()) if (userOf(channel) !== undefined) yield channel;
  }

  private standing(channel: string): readonly Subscriber[] {
    return [...this.local.subscribersOf(channel)].filter(({ state }) => state === 'open');
  }
}
