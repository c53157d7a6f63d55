import type { Member } from '@ringway/membership';
import { ERRORS, type Position } from '@ringway/protocol';
import type { Ring } from '@ringway/ring';
import type { Log } from '../log/port.ts';
import type { Tenures } from '../log/tenures.ts';
import type { Inbound } from '../peers/inbound.ts';
import type { Outbound } from '../peers/outbound.ts';
import type { Peers, PeerUser } from '../peers/peers.ts';
import {
  type AnswerRecord,
  type Control,
  encodeList,
  encodePublish,
  KIND,
  type PeerRecord,
} from '../peers/wire.ts';
import { Flights } from './flights.ts';
import { Holding } from './holding.ts';
import { Home } from './home.ts';
import { gather, outcomeOf } from './lists.ts';
import { PeerRequests } from './peer-requests.ts';
import { type Place, Placement } from './placement.ts';
import type {
  History,
  LocalChannels,
  Message,
  Outcome,
  Publication,
  Router,
  SubscribeAnswer,
} from './port.ts';
import { RemoteReads } from './remote-reads.ts';
import { isList, isSingle, Unanswered } from './unanswered.ts';
import { type Parked, Waiting } from './waiting.ts';

export interface RingRouterOptions {
  readonly selfId: string;
  readonly ring: Ring<Member>;
  readonly peers: Peers;
  readonly log: Log;
  readonly tenures: Tenures;
  /** Longest wait for a home, in milliseconds: of a publication here, and of an interest. */
  readonly homeTimeoutMs: number;
  /** Most bytes of publications that wait for their home. */
  readonly maxWaitingBytes: number;
  readonly now: () => number;
}

const UNAVAILABLE: Outcome = Object.freeze({ kind: 'failed', code: 'unavailable' });
const UNKNOWN: Outcome = Object.freeze({ kind: 'failed', code: 'unknown' });

const SWEEP_MS = 100;

/**
 * The router over the ring: a publish goes to the channel's home, which orders it and sends it once to each holder. The
 * home is this node, or one hop away; through a third node only where the direct link is cut.
 */
export class RingRouter implements Router, PeerUser {
  private readonly options: RingRouterOptions;
  private readonly peers: Peers;
  readonly placement: Placement;
  private readonly waiting: Waiting;
  /**
   * What has made its two hops, apart: its sender, who may be this very node, lets nothing overtake it until it is
   * answered. Behind what waits for that answer it would wait for itself.
   */
  private readonly lastHop: Waiting;
  private readonly flights = new Flights();
  private readonly sent = new Unanswered();
  private readonly reads: RemoteReads;
  private home!: Home;
  private holding!: Holding;
  private requests!: PeerRequests;
  private local!: LocalChannels;
  private correlation = 0;
  /** The links are being brought in line with a new ring: who is heard is looked at once they are. */
  private updating = false;
  private timer: NodeJS.Timeout | undefined;
  /** Publications that were not stored, and whose sender asked for no answer. */
  dropped = 0;

  constructor(options: RingRouterOptions) {
    this.options = options;
    this.peers = options.peers;
    this.placement = new Placement(options.selfId, options.peers.hearing, options.ring);
    this.waiting = new Waiting(options.maxWaitingBytes);
    this.lastHop = new Waiting(options.maxWaitingBytes);
    this.reads = new RemoteReads({
      nextCorrelation: () => this.nextCorrelation(),
      timeoutMs: options.homeTimeoutMs,
      now: options.now,
    });
  }

  start(local: LocalChannels): Promise<void> {
    const { peers, options, placement } = this;
    this.local = local;
    this.home = new Home(options.log, local);
    this.holding = new Holding({
      placement,
      peers,
      home: this.home,
      local,
      timeoutMs: options.homeTimeoutMs,
      now: options.now,
    });
    this.requests = new PeerRequests({
      placement,
      home: this.home,
      log: options.log,
      local,
      linkTowards: (id) => this.linkTowards(id),
      route: (publication, dedupe, hops) => this.route(publication, dedupe, hops),
    });
    peers.start(this);
    this.timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.timer.unref();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.peers.stop();
    this.giveUpSent(Number.POSITIVE_INFINITY);
    this.reads.expire(Number.POSITIVE_INFINITY);
    for (const queue of [this.lastHop, this.waiting]) {
      for (const parked of queue.expired(Number.POSITIVE_INFINITY)) this.fail(parked);
    }
  }

  /** The membership has a new ring: links, homes and interests follow it. */
  setRing(ring: Ring<Member>): void {
    // who is new is not heard yet, and is given its time before that counts
    this.updating = true;
    this.peers.setMembers(ring.members);
    this.updating = false;
    this.review(ring);
  }

  /** Another start of this node has its place now: what would be ordered here as well would reach nobody there. */
  abdicate(): void {
    this.placement.abdicate();
    this.home.dropChannels(() => true);
  }

  get ring(): Ring<Member> {
    return this.placement.ring;
  }

  /** Counts for the metrics. */
  get counts(): {
    readonly guests: number;
    readonly relayed: number;
    readonly delivered: number;
    readonly dropped: number;
  } {
    return {
      guests: this.holding.guestCount,
      relayed: this.requests.relayed,
      delivered: this.home.delivered,
      dropped: this.dropped,
    };
  }

  publish(publication: Publication): void {
    this.route(publication, publication.done !== undefined, 0);
  }

  publishMany(
    message: Message,
    channels: readonly string[],
    done?: (outcomes: readonly Outcome[]) => void,
  ): void {
    if (channels.length === 0) {
      done?.([]);
      return;
    }
    const settle = done && gather(channels.length, done);
    const byLink = new Map<Outbound, number[]>();
    for (const [index, channel] of channels.entries()) {
      const place = this.placement.of(channel);
      const link = this.homeLink(place);
      if (
        link?.open &&
        !this.updating &&
        !this.waiting.has(channel) &&
        this.flights.mayGo(channel, link.member.id)
      ) {
        const indexes = byLink.get(link);
        if (indexes) indexes.push(index);
        else byLink.set(link, [index]);
      } else {
        const answer = settle && ((outcome: Outcome): void => settle(index, outcome));
        this.route({ ...message, channel, done: answer }, done !== undefined, 0);
      }
    }
    for (const [link, indexes] of byLink) {
      const names = indexes.map((index) => channels[index] as string);
      this.sendList(
        link,
        message,
        names,
        settle &&
          ((answers) => {
            for (const [i, index] of indexes.entries()) settle(index, answers[i] ?? UNKNOWN);
          }),
      );
    }
  }

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    this.holding.subscribe(channel, sessions, answer);
  }

  resubscribe(channel: string, sessions: number): void {
    this.holding.resubscribe(channel, sessions);
  }

  unsubscribe(channel: string): void {
    this.holding.unsubscribe(channel);
  }

  history(channel: string, since: Position, limit: number): Promise<History> | History {
    const place = this.placement.of(channel);
    if (place.kind === 'self') return this.options.log.read(channel, since, limit);
    return this.reads.read(this.homeLink(place), channel, { since, limit });
  }

  recent(channel: string, count: number): Promise<History> | History {
    const place = this.placement.of(channel);
    if (place.kind === 'self') return this.options.log.tail(channel, count);
    return this.reads.read(this.homeLink(place), channel, { last: count, limit: count });
  }

  kick(channel: string, banSeconds: number): void {
    this.requests.kick(channel, banSeconds, false);
  }

  get congested(): boolean {
    return this.peers.congested;
  }

  onRequest(from: Inbound, record: PeerRecord): void {
    this.requests.handle(from, record);
  }

  onReply(from: Outbound, record: PeerRecord): void {
    switch (record.kind) {
      case KIND.answer:
        this.onAnswer(from, record);
        return;
      case KIND.deliver:
        if (record.correlation === 0) this.holding.onDeliver(from, record);
        else this.reads.onMessage(record);
        return;
      case KIND.control:
        this.onReplyControl(from, record.control);
        return;
      default:
      // requests do not come this way
    }
  }

  onLinkOpen(_link: Outbound): void {
    this.holding.sweep();
    this.pumpAll();
  }

  onLinkDown(link: Outbound): void {
    this.holding.onLinkDown(link);
    this.reads.onLinkDown(link);
    const again: Parked[] = [];
    const failed: Publication[] = [];
    for (const one of this.sent.takeAll(link)) {
      this.flights.landed(one.publication.channel);
      // at most once means never again
      if (one.publication.ephemeral) failed.push(one.publication);
      else again.push({ ...one, sent: true });
    }
    if (again.length + failed.length === 0) return;
    this.waiting.unshift(again);
    for (const publication of failed) publication.done?.(UNKNOWN);
    this.pumpAll();
  }

  onHolderDown(holder: Inbound): void {
    this.home.dropHolder(holder);
  }

  onHearing(): void {
    if (!this.updating) this.review();
  }

  onRelief(): void {
    this.local.relieved();
  }

  private review(ring?: Ring<Member>): void {
    const { selfId, tenures } = this.options;
    const change = this.placement.update(ring);
    const { moved, readmitted } = change;
    if (readmitted) tenures.interrupted();
    else if (moved.size > 0) tenures.gained(moved, selfId);
    if (moved.size > 0) this.home.dropChannels((channel) => this.placement.of(channel).kind !== 'self');
    this.holding.review(change);
    this.pumpAll();
  }

  private route(publication: Publication, dedupe: boolean, hops: number): void {
    const queue = hops > 1 ? this.lastHop : this.waiting;
    const held = queue.size > 0 && queue.has(publication.channel);
    if (!held && this.attempt(publication, dedupe, hops, 0)) return;
    const deadline = this.options.now() + this.options.homeTimeoutMs;
    const parked = { publication, dedupe, hops, sent: false, deadline };
    if (!queue.push(parked)) this.fail(parked);
  }

  /** Hands the publication on, here or to a peer; false when it cannot be now. */
  private attempt(publication: Publication, dedupe: boolean, hops: number, deadline: number): boolean {
    // who is home is known again in a moment: what went astray now could be overtaken by what comes behind it
    if (this.updating) return false;
    const { channel } = publication;
    const place = this.placement.of(channel);
    if (place.kind === 'self') {
      if (hops <= 1 && !this.flights.mayGo(channel, this.options.selfId)) return false;
      this.home.publish(channel, publication, dedupe, publication.done);
      return true;
    }
    // two hops at most: what has made them waits here until this node is home, or is refused
    if (place.kind === 'nowhere' || hops > 1) return false;
    const forwarded = hops === 1;
    const link = this.linkTowards(place.member.id, !forwarded);
    if (!link || !this.flights.mayGo(channel, link.member.id)) return false;
    if (!publication.done) return link.send(encodePublish(channel, publication, dedupe, 0, forwarded));
    const correlation = this.nextCorrelation();
    if (!link.send(encodePublish(channel, publication, dedupe, correlation, forwarded))) return false;
    this.flights.departed(channel, link.member.id);
    const until = deadline || this.options.now() + this.options.homeTimeoutMs;
    this.sent.add(link, correlation, { publication, dedupe, hops, deadline: until });
    return true;
  }

  private homeLink(place: Place): Outbound | undefined {
    return place.kind === 'peer' ? this.peers.get(place.member.id) : undefined;
  }

  /** The link to a peer, or, where that is cut and it may go through a third, to one that hears it. */
  private linkTowards(id: string, mayRelay = true): Outbound | undefined {
    const direct = this.peers.get(id);
    if (direct?.open) return direct;
    const through = mayRelay ? this.peers.hearing.hearerOf(id) : undefined;
    const link = through === undefined ? undefined : this.peers.get(through);
    return link?.open ? link : undefined;
  }

  private sendList(
    link: Outbound,
    message: Message,
    channels: readonly string[],
    done: ((outcomes: readonly Outcome[]) => void) | undefined,
  ): void {
    const correlation = done ? this.nextCorrelation() : 0;
    link.send(encodeList(channels, message, done !== undefined, correlation));
    if (!done) return;
    for (const channel of channels) this.flights.departed(channel, link.member.id);
    const deadline = this.options.now() + this.options.homeTimeoutMs;
    this.sent.add(link, correlation, { message, channels, done, deadline });
  }

  private onReplyControl(from: Outbound, control: Control): void {
    switch (control.t) {
      case 'interested':
        this.holding.onInterested(from, control.correlation, control.start);
        return;
      case 'readEnd':
        this.reads.onEnd(control.correlation, control.start);
        return;
      case 'listed': {
        const item = this.sent.take(from, control.correlation, isList);
        if (!item) return;
        const free = item.channels.filter((channel) => this.flights.landed(channel));
        item.done(control.outcomes.map(outcomeOf));
        if (this.waiting.size > 0) for (const channel of free) this.pump(channel);
        return;
      }
      case 'moved':
        this.holding.onMoved(from, control.channel);
        return;
      case 'kick':
        this.local.kick(control.channel, control.banSeconds);
        return;
      default:
      // of a later version, or not for this side
    }
  }

  private onAnswer(from: Outbound, answer: AnswerRecord): void {
    const item = this.sent.take(from, answer.correlation, isSingle);
    if (!item) return;
    const { publication } = item;
    const free = this.flights.landed(publication.channel);
    publication.done?.(outcomeOf(answer));
    if (answer.code !== undefined && ERRORS[answer.code].retryable) {
      for (const parked of this.waiting.behind(publication)) this.fail(parked);
    }
    if (free && this.waiting.size > 0) this.pump(publication.channel);
  }

  private sweep(): void {
    this.holding.sweep();
    // a peer may wait for the home as long as this node does, and so may whoever it has passed it on to
    const now = this.options.now();
    this.giveUpSent(now - 2 * this.options.homeTimeoutMs);
    this.reads.expire(now);
    for (const queue of [this.lastHop, this.waiting]) {
      if (queue.size === 0) continue;
      for (const parked of queue.expired(this.options.now())) this.fail(parked);
    }
    this.pumpAll();
  }

  /** What was not answered in time, though its link stands, may or may not have been stored. */
  private giveUpSent(deadline: number): void {
    for (const { publication } of this.sent.takeExpired(deadline)) {
      this.flights.landed(publication.channel);
      publication.done?.(UNKNOWN);
    }
  }

  private pumpAll(): void {
    for (const queue of [this.lastHop, this.waiting]) {
      if (queue.size === 0) continue;
      for (const channel of queue.channels()) this.pump(channel, queue);
    }
  }

  private pump(channel: string, queue = this.waiting): void {
    queue.drain(
      channel,
      ({ publication, dedupe, hops, deadline }) =>
        // who asked and is gone asks elsewhere: to store it here as well would be to store it twice
        publication.asker?.open === false || this.attempt(publication, dedupe, hops, deadline),
    );
  }

  private fail({ publication, sent }: Parked): void {
    if (publication.done) publication.done(sent ? UNKNOWN : UNAVAILABLE);
    else this.dropped++;
  }

  private nextCorrelation(): number {
    this.correlation = (this.correlation % 0xffff_fffe) + 1;
    return this.correlation;
  }
}
