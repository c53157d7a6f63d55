import type { Member } from '@ringway/membership';
import type { Position } from '@ringway/protocol';
import type { Ring } from '@ringway/ring';
import { every } from '@ringway/service';
import type { Log } from '../log/port.ts';
import type { Tenures } from '../log/tenures.ts';
import type { Inbound } from '../peers/inbound.ts';
import type { Outbound } from '../peers/outbound.ts';
import type { Peers, PeerUser } from '../peers/peers.ts';
import { type Control, KIND, type PeerRecord } from '../peers/wire.ts';
import { Histories } from './histories.ts';
import { Holding } from './holding.ts';
import { Home } from './home.ts';
import { LogChecks } from './log-checks.ts';
import { PeerRequests } from './peer-requests.ts';
import { Placement } from './placement.ts';
import type {
  History,
  LocalChannels,
  Message,
  Outcome,
  Publication,
  Router,
  SubscribeAnswer,
} from './port.ts';
import { type PresenceSettings, RingPresence } from './presence/ring-presence.ts';
import { Publishing } from './publishing.ts';
import { ReadRequests } from './read-requests.ts';
import { Release } from './release.ts';
import { RemoteReads } from './remote-reads.ts';

export interface RingRouterOptions {
  readonly selfId: string;
  /** Names this start of the node. */
  readonly incarnation: string;
  readonly ring: Ring<Member>;
  readonly peers: Peers;
  readonly log: Log;
  readonly tenures: Tenures;
  /** Longest wait for a home, in milliseconds: of a publication here, and of an interest. */
  readonly homeTimeoutMs: number;
  readonly presence: PresenceSettings;
  /** Most bytes of publications that wait for their home. */
  readonly maxWaitingBytes: number;
  readonly now: () => number;
  /** Looked at before this node acts as a home; false when the process has stood still. */
  readonly awake: () => boolean;
  /** This start of a peer says itself that it is leaving, which its registry may not know. */
  readonly onLeaving?: (nodeId: string, incarnation: string) => void;
}

const SWEEP_MS = 100;
/** What waits for another node to see the ring that this one sees is looked at again so soon. */
const SOON_MS = 10;
const CHECK_MS = 1_000;

/**
 * The router over the ring: a publish goes to the channel's home, which orders it and sends it once to each holder. Made
 * of the sender's side ({@link Publishing}), the home's ({@link Home}, for peers {@link PeerRequests}) and the holder's
 * ({@link Holding}); who is home is {@link Placement}'s to say.
 */
export class RingRouter implements Router, PeerUser {
  private readonly options: RingRouterOptions;
  private readonly peers: Peers;
  readonly placement: Placement;
  readonly presence: RingPresence;
  private readonly reads: RemoteReads;
  private readonly readRequests: ReadRequests;
  private readonly histories: Histories;
  private readonly release: Release;
  /** Undefined before the start, as the five that follow. */
  private publishing!: Publishing;
  private home!: Home;
  private holding!: Holding;
  private logChecks!: LogChecks;
  private requests!: PeerRequests;
  private local!: LocalChannels;
  private correlation = 0;
  /** The links are being brought in line with a new ring: who is heard is looked at once they are. */
  private updating = false;
  private timers: (() => void)[] = [];
  private soon: NodeJS.Timeout | undefined;

  constructor(options: RingRouterOptions) {
    const { selfId, incarnation, peers, ring, log, homeTimeoutMs, now } = options;
    this.options = options;
    this.peers = peers;
    this.placement = new Placement(selfId, peers.hearing, ring, (member) => peers.disagrees(member));
    this.reads = new RemoteReads({
      nextCorrelation: () => this.nextCorrelation(),
      timeoutMs: homeTimeoutMs,
      now,
    });
    // in less time than the reader waits, so that it goes on with what is there
    this.readRequests = new ReadRequests(log, this.placement, homeTimeoutMs / 2, now);
    const { placement, reads } = this;
    this.histories = new Histories({ selfId, incarnation, log, placement, peers, reads });
    this.presence = new RingPresence({
      selfId,
      incarnation,
      placement,
      peers,
      nextCorrelation: () => this.nextCorrelation(),
      mayAct: () => this.mayAct(),
      homeTimeoutMs,
      ...options.presence,
      now,
    });
    this.release = new Release({
      links: () => peers.links(),
      nextCorrelation: () => this.nextCorrelation(),
      stays: (id) => placement.ring.has(id) && (placement.ring.size > 1 || placement.ring.has(selfId)),
      settled: () => this.holding.looseCount === 0 && this.local.reading === 0 && this.publishing.idle,
      lastReadAt: () => this.readRequests.lastPastAt,
      patienceMs: homeTimeoutMs,
      now,
    });
  }

  start(local: LocalChannels): Promise<void> {
    const { peers, options, placement } = this;
    const { selfId, log, homeTimeoutMs, maxWaitingBytes, now } = options;
    this.local = local;
    const { presence } = this;
    const home = new Home(log, local, (channel) => presence.onAudience(channel));
    this.home = home;
    presence.start(home, local);
    this.logChecks = new LogChecks(home, placement, local);
    this.holding = new Holding({ placement, peers, home, local, timeoutMs: homeTimeoutMs, now });
    const publishing = new Publishing({
      selfId,
      placement,
      peers,
      home,
      appendsAreSlow: log.shared,
      mayAct: () => this.mayAct(),
      nextCorrelation: () => this.nextCorrelation(),
      homeTimeoutMs,
      maxWaitingBytes,
      lookSoon: () => this.lookSoon(),
      now,
    });
    this.publishing = publishing;
    this.requests = new PeerRequests({
      placement,
      home,
      reads: this.readRequests,
      local,
      release: (from, correlation) => {
        options.onLeaving?.(from.nodeId, from.incarnation);
        this.release.onRelease(from, correlation);
        // it is waited for: not only when the next sweep comes
        this.lookSoon();
      },
      linkTowards: (id) => publishing.linkTowards(id),
      route: (publication, dedupe, hops) => publishing.route(publication, dedupe, hops),
      placeLast: (publication, dedupe) => publishing.placeLast(publication, dedupe),
      presence: (from, control) => presence.onRequest(from, control),
      lost: () => {
        publishing.dropped++;
      },
    });
    peers.start(this);
    this.timers = [every(SWEEP_MS, () => this.sweep()), every(CHECK_MS, () => this.check())];
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const stop of this.timers) stop();
    clearTimeout(this.soon);
    this.presence.stop();
    await this.peers.stop();
    this.reads.expire(Number.POSITIVE_INFINITY);
    // it may never have been started
    this.publishing?.stop();
  }

  /** The membership has a new ring: links, homes and interests follow it. */
  setRing(ring: Ring<Member>): void {
    // who is new is not heard yet, and is given its time before that counts
    this.updating = true;
    this.publishing.hold();
    this.peers.setMembers(ring.members);
    this.updating = false;
    this.review(ring);
  }

  /** Another start of this node has its place now: what would be ordered here as well would reach nobody there. */
  abdicate(): void {
    this.placement.abdicate();
    this.presence.review();
    this.home.dropChannels(() => true);
  }

  /**
   * The process stood still. To everyone else that was a crash, and so it is taken here (rule 4): nothing that waited is
   * read, links begin anew, and this node is home of nothing until {@link resume}.
   */
  suspend(): void {
    this.placement.suspend();
    this.updating = true;
    this.peers.reset();
    this.updating = false;
    this.publishing.suspend();
    this.review();
  }

  /** The ring is known again. */
  resume(): void {
    this.placement.resume();
    this.publishing.resume();
    this.review();
  }

  /** Whether at least half of the ring sees the ring that this node sees. */
  get agreed(): boolean {
    return this.peers.agreed;
  }

  get ring(): Ring<Member> {
    return this.placement.ring;
  }

  /** Counts for the metrics. */
  get counts(): {
    readonly guests: number;
    readonly standbys: number;
    readonly relayed: number;
    readonly delivered: number;
    readonly dropped: number;
  } {
    return {
      guests: this.holding.guestCount,
      standbys: this.home.standbyCount,
      relayed: this.requests.relayed,
      delivered: this.home.delivered,
      dropped: this.publishing.dropped,
    };
  }

  /** Whether all that this node was home of is in other hands. To be asked again and again once it has left the ring. */
  get channelsClosed(): boolean {
    const { selfId, incarnation } = this.options;
    const own = this.ring.member(selfId);
    // never started, replaced, or nobody is there to take them
    if (!this.publishing || (own && own.incarnation !== incarnation)) return true;
    if (!this.ring.members.some(({ id }) => id !== selfId)) return true;
    return own === undefined && this.release.released;
  }

  publish(publication: Publication): void {
    this.publishing.publish(publication);
  }

  publishMany(
    message: Message,
    channels: readonly string[],
    done?: (outcomes: readonly Outcome[]) => void,
  ): void {
    this.publishing.publishMany(message, channels, done);
  }

  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void {
    const settled = (): void => this.presence.onAudience(channel);
    this.holding.subscribe(channel, sessions, {
      accepted: (start) => {
        answer.accepted(start);
        settled();
      },
      failed: () => {
        answer.failed();
        settled();
      },
    });
    if (this.holding.looseCount > 0) this.lookSoon();
  }

  resubscribe(channel: string, sessions: number): void {
    this.holding.resubscribe(channel, sessions);
    this.presence.onAudience(channel);
  }

  unsubscribe(channel: string): void {
    this.holding.unsubscribe(channel);
    this.presence.onAudience(channel);
  }

  history(channel: string, since: Position, limit: number, claimed?: 'claimed'): Promise<History> | History {
    return this.histories.after(channel, since, limit, claimed);
  }

  recent(channel: string, count: number): Promise<History> | History {
    return this.histories.last(channel, count);
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
        this.publishing.onAnswer(from, record);
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
    this.holding.onLinkOpen();
    this.holding.sweep();
    this.publishing.pumpAll();
  }

  onLinkDown(link: Outbound): void {
    this.holding.onLinkDown(link);
    this.reads.onLinkDown(link);
    this.publishing.onLinkDown(link);
    this.presence.onLinkDown(link);
    if (!this.updating) this.takeHandedOver();
    this.release.onLinkDown(link);
  }

  onHolderDown(holder: Inbound): void {
    this.home.dropHolder(holder);
    this.presence.onHolderDown(holder);
  }

  onHearing(): void {
    if (!this.updating) this.review();
  }

  onRingTold(): void {
    if (!this.updating) this.takeHandedOver();
  }

  onRelief(): void {
    this.local.relieved();
  }

  /** What other homes have let go of is this node's now. */
  private takeHandedOver(): void {
    for (const moved of this.placement.takeHandedOver()) {
      this.home.takeOver((channel) => this.placement.of(channel).kind === 'self');
      this.readRequests.review();
      this.holding.review({ moved, readmitted: false });
      this.publishing.review(moved);
      this.presence.review({ moved, readmitted: false });
    }
  }

  private review(ring?: Ring<Member>): void {
    const { selfId, tenures } = this.options;
    const change = this.placement.update(ring);
    const { moved, readmitted } = change;
    if (readmitted) tenures.interrupted();
    else if (moved.size > 0) tenures.changed(moved, selfId);
    if (moved.size > 0) this.home.dropChannels((channel) => this.placement.of(channel).kind !== 'self');
    this.home.takeOver((channel) => this.placement.of(channel).kind === 'self');
    this.readRequests.review();
    this.holding.review(change);
    this.publishing.review(moved);
    this.presence.review(change);
    if (this.ring.has(selfId)) this.release.cancel();
    this.release.review();
    this.takeHandedOver();
    if (this.holding.looseCount > 0) this.lookSoon();
  }

  private onReplyControl(from: Outbound, control: Control): void {
    switch (control.t) {
      case 'interested':
        this.holding.onInterested(from, control);
        if (this.holding.looseCount > 0) this.lookSoon();
        return;
      case 'readEnd':
        this.reads.onEnd(control);
        return;
      case 'listed':
        this.publishing.onListed(from, control);
        return;
      case 'synced':
        this.publishing.onSynced(from, control.correlation);
        return;
      case 'released':
        this.release.onReleased(from, control.correlation);
        return;
      case 'moved':
        this.holding.onMoved(from, control.channel);
        this.lookSoon();
        return;
      case 'checked':
        this.holding.onChecked(from, control);
        return;
      case 'kick':
        this.local.kick(control.channel, control.banSeconds);
        return;
      default:
        this.presence.onReply(from, control);
    }
  }

  private sweep(): void {
    this.holding.sweep();
    this.readRequests.review();
    this.reads.expire(this.options.now());
    this.publishing.sweep();
    this.presence.sweep();
    this.release.review();
  }

  /** Not before the turn has ended, and not at every call: what could not be done now is tried again. */
  private lookSoon(): void {
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.sweep();
    }, SOON_MS).unref();
  }

  private check(): void {
    this.holding.check();
    if (this.options.log.shared) this.logChecks.round();
  }

  /** Whether this node may act as a home at all: the process has not stood still, and half of the ring hears it. */
  private mayAct(): boolean {
    return this.options.awake() && this.peers.heard;
  }

  private nextCorrelation(): number {
    this.correlation = (this.correlation % 0xffff_fffe) + 1;
    return this.correlation;
  }
}
