import type { Position } from '@ringway/protocol';
import type { Outbound } from '../peers/outbound.ts';
import type { Peers } from '../peers/peers.ts';
import { type DeliverRecord, encodeControl } from '../peers/wire.ts';
import type { Home } from './home.ts';
import type { Placement, PlacementChange } from './placement.ts';
import type { LocalChannels, SubscribeAnswer } from './port.ts';
import { whenever } from './whenever.ts';

/** A channel with local sessions whose home is another node. */
interface Guest {
  readonly channel: string;
  sessions: number;
  /** How many sessions the home was told of. */
  told: number;
  /** The link on which the interest stands, or was asked for; undefined while no home can be asked. */
  link: Outbound | undefined;
  correlation: number;
  /** Whether the home has accepted. Deliveries before that belong to an older registration. */
  live: boolean;
  /** The first registration waits for this; undefined once there was one. */
  first: { readonly answer: SubscribeAnswer; readonly deadline: number } | undefined;
}

/**
 * The holder's side of interest: for each channel with local sessions, that its home knows. A channel whose home is
 * this node needs nothing; for the others the interest stands on the link to the home, and falls with it.
 */
export class Holding {
  private readonly placement: Placement;
  private readonly peers: Peers;
  private readonly home: Home;
  private readonly local: LocalChannels;
  private readonly timeoutMs: number;
  private readonly now: () => number;
  private readonly guests = new Map<string, Guest>();
  private readonly asked = new Map<number, Guest>();
  private correlation = 0;

  constructor(options: {
    readonly placement: Placement;
    readonly peers: Peers;
    readonly home: Home;
    readonly local: LocalChannels;
    readonly timeoutMs: number;
    readonly now: () => number;
  }) {
    this.placement = options.placement;
    this.peers = options.peers;
    this.home = options.home;
    this.local = options.local;
    this.timeoutMs = options.timeoutMs;
    this.now = options.now;
  }

  /** Channels whose home is another node. */
  get guestCount(): number {
    return this.guests.size;
  }

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    if (this.placement.of(channel).kind === 'self') {
      whenever(
        this.home.head(channel),
        (start) => answer.accepted(start),
        () => answer.failed(),
      );
      return;
    }
    const first = { answer, deadline: this.now() + this.timeoutMs };
    const guest: Guest = { channel, sessions, told: 0, link: undefined, correlation: 0, live: false, first };
    this.guests.set(channel, guest);
    this.ask(guest);
  }

  resubscribe(channel: string, sessions: number): void {
    const guest = this.guests.get(channel);
    if (!guest) return;
    guest.sessions = sessions;
    if (guest.live) this.recount(guest);
  }

  unsubscribe(channel: string): void {
    const guest = this.guests.get(channel);
    if (!guest) return;
    this.guests.delete(channel);
    this.leave(guest);
    guest.first?.answer.failed();
  }

  /** Registers the held channels whose home has changed with the new one, and begins anew where this node may act again. */
  review({ moved, readmitted }: PlacementChange): void {
    if (moved.size === 0 && !readmitted) return;
    for (const { channel, point, position, sessions } of this.local.held()) {
      if (!readmitted && moved.find(point) === undefined) continue;
      const place = this.placement.at(point);
      let guest = this.guests.get(channel);
      if (!guest) {
        // not known yet: its first registration is under way
        if (position === undefined) continue;
        guest = {
          channel,
          sessions,
          told: 0,
          link: undefined,
          correlation: 0,
          live: false,
          first: undefined,
        };
        this.guests.set(channel, guest);
      }
      if (place.kind === 'self') this.takeOver(guest);
      else if (place.kind === 'nowhere' || place.member.id !== guest.link?.member.id) this.ask(guest);
    }
  }

  /** Asks again for what is not registered anywhere, and gives up on first registrations that took too long. */
  sweep(): void {
    const now = this.now();
    for (const guest of this.guests.values()) {
      if (guest.first && now > guest.first.deadline) {
        const { first } = guest;
        this.guests.delete(guest.channel);
        this.leave(guest);
        first.answer.failed();
      } else if (guest.link === undefined) this.ask(guest);
    }
  }

  onLinkDown(link: Outbound): void {
    for (const guest of this.guests.values()) {
      if (guest.link !== link) continue;
      this.asked.delete(guest.correlation);
      guest.link = undefined;
      guest.live = false;
    }
  }

  onInterested(link: Outbound, correlation: number, start: Position | undefined): void {
    const guest = this.asked.get(correlation);
    this.asked.delete(correlation);
    if (!guest || guest.link !== link) return;
    if (start === undefined) {
      // refused: it does not see itself as home (yet); the sweep asks whoever is home then
      guest.link = undefined;
      return;
    }
    guest.live = true;
    if (guest.told !== guest.sessions) this.recount(guest);
    this.began(guest, start);
  }

  /** The home has dropped the interest. The sweep asks whoever is home, which may be the same node again. */
  onMoved(link: Outbound, channel: string): void {
    const guest = this.guests.get(channel);
    if (guest?.link !== link || !guest.live) return;
    guest.link = undefined;
    guest.live = false;
  }

  onDeliver(link: Outbound, record: DeliverRecord): void {
    const guest = this.guests.get(record.channel);
    if (guest?.live && guest.link === link) this.local.deliver(record.channel, record, 'elsewhere');
  }

  private ask(guest: Guest): void {
    const place = this.placement.of(guest.channel);
    if (place.kind === 'self') {
      this.takeOver(guest);
      return;
    }
    this.leave(guest);
    const link = place.kind === 'peer' ? this.peers.get(place.member.id) : undefined;
    if (!link?.open) return;
    this.correlation = (this.correlation % 0xffff_fffe) + 1;
    guest.link = link;
    guest.told = guest.sessions;
    guest.correlation = this.correlation;
    this.asked.set(guest.correlation, guest);
    const { channel, sessions, correlation } = guest;
    const position = this.local.positionOf(channel);
    link.send(
      encodeControl({ t: 'interest', correlation, channel, sessions, ...(position ? { position } : {}) }),
    );
  }

  private recount(guest: Guest): void {
    const { channel, sessions, link } = guest;
    guest.told = sessions;
    link?.send(encodeControl({ t: 'sessions', channel, sessions }));
  }

  /** Takes the interest back from where it stands or was asked for. */
  private leave(guest: Guest): void {
    this.asked.delete(guest.correlation);
    guest.link?.send(encodeControl({ t: 'sessions', channel: guest.channel, sessions: 0 }));
    guest.link = undefined;
    guest.live = false;
  }

  /** This node has become the home: its own log goes on where the other's ended. */
  private takeOver(guest: Guest): void {
    this.guests.delete(guest.channel);
    this.leave(guest);
    const { channel } = guest;
    const position = this.local.positionOf(channel);
    whenever(
      this.home.history(channel, position),
      (read) => {
        this.began(guest, read.start);
        for (const message of read.messages) this.local.deliver(channel, message, 'here');
      },
      () => guest.first?.answer.failed(),
    );
  }

  private began(guest: Guest, start: Position): void {
    const { first } = guest;
    guest.first = undefined;
    if (first) first.answer.accepted(start);
    else this.local.continueFrom(guest.channel, start);
  }
}
