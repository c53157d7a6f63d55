import type { Outbound } from '../peers/outbound.ts';
import type { Peers } from '../peers/peers.ts';
import { encodeControl, type StandbyItem } from '../peers/wire.ts';
import type { Placement } from './placement.ts';

/** What is to be known of an interest so that it can stand by at another node, too. */
export interface StandingBy {
  readonly channel: string;
  /** The channel's place on the ring. */
  readonly point: number;
  readonly sessions: number;
  /** Where it stands, or was asked for. */
  readonly link: Outbound | undefined;
  /** The home has accepted it. */
  readonly live: boolean;
  /** Where it stands by. */
  standby: Outbound | undefined;
}

/** Most channels in one record. */
const MOST_ITEMS = 1_000;

/**
 * The second half of rule 3: interest stands by at whoever is home next, so that what is said there when the home has died
 * comes without having been asked for. What is told is a word without an answer; it falls with the link.
 */
export class Successors {
  private readonly placement: Placement;
  private readonly peers: Peers;
  private readonly sinceOf: (channel: string) => { readonly since?: number };

  constructor(placement: Placement, peers: Peers, sinceOf: (channel: string) => { readonly since?: number }) {
    this.sinceOf = sinceOf;
    this.placement = placement;
    this.peers = peers;
  }

  /** Tells those that are next in line of interests which do not stand by there, and takes them back from who is not any more. */
  review(interests: Iterable<StandingBy>): void {
    const told = new Batches();
    for (const interest of interests) {
      // while a home is being asked, who was next sends what there is: it may be that very home
      if (!interest.live) continue;
      const wanted = this.next(interest);
      const { standby, channel, sessions } = interest;
      if (wanted === standby) continue;
      if (standby && standby !== interest.link) told.add(standby, { channel, sessions: 0 });
      interest.standby = wanted;
      if (wanted) told.add(wanted, { channel, sessions: atLeastOne(sessions), ...this.sinceOf(channel) });
    }
    told.send();
  }

  /** Tells it once more: of these no sign has come for a while. */
  repeat(interests: Iterable<StandingBy>): void {
    const told = new Batches();
    for (const { standby, channel, sessions } of interests)
      if (standby) told.add(standby, { channel, sessions: atLeastOne(sessions), ...this.sinceOf(channel) });
    told.send();
  }

  /** The interest ends. */
  withdraw(interest: StandingBy): void {
    const { standby, channel } = interest;
    interest.standby = undefined;
    if (standby && standby !== interest.link)
      standby.send(encodeControl({ t: 'standby', items: [{ channel, sessions: 0 }] }));
  }

  private next({ point, link }: StandingBy): Outbound | undefined {
    const member = this.placement.successorAt(point);
    // undefined for this node itself, which needs no word
    const next = member && this.peers.get(member.id);
    return next?.open && next !== link ? next : undefined;
  }
}

/** None would end it. A channel that is kept without sessions counts as one until it is registered with the new home. */
function atLeastOne(sessions: number): number {
  return Math.max(1, sessions);
}

/** One record a link, as far as that goes. */
class Batches {
  private readonly items = new Map<Outbound, StandbyItem[]>();

  add(link: Outbound, item: StandbyItem): void {
    const items = this.items.get(link);
    if (items) items.push(item);
    else this.items.set(link, [item]);
  }

  send(): void {
    for (const [link, items] of this.items)
      for (let at = 0; at < items.length; at += MOST_ITEMS)
        link.send(encodeControl({ t: 'standby', items: items.slice(at, at + MOST_ITEMS) }));
  }
}
