import type { Member } from '@ringway/membership';
import { ERRORS } from '@ringway/protocol';
import type { MovedRanges } from '@ringway/ring';
import type { Outbound } from '../peers/outbound.ts';
import type { Peers } from '../peers/peers.ts';
import { type AnswerRecord, type Control, encodeControl, encodeList, encodePublish } from '../peers/wire.ts';
import { Barriers } from './barriers.ts';
import { Flights } from './flights.ts';
import type { Home } from './home.ts';
import { gather, outcomeOf } from './lists.ts';
import type { Placement } from './placement.ts';
import type { Message, Outcome, Publication } from './port.ts';
import { isList, isSingle, Unanswered } from './unanswered.ts';
import { type Parked, Waiting } from './waiting.ts';

export interface PublishingOptions {
  readonly selfId: string;
  readonly placement: Placement;
  readonly peers: Peers;
  readonly home: Home;
  /** Appends of this node's home are answered later: they are in flight as those to a peer are. */
  readonly appendsAreSlow: boolean;
  /** Looked at before this node acts as a home: the process has not stood still, and half of the ring hears it. */
  readonly mayAct: () => boolean;
  readonly nextCorrelation: () => number;
  /** Longest wait of a publication for its home, in milliseconds. */
  readonly homeTimeoutMs: number;
  /** Most bytes of publications that wait for their home. */
  readonly maxWaitingBytes: number;
  /** Something waits that a change of the ring elsewhere may free: look again soon. */
  readonly lookSoon: () => void;
  readonly now: () => number;
}

const UNAVAILABLE: Outcome = Object.freeze({ kind: 'failed', code: 'unavailable' });
const UNKNOWN: Outcome = Object.freeze({ kind: 'failed', code: 'unknown' });

/**
 * The sender's side: brings each publication to its channel's home, which is this node, or one hop away; through a third
 * node only where the direct link is cut. Those of one sender to one channel are at one node at a time, in order (rule 6).
 */
export class Publishing {
  private readonly options: PublishingOptions;
  private readonly waiting: Waiting;
  private readonly flights = new Flights();
  private readonly barriers = new Barriers();
  private readonly sent = new Unanswered();
  /** Channels of which a publication came back from a node that it was forwarded to, and waits. */
  private readonly turnedBack = new Map<string, Outbound>();
  private order = 0;
  private isHeld = false;
  private isSuspended = false;
  /** Publications that were not stored, and whose sender asked for no answer. */
  dropped = 0;

  constructor(options: PublishingOptions) {
    this.options = options;
    this.waiting = new Waiting(options.maxWaitingBytes);
  }

  /** Nothing waits, and nothing is unanswered. */
  get idle(): boolean {
    return this.waiting.size === 0 && this.sent.size === 0;
  }

  /** While the ring is being changed: what went astray now could be overtaken by what comes behind it. */
  hold(): void {
    this.isHeld = true;
  }

  /** The ring has changed. What goes elsewhere from now on waits until what went there before has been placed. */
  review(moved: MovedRanges<Member>): void {
    this.isHeld = false;
    const { peers, nextCorrelation, homeTimeoutMs, now } = this.options;
    const before = new Set<Member>();
    for (const { from } of moved) if (from) before.add(from);
    for (const { id, incarnation } of before) {
      const link = peers.reach(id);
      if (!link?.open || link.member.incarnation !== incarnation) continue;
      const correlation = nextCorrelation();
      link.send(encodeControl({ t: 'sync', correlation }));
      // as long as what is answered is waited for
      this.barriers.raise(correlation, link, moved, now() + 3 * homeTimeoutMs);
    }
    this.pumpAll();
  }

  /**
   * The process stood still, and what is read now may be from before that: it must not be placed behind what its senders have
   * said elsewhere since. Nothing waits until {@link resume}; all of it is refused, for its senders to say it again.
   */
  suspend(): void {
    this.isSuspended = true;
    for (const parked of this.waiting.expired(Number.POSITIVE_INFINITY)) this.fail(parked);
  }

  resume(): void {
    this.isSuspended = false;
  }

  publish(publication: Publication): void {
    this.route(publication, publication.done !== undefined, 0);
  }

  /**
   * One that has made its two hops: placed here, past what waits, for that may be waiting for the answer to it. False, and
   * nothing is done, when this node is not its home.
   */
  placeLast(publication: Publication, dedupe: boolean): boolean {
    return !this.isHeld && this.attempt(publication, dedupe, 2, this.order++, 0);
  }

  /** `hops`: nodes that it has gone through to come here, none or one. */
  route(publication: Publication, dedupe: boolean, hops: 0 | 1): void {
    const held = this.waiting.size > 0 && this.waiting.has(publication.channel);
    const order = this.order++;
    if (!held && this.attempt(publication, dedupe, hops, order, 0)) return;
    const deadline = this.options.now() + this.options.homeTimeoutMs;
    const parked = { publication, dedupe, hops, sent: false, order, deadline };
    if (this.isSuspended || !this.waiting.push(parked)) this.fail(parked);
    else this.options.lookSoon();
  }

  /** One message to many channels: one frame a home. */
  publishMany(
    message: Message,
    channels: readonly string[],
    done?: (outcomes: readonly Outcome[]) => void,
  ): void {
    if (channels.length === 0) {
      done?.([]);
      return;
    }
    const { placement, peers } = this.options;
    const settle = done && gather(channels.length, done);
    const byLink = new Map<Outbound, number[]>();
    for (const [index, channel] of channels.entries()) {
      const place = placement.of(channel);
      const link = place.kind === 'peer' ? peers.reach(place.member.id) : undefined;
      if (
        link?.open &&
        !this.isHeld &&
        !this.waiting.has(channel) &&
        !this.barriers.hold(channel) &&
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

  onAnswer(from: Outbound, answer: AnswerRecord): void {
    const item = this.sent.take(from, answer.correlation, isSingle);
    if (!item) return;
    const { publication } = item;
    const free = this.flights.landed(publication.channel);
    if (answer.code === 'not_home') {
      // of two that see two rings one is behind: it reads again, and this finds its way then
      this.waiting.putBack([{ ...item, sent: false }]);
      this.turnedBack.set(publication.channel, from);
      this.options.lookSoon();
      return;
    }
    const outcome = outcomeOf(answer);
    publication.done?.(outcome);
    this.failBehind(item, outcome);
    if (free && this.waiting.size > 0) this.pump(publication.channel);
  }

  onListed(from: Outbound, { correlation, outcomes }: Extract<Control, { t: 'listed' }>): void {
    const item = this.sent.take(from, correlation, isList);
    if (!item) return;
    const free = item.channels.filter((channel) => this.flights.landed(channel));
    item.done(outcomes.map(outcomeOf));
    if (this.waiting.size > 0) for (const channel of free) this.pump(channel);
  }

  onSynced(from: Outbound, correlation: number): void {
    if (this.barriers.lift(from, correlation)) this.pumpAll();
  }

  onLinkDown(link: Outbound): void {
    this.barriers.onLinkDown(link);
    for (const [channel, by] of this.turnedBack) if (by === link) this.turnedBack.delete(channel);
    const again: Parked[] = [];
    const failed: Publication[] = [];
    for (const one of this.sent.takeAll(link)) {
      this.flights.landed(one.publication.channel);
      // at most once means never again; and without its sender's id it would be stored again
      if (one.publication.ephemeral || !one.dedupe) failed.push(one.publication);
      else again.push({ ...one, sent: true });
    }
    this.waiting.putBack(again);
    for (const publication of failed) publication.done?.(UNKNOWN);
    this.pumpAll();
  }

  /** Gives up what has waited too long, and looks again at the rest. */
  sweep(): void {
    const now = this.options.now();
    // a peer may wait for the home as long as this node does, and so may whoever it has passed it on to
    this.giveUpSent(now - 2 * this.options.homeTimeoutMs);
    this.barriers.expire(now);
    this.forgetTurnedBack();
    if (this.waiting.size === 0) return;
    for (const parked of this.waiting.expired(now)) this.fail(parked);
    this.pumpAll();
  }

  stop(): void {
    this.giveUpSent(Number.POSITIVE_INFINITY);
    for (const parked of this.waiting.expired(Number.POSITIVE_INFINITY)) this.fail(parked);
  }

  pumpAll(): void {
    if (this.waiting.size === 0) return;
    for (const channel of this.waiting.channels()) this.pump(channel);
  }

  /** The link to a peer, or, where that is cut and it may go through a third, to one that hears it. */
  linkTowards(id: string, mayRelay = true): Outbound | undefined {
    const { peers } = this.options;
    // the home may be one that has left the ring
    const direct = peers.reach(id);
    if (direct?.open) return direct;
    const through = mayRelay ? peers.hearing.hearerOf(id) : undefined;
    const link = through === undefined ? undefined : peers.get(through);
    return link?.open ? link : undefined;
  }

  /** Hands the publication on, here or to a peer; false when it cannot be now. */
  private attempt(
    publication: Publication,
    dedupe: boolean,
    hops: number,
    order: number,
    deadline: number,
  ): boolean {
    if (this.isHeld || this.isSuspended) return false;
    const { channel } = publication;
    const place = this.options.placement.of(channel);
    if (place.kind === 'nowhere' || (hops === 0 && this.barriers.hold(channel))) return false;
    if (place.kind === 'self') return this.attemptHere(publication, dedupe, hops);
    // two hops at most
    if (hops > 1) return false;
    const link = this.linkTowards(place.member.id, hops === 0);
    if (!link || !this.flights.mayGo(channel, link.member.id)) return false;
    const forwarded = hops === 1;
    // what takes another way than the straight one is counted, so that nothing that goes straight overtakes it
    if (!publication.done && !forwarded && link.member.id === place.member.id) {
      return link.send(encodePublish(channel, publication, dedupe, 0, false));
    }
    const again = this.turnedBack.size > 0 && this.turnedBack.get(channel) === link;
    // what is behind the one that came back is to come back, too
    if (again && this.flights.has(channel)) return false;
    const correlation = this.options.nextCorrelation();
    if (!link.send(encodePublish(channel, publication, dedupe, correlation, forwarded, again))) return false;
    if (again) this.turnedBack.delete(channel);
    this.flights.departed(channel, link.member.id);
    const until = deadline || this.options.now() + this.options.homeTimeoutMs;
    this.sent.add(link, correlation, { publication, dedupe, hops, order, sent: true, deadline: until });
    return true;
  }

  private attemptHere(publication: Publication, dedupe: boolean, hops: number): boolean {
    const { selfId, home, appendsAreSlow, mayAct } = this.options;
    const { channel } = publication;
    if (!mayAct()) return false;
    if (hops <= 1 && !this.flights.mayGo(channel, selfId)) return false;
    if (!appendsAreSlow || publication.ephemeral) {
      home.publish(channel, publication, dedupe, publication.done);
      return true;
    }
    this.flights.departed(channel, selfId);
    home.publish(channel, publication, dedupe, (outcome) => {
      const free = this.flights.landed(channel);
      if (publication.done) publication.done(outcome);
      else if (outcome.kind === 'failed') this.dropped++;
      this.failBehind({ publication, dedupe }, outcome);
      if (free && this.waiting.size > 0) this.pump(channel);
    });
    return true;
  }

  private sendList(
    link: Outbound,
    message: Message,
    channels: readonly string[],
    done: ((outcomes: readonly Outcome[]) => void) | undefined,
  ): void {
    const correlation = done ? this.options.nextCorrelation() : 0;
    link.send(encodeList(channels, message, done !== undefined, correlation));
    if (!done) return;
    for (const channel of channels) this.flights.departed(channel, link.member.id);
    const deadline = this.options.now() + this.options.homeTimeoutMs;
    this.sent.add(link, correlation, { message, channels, done, order: this.order++, deadline });
  }

  /** What was not answered in time, though its link stands, may or may not have been stored. */
  private giveUpSent(deadline: number): void {
    for (const { publication } of this.sent.takeExpired(deadline)) {
      this.flights.landed(publication.channel);
      publication.done?.(UNKNOWN);
    }
  }

  private pump(channel: string): void {
    this.waiting.drain(
      channel,
      ({ publication, dedupe, hops, order, deadline }) =>
        // who asked and is gone asks elsewhere: to store it here as well would be to store it twice
        publication.asker?.open === false || this.attempt(publication, dedupe, hops, order, deadline),
    );
  }

  /** What waits behind one that its sender will say again would overtake it. */
  private failBehind(refused: Pick<Parked, 'publication' | 'dedupe'>, outcome: Outcome): void {
    if (outcome.kind !== 'failed' || !ERRORS[outcome.code].retryable) return;
    for (const parked of this.waiting.behind(refused)) this.fail(parked);
  }

  /**
   * What came back has gone elsewhere meanwhile, or was given up. The node that it came from still remembers the channel, so
   * that the next one comes back, too, and goes again.
   */
  private forgetTurnedBack(): void {
    for (const channel of this.turnedBack.keys())
      if (!this.waiting.has(channel) && !this.flights.has(channel)) this.turnedBack.delete(channel);
  }

  private fail({ publication, sent }: Parked): void {
    if (publication.done) publication.done(sent ? UNKNOWN : UNAVAILABLE);
    else this.dropped++;
  }
}
