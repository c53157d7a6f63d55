import { CHANNEL_ALL, type Position, samePosition, userOf } from '@ringway/protocol';
import { channelPoint } from '../channel-point.ts';
import type { Outbound } from '../peers/outbound.ts';
import type { Peers } from '../peers/peers.ts';
import { type Control, type DeliverRecord, encodeControl } from '../peers/wire.ts';
import type { Home } from './home.ts';
import type { Placement, PlacementChange } from './placement.ts';
import { earliest, type LocalChannels, type SubscribeAnswer } from './port.ts';
import { Successors } from './successors.ts';
import { whenever } from './whenever.ts';

/** Who waits for the first registration of a channel, and until when. */
interface First {
  readonly answer: SubscribeAnswer;
  readonly deadline: number;
}

/** A channel with local sessions whose home is another node. */
interface Guest {
  readonly channel: string;
  /** Its place on the ring. */
  readonly point: number;
  sessions: number;
  /** How many sessions the home was told of. */
  told: number;
  /** The link on which the interest stands, or was asked for; undefined while no home can be asked. */
  link: Outbound | undefined;
  correlation: number;
  /** Where the local sessions were at when it was asked for. */
  since: Position | undefined;
  /** Where it stands by: whoever is there sends what it is home of before this node has seen that. */
  standby: Outbound | undefined;
  /** Whether the home has accepted. Deliveries before that belong to an older registration. */
  live: boolean;
  /** The first registration waits for this; undefined once there was one. */
  first: First | undefined;
  /** The node that one which is not the home has named as that: to be asked next. */
  hint: string | undefined;
  /** It is asked now by such a hint: another one is not followed, so that nobody sends it round in a circle. */
  hinted: boolean;
  /** The round of checks in which something was delivered last. */
  heard: number;
}

type Checked = Extract<Control, { t: 'checked' }>;
type CheckItem = Extract<Control, { t: 'check' }>['items'][number];

const NO_SINCE = Object.freeze({});

/** How often a channel that says nothing is checked, in rounds; a round is a call of {@link Holding.check}. */
const CHECK_ROUNDS = 5;

/** Channels that are registered with a new home in one turn of the event loop. */
const MOST_A_TURN = 250;

/** Most channels in one record. */
const CHECK_ITEMS = 1_000;

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
  /** Those of them that stand nowhere, or whose first registration is under way. */
  private readonly loose = new Set<Guest>();
  /** Those whose home has changed and that have not been registered with the new one yet. */
  private readonly due = new Set<Guest>();
  private pumping = false;
  private readonly asked = new Map<number, Guest>();
  /** Channels of this node's own home of which the log is being asked for the beginning. */
  private readonly opening = new Map<string, First>();
  private readonly successors: Successors;
  /** Those whose home has accepted since the last sweep. */
  private readonly settled = new Set<Guest>();
  private correlation = 0;
  private round = 0;
  private unchecked: Iterator<Guest> | undefined;

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
    this.successors = new Successors(options.placement, options.peers, (channel) => this.sinceOf(channel));
  }

  /** Channels whose home is another node, but for `all`, which is held everywhere. */
  get guestCount(): number {
    return this.guests.size - (this.guests.has(CHANNEL_ALL) ? 1 : 0);
  }

  /** Channels that wait for a home to take them. */
  get looseCount(): number {
    return this.loose.size + this.due.size;
  }

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    const first = { answer, deadline: this.now() + this.timeoutMs };
    if (this.placement.of(channel).kind === 'self') this.open(channel, sessions, first);
    else this.ask(this.add(channel, sessions, first));
  }

  resubscribe(channel: string, sessions: number): void {
    const guest = this.guests.get(channel);
    if (!guest) return;
    guest.sessions = sessions;
    if (guest.live && guest.told !== sessions) this.recount(guest);
  }

  unsubscribe(channel: string): void {
    this.opening.delete(channel);
    const guest = this.guests.get(channel);
    if (!guest) return;
    this.forget(guest);
    guest.first?.answer.failed();
  }

  /** Registers the held channels whose home has changed with the new one, and begins anew where this node may act again. */
  review({ moved, readmitted }: PlacementChange): void {
    if (moved.size === 0 && !readmitted) return;
    for (const { channel, point, position, sessions } of this.local.held()) {
      if (!readmitted && moved.find(point) === undefined) continue;
      let guest = this.guests.get(channel);
      if (!guest) {
        // not known yet: its first registration is under way
        if (position === undefined) continue;
        guest = this.add(channel, sessions, undefined);
      }
      this.due.add(guest);
    }
    this.pump();
    this.successors.review(this.guests.values());
  }

  /** So many in one turn of the event loop, so that thousands that move do not stop what does not. */
  private pump(): void {
    let left = MOST_A_TURN;
    for (const guest of this.due) {
      if (left-- === 0) break;
      this.due.delete(guest);
      const place = this.placement.at(guest.point);
      if (place.kind === 'self') this.takeOver(guest);
      else if (place.kind === 'nowhere' || this.peers.reach(place.member.id) !== guest.link) this.ask(guest);
    }
    if (this.due.size === 0 || this.pumping) return;
    this.pumping = true;
    setImmediate(() => {
      this.pumping = false;
      this.pump();
    });
  }

  /** Asks again for what is not registered anywhere, and gives up on first registrations that took too long. */
  sweep(): void {
    if (this.settled.size > 0) {
      this.successors.review(this.settled);
      this.settled.clear();
    }
    if (this.loose.size === 0) return;
    const now = this.now();
    for (const guest of [...this.loose]) {
      if (guest.first && now > guest.first.deadline) {
        this.forget(guest);
        guest.first.answer.failed();
      } else if (guest.link === undefined && !this.due.has(guest)) this.ask(guest);
    }
  }

  /**
   * Asks the homes of some channels that have said nothing for a while whether this node is where they are: all of them in
   * {@link CHECK_ROUNDS} calls, so that whatever was missed without a sign is found within that time.
   */
  check(): void {
    this.round++;
    const items = new Map<Outbound, CheckItem[]>();
    const checked: Guest[] = [];
    let left = Math.ceil(this.guests.size / CHECK_ROUNDS);
    for (; left > 0; left--) {
      this.unchecked ??= this.guests.values();
      const next = this.unchecked.next();
      if (next.done) {
        this.unchecked = undefined;
        continue;
      }
      const { channel, sessions, link, live, heard } = next.value;
      if (!link || !live || this.round - heard < CHECK_ROUNDS) continue;
      const at = this.local.positionOf(channel);
      if (!at) continue;
      checked.push(next.value);
      const batch = items.get(link) ?? [];
      items.set(link, batch);
      batch.push({ channel, sessions, at, ...this.sinceOf(channel) });
      if (batch.length < CHECK_ITEMS) continue;
      link.send(encodeControl({ t: 'check', items: batch }));
      items.delete(link);
    }
    for (const [link, batch] of items) link.send(encodeControl({ t: 'check', items: batch }));
    this.successors.repeat(checked);
  }

  onChecked(link: Outbound, { lost, behind }: Checked): void {
    for (const channel of lost) {
      const guest = this.guests.get(channel);
      if (guest?.link === link && guest.live) this.loosen(guest);
    }
    for (const { channel, head } of behind) {
      const guest = this.guests.get(channel);
      if (guest?.link === link && guest.live) this.local.continueFrom(channel, head, false);
    }
    this.sweep();
  }

  /** Somebody may be there again who is next in line. */
  onLinkOpen(): void {
    this.successors.review(this.guests.values());
  }

  onLinkDown(link: Outbound): void {
    for (const guest of this.guests.values()) {
      if (guest.standby === link) guest.standby = undefined;
      if (guest.link === link) this.loosen(guest);
    }
  }

  onInterested(link: Outbound, { correlation, start, goesOn = false, home }: Interested): void {
    const guest = this.asked.get(correlation);
    this.asked.delete(correlation);
    if (!guest || guest.link !== link) return;
    if (start === undefined) {
      // it does not see itself as home (yet): whoever it takes for that is asked, else the sweep asks again
      this.loosen(guest);
      if (home === undefined || guest.hinted || home === link.member.id) return;
      guest.hint = home;
      return this.ask(guest);
    }
    guest.live = true;
    this.loose.delete(guest);
    this.settled.add(guest);
    if (guest.told !== guest.sessions) this.recount(guest);
    // what it sent while it stood by has brought the sessions further than they were
    const at = this.local.positionOf(guest.channel);
    this.began(
      guest,
      start,
      goesOn && at !== undefined && guest.since !== undefined && samePosition(at, guest.since),
    );
  }

  /** The home has dropped the interest. The sweep asks whoever is home, which may be the same node again. */
  onMoved(link: Outbound, channel: string): void {
    const guest = this.guests.get(channel);
    if (guest?.standby === link) {
      guest.standby = undefined;
      this.settled.add(guest);
    }
    if (guest?.link === link && guest.live) this.loosen(guest);
  }

  onDeliver(link: Outbound, record: DeliverRecord): void {
    const guest = this.guests.get(record.channel);
    if (!guest) return;
    if (guest.live && guest.link === link) guest.heard = this.round;
    else if (guest.standby !== link) return;
    this.local.deliver(record.channel, record, 'elsewhere');
  }

  /** The first registration of a channel that this node is home of. */
  private open(channel: string, sessions: number, first: First): void {
    const head = this.home.head(channel);
    if (!(head instanceof Promise)) return first.answer.accepted(head);
    this.opening.set(channel, first);
    const isWanted = (): boolean => this.opening.get(channel) === first && this.opening.delete(channel);
    head.then(
      (start) => {
        // while the log was asked another node has become the home, which does not know of it
        if (isWanted() && this.placement.of(channel).kind !== 'self')
          this.ask(this.add(channel, sessions, first));
        else first.answer.accepted(start);
      },
      () => {
        isWanted();
        first.answer.failed();
      },
    );
  }

  private add(channel: string, sessions: number, first: First | undefined): Guest {
    const guest: Guest = {
      channel,
      point: channelPoint(channel),
      sessions,
      told: 0,
      link: undefined,
      correlation: 0,
      since: undefined,
      standby: undefined,
      live: false,
      first,
      hint: undefined,
      hinted: false,
      heard: this.round,
    };
    this.guests.set(channel, guest);
    this.loose.add(guest);
    return guest;
  }

  private forget(guest: Guest): void {
    this.guests.delete(guest.channel);
    this.due.delete(guest);
    this.settled.delete(guest);
    this.successors.withdraw(guest);
    this.leave(guest);
    this.loose.delete(guest);
  }

  private loosen(guest: Guest): void {
    this.asked.delete(guest.correlation);
    guest.link = undefined;
    guest.live = false;
    this.loose.add(guest);
  }

  private ask(guest: Guest): void {
    const place = this.placement.of(guest.channel);
    if (place.kind === 'self') {
      this.takeOver(guest);
      return;
    }
    this.leave(guest);
    const { hint } = guest;
    guest.hint = undefined;
    guest.hinted = hint !== undefined;
    const link = place.kind === 'peer' ? this.peers.reach(hint ?? place.member.id) : undefined;
    if (!link?.open) return;
    this.correlation = (this.correlation % 0xffff_fffe) + 1;
    guest.link = link;
    guest.told = guest.sessions;
    guest.correlation = this.correlation;
    this.asked.set(guest.correlation, guest);
    const { channel, sessions, correlation } = guest;
    const position = this.local.positionOf(channel);
    guest.since = position;
    link.send(
      encodeControl({
        t: 'interest',
        correlation,
        channel,
        sessions,
        ...(position ? { position } : {}),
        ...this.sinceOf(channel),
      }),
    );
  }

  private recount(guest: Guest): void {
    const { channel, sessions, link } = guest;
    guest.told = sessions;
    const kept = sessions === 0 ? { kept: true } : {};
    link?.send(encodeControl({ t: 'sessions', channel, sessions, ...kept, ...this.sinceOf(channel) }));
  }

  /** Takes the interest back from where it stands or was asked for. */
  private leave(guest: Guest): void {
    guest.link?.send(encodeControl({ t: 'sessions', channel: guest.channel, sessions: 0 }));
    // which takes it back there altogether
    if (guest.standby === guest.link) guest.standby = undefined;
    this.loosen(guest);
  }

  /** This node has become the home: its own log goes on where the other's ended. */
  private takeOver(guest: Guest): void {
    this.forget(guest);
    const { channel, sessions, first } = guest;
    if (first) return this.open(channel, sessions, first);
    whenever(
      this.home.head(channel),
      (head) => this.local.continueFrom(channel, head, false),
      // what comes next shows what is missing
      () => {},
    );
  }

  /** Since when a user has had sessions here, for who is to tell the user's presence. */
  private sinceOf(channel: string): { readonly since?: number } {
    if (userOf(channel) === undefined) return NO_SINCE;
    const since = earliest(this.local.subscribersOf(channel));
    return since === undefined ? NO_SINCE : { since };
  }

  private began(guest: Guest, start: Position, goesOn: boolean): void {
    const { first } = guest;
    guest.first = undefined;
    if (first) first.answer.accepted(start);
    else this.local.continueFrom(guest.channel, start, goesOn);
  }
}

type Interested = Extract<Control, { t: 'interested' }>;
