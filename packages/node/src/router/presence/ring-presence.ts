import {
  type GroupPresence,
  groupChannel,
  innerChannel,
  presenceChannel,
  type UserPresence,
  userChannel,
  userOf,
} from '@ringway/protocol';
import type { Registry } from 'prom-client';
import type { Inbound } from '../../peers/inbound.ts';
import type { Outbound } from '../../peers/outbound.ts';
import type { Peers } from '../../peers/peers.ts';
import type { PresenceItem } from '../../peers/presence-control.ts';
import { type Control, encodeControl } from '../../peers/wire.ts';
import type { Holder, Home } from '../home.ts';
import type { Placement, PlacementChange } from '../placement.ts';
import type { LocalChannels } from '../port.ts';
import { Announcements } from './announcements.ts';
import { Desk } from './desk.ts';
import { Followers } from './followers.ts';
import { Inquiry } from './inquiry.ts';
import { presenceMetrics } from './metrics.ts';
import { Newness } from './newness.ts';
import { type Occupants, OccupantsOf } from './occupants.ts';
import { Pending } from './pending.ts';
import type { Following, Presence, PresenceListener } from './port.ts';
import { PresenceTable } from './table.ts';

export interface PresenceSettings {
  /** How long a user must be gone until that is told, in milliseconds. */
  readonly debounceMs: number;
  /** Most that may follow users at once. */
  readonly maxStreams: number;
}

export interface RingPresenceOptions extends PresenceSettings {
  readonly selfId: string;
  readonly incarnation: string;
  readonly placement: Placement;
  readonly peers: Peers;
  readonly nextCorrelation: () => number;
  /** Looked at before this node speaks as a home. */
  readonly mayAct: () => boolean;
  readonly homeTimeoutMs: number;
  readonly now: () => number;
}

const NOT_HOME: PresenceItem = Object.freeze({ code: 'unavailable', online: false, nodes: [] });
const UNANSWERED = Object.freeze({ code: 'unavailable', message: 'the user’s home did not answer' });
const UNSURE = Object.freeze({
  code: 'unavailable',
  message: 'the user’s home has become that just now, and does not know yet',
});
const NO_OCCUPANTS: Occupants = Object.freeze({ sessions: 0, users: [], more: false, missing: [] });

/**
 * Presence over the ring: a user's home knows who holds sessions of the user, and says so to those who ask, to clients in the
 * channel `presence:user:<id>`, of which it is home as well, and to those who follow.
 */
export class RingPresence implements Presence {
  private readonly options: RingPresenceOptions;
  private readonly inquiry: Inquiry;
  private readonly asked: Pending<Outbound, readonly PresenceItem[]>;
  private readonly askedHomes: Pending<Outbound, Occupants | undefined>;
  private readonly askedHolders: Pending<Holder, Occupants>;
  private readonly announcements: Announcements;
  /** User channels whose `presence:` channel somebody has joined as far as this node knows, home or not. */
  private readonly joined = new Set<string>();
  private readonly newness: Newness;
  private readonly told = { online: 0, offline: 0 };
  private unanswered = 0;
  /** Undefined before the start, as the four that follow. */
  private home!: Home;
  private table!: PresenceTable;
  private desk!: Desk;
  private followers!: Followers;
  private occupantsOf!: OccupantsOf;

  constructor(options: RingPresenceOptions) {
    const { placement, peers, homeTimeoutMs, nextCorrelation, incarnation, now } = options;
    this.options = options;
    this.newness = new Newness(options.selfId, options.debounceMs, now);
    // in less time than whoever asks by HTTP may wait, so that what is known comes, and what is not is named
    this.inquiry = new Inquiry({ placement, peers, now, patienceMs: homeTimeoutMs / 2 });
    this.asked = new Pending(nextCorrelation);
    this.askedHomes = new Pending(nextCorrelation);
    this.askedHolders = new Pending(nextCorrelation);
    this.announcements = new Announcements({
      idPrefix: `${incarnation}.`,
      now,
      publish: (channel, message, done) => {
        if (this.isHome(channel) && options.mayAct()) this.home.publish(channel, message, true, done);
        else done({ kind: 'failed', code: 'unavailable' });
      },
    });
  }

  start(home: Home, local: LocalChannels): void {
    const { selfId, debounceMs, maxStreams, now } = this.options;
    this.home = home;
    const table = new PresenceTable(selfId, home, local);
    this.table = table;
    this.desk = new Desk({
      present: (channel) => table.present(channel),
      debounceMs,
      now,
      tell: (channel, online) => {
        this.told[online ? 'online' : 'offline']++;
        this.announcements.say(presenceNameOf(channel), table.state(channel, online));
      },
    });
    const isHome = (channel: string): boolean => this.isHome(channel);
    this.followers = new Followers({ table, isHome, debounceMs, most: maxStreams, now });
    this.occupantsOf = new OccupantsOf(home, local, this.askedHolders);
  }

  stop(): void {
    this.followers?.end();
    for (const pending of [this.asked, this.askedHomes, this.askedHolders])
      pending.expire(Number.POSITIVE_INFINITY);
    this.inquiry.stop();
  }

  register(registry: Registry): void {
    presenceMetrics(registry, {
      watched: () => this.desk?.size ?? 0,
      told: this.told,
      streams: () => this.followers?.size ?? 0,
      refused: () => this.followers?.refused ?? 0,
      slow: () => this.followers?.slow ?? 0,
      unanswered: () => this.unanswered,
    });
  }

  /** Who holds a channel, here or elsewhere, may have changed. Called for every session of every channel. */
  onAudience(channel: string): void {
    if (userOf(channel) !== undefined) {
      this.desk.touched(channel);
      this.followers.touched(channel);
      return;
    }
    const inner = innerChannel(channel);
    // not within the call: whoever registers is to be sent what is said now behind the answer to that
    if (inner !== channel) queueMicrotask(() => this.onWatchers(channel, inner));
  }

  /** This node may be home of other channels than before. */
  review(change?: PlacementChange): void {
    if (change) this.newness.add(change);
    for (const channel of this.desk.channels()) if (!this.isHome(channel)) this.unwatch(channel);
    for (const channel of this.joined) if (this.isHome(channel)) this.desk.watch(channel);
    this.followers.review();
  }

  sweep(): void {
    const now = this.options.now();
    this.desk.sweep();
    this.followers.desk.sweep();
    this.announcements.sweep();
    for (const pending of [this.asked, this.askedHomes, this.askedHolders]) pending.expire(now);
    this.inquiry.sweep();
  }

  onLinkDown(link: Outbound): void {
    this.asked.onLinkDown(link);
    this.askedHomes.onLinkDown(link);
  }

  onHolderDown(link: Inbound): void {
    this.askedHolders.onLinkDown(link);
  }

  /** A peer asks this node as a home, or answers it as a holder. */
  onRequest(from: Inbound, control: Control): void {
    switch (control.t) {
      case 'presence': {
        const { correlation, channels, debounced } = control;
        const items = channels.map((channel) =>
          this.isHome(channel) ? this.item(channel, debounced) : NOT_HOME,
        );
        from.send(encodeControl({ t: 'presences', correlation, items }));
        return;
      }
      case 'occupants': {
        const { correlation, channel } = control;
        const answer = (members: Occupants, code?: 'unavailable'): void =>
          from.send(encodeControl({ t: 'occupantsAre', correlation, ...members, ...(code ? { code } : {}) }));
        if (!this.isHome(channel)) return answer(NO_OCCUPANTS, 'unavailable');
        return this.occupantsOf.everywhere(channel, this.holdersDeadline, answer);
      }
      case 'occupantsAre':
        this.askedHolders.answered(from, control.correlation, control);
        return;
      default:
      // of a later version, or not for this side
    }
  }

  /** A home answers, or asks this node as a holder. */
  onReply(from: Outbound, control: Control): void {
    switch (control.t) {
      case 'presences':
        this.asked.answered(from, control.correlation, control.items);
        return;
      case 'occupants': {
        const { correlation, channel } = control;
        from.send(encodeControl({ t: 'occupantsAre', correlation, ...this.occupantsOf.here(channel) }));
        return;
      }
      case 'occupantsAre':
        this.askedHomes.answered(from, control.correlation, control.code ? undefined : control);
        return;
      default:
      // of a later version, or not for this side
    }
  }

  ask(
    userIds: readonly string[],
    { debounced }: { readonly debounced: boolean },
    done: (users: readonly UserPresence[]) => void,
  ): void {
    this.inquiry.ask<PresenceItem>(
      userIds.map(userChannel),
      {
        here: (channel, answer) => answer(this.item(channel, debounced)),
        there: (link, channels, deadline, answer) => {
          const record = (correlation: number): string =>
            encodeControl({ t: 'presence', correlation, channels, debounced });
          this.asked.ask(link, record, deadline, (items) =>
            answer(items?.map((item) => (item.code ? undefined : item))),
          );
        },
      },
      (items) => done(userIds.map((userId, i) => this.answerOf(userId, items[i]))),
    );
  }

  members(group: string, done: (answer: GroupPresence | undefined) => void): void {
    this.inquiry.ask<Occupants>(
      [groupChannel(group)],
      {
        here: (channel, answer) => this.occupantsOf.everywhere(channel, this.holdersDeadline, answer),
        there: (link, [channel = ''], deadline, answer) => {
          const record = (correlation: number): string =>
            encodeControl({ t: 'occupants', correlation, channel });
          this.askedHomes.ask(link, record, deadline, (members) => answer([members]));
        },
      },
      ([members]) => {
        if (!members) this.unanswered++;
        else this.unanswered += members.missing.length;
        if (!members) return done(undefined);
        const { sessions, users, more, missing } = members;
        done({ group, sessions, users, more, missing });
      },
    );
  }

  follow(userIds: readonly string[] | undefined, listener: PresenceListener): Following | undefined {
    return this.followers.add(userIds, listener);
  }

  /** Somebody has joined the `presence:` channel of a user, or left it. */
  private onWatchers(channel: string, user: string): void {
    if (this.table.isHeld(channel)) {
      this.joined.add(user);
      if (this.isHome(user)) this.desk.watch(user);
    } else {
      this.joined.delete(user);
      this.unwatch(user);
    }
  }

  /** In half of the time that whoever asked waits for the home. */
  private get holdersDeadline(): number {
    return this.options.now() + this.options.homeTimeoutMs / 4;
  }

  private isHome(channel: string): boolean {
    return this.options.placement.of(channel).kind === 'self';
  }

  private unwatch(channel: string): void {
    this.desk.unwatch(channel);
    this.announcements.drop(presenceNameOf(channel));
  }

  private item(channel: string, debounced: boolean): PresenceItem {
    const item = this.table.item(channel);
    if (item.online) return item;
    const told = debounced ? (this.desk.told(channel) ?? this.followers.desk.told(channel)) : undefined;
    if (told !== undefined) return { ...item, online: told };
    return this.newness.has(channel) ? { ...item, unsure: true } : item;
  }

  private answerOf(userId: string, item: PresenceItem | undefined): UserPresence {
    if (!item || item.unsure) {
      this.unanswered++;
      return { userId, error: item ? UNSURE : UNANSWERED };
    }
    const { online, since, nodes } = item;
    let sessions = 0;
    for (const node of nodes) sessions += node.sessions;
    return { userId, online, ...(since === undefined ? {} : { since }), sessions, nodes };
  }
}

function presenceNameOf(channel: string): string {
  return presenceChannel(userOf(channel) ?? '');
}
