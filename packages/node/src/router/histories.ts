import { type Position, samePosition } from '@ringway/protocol';
import type { Log, Neighbours, OwnLog } from '../log/port.ts';
import { incarnationOf } from '../log/tenures.ts';
import type { Peers } from '../peers/peers.ts';
import type { Placement } from './placement.ts';
import type { Delivery, History } from './port.ts';
import { HomeUnreadableError, type RemoteHistory, type RemoteReads } from './remote-reads.ts';

/** What is read about histories of channels, and where. */
export interface HistoriesOptions {
  readonly selfId: string;
  readonly incarnation: string;
  readonly log: Log;
  readonly placement: Placement;
  readonly peers: Peers;
  readonly reads: RemoteReads;
}

/** Within so long two nodes see one change of the ring. */
const SEEN_WITHIN_MS = 5_000;

/** So many epochs are followed in one read. */
const MOST_EPOCHS = 8;

/**
 * Reads what a channel holds, wherever that is. With a shared log it is there. With a log that each home keeps for itself
 * it may be spread over its homes: a reader takes the epoch that it is in to its end, from the node whose it is, and goes
 * on in the epoch that followed. Where the chain is broken (a home has died) there is a gap.
 */
export class Histories {
  private readonly options: HistoriesOptions;

  constructor(options: HistoriesOptions) {
    this.options = options;
  }

  after(channel: string, since: Position, limit: number, claimed?: 'claimed'): History | Promise<History> {
    const { log, placement } = this.options;
    if (log.shared) return log.read(channel, since, limit, claimed);
    // most reads: the home is here, and so is what is asked for
    if (placement.of(channel).kind === 'self' && log.head(channel).epoch === since.epoch) {
      return log.read(channel, since, limit);
    }
    return this.along(log, channel, since, limit);
  }

  last(channel: string, count: number): History | Promise<History> {
    const { log, placement, peers, reads } = this.options;
    const place = placement.of(channel);
    if (log.shared || place.kind === 'self') return log.tail(channel, count);
    const link = place.kind === 'peer' ? peers.reach(place.member.id) : undefined;
    return reads.read(link, channel, { last: count, limit: count });
  }

  /**
   * From epoch to epoch, until there are messages, or the present one has been asked. The way goes by who says that its
   * epoch is over and who was next, and by who says whom it follows: only where both fit has nothing come between.
   */
  private async along(log: OwnLog, channel: string, since: Position, limit: number): Promise<History> {
    let at = since;
    /** The node whose epoch ended at `at`. */
    let closedBy: string | undefined;
    /** The node to be asked for its past next. */
    let past = this.authorOf(since);
    for (let i = 0; i < MOST_EPOCHS && past !== undefined; i++) {
      const read = await this.past(log, past, channel, { since: at, limit, closedBy });
      if (!read || !samePosition(read.start, at)) break;
      if (read.messages.length > 0) return beginningAt(since, read);
      at = read.end;
      closedBy = past;
      past = read.next;
      if (past !== this.homeOf(channel)) continue;
      const home = await this.present(log, channel, { since: at, limit, closedBy });
      if (samePosition(home.start, at)) return beginningAt(since, home);
      // it has seen two changes of the ring as one, and takes whom the closing node followed for whom it follows itself
      if (home.follows === undefined || home.follows !== read.follows || !atOneTime(home, read)) break;
      const again = await this.present(log, channel, { since: at, limit, closedBy: home.follows });
      if (samePosition(again.start, at)) return beginningAt(since, again);
      break;
    }
    return this.present(log, channel, { since, limit, closedBy: undefined });
  }

  private homeOf(channel: string): string | undefined {
    const place = this.options.placement.of(channel);
    if (place.kind === 'self') return this.options.selfId;
    return place.kind === 'peer' ? place.member.id : undefined;
  }

  /** The node, other than the home, that the epoch of a position belongs to. */
  private authorOf(since: Position): string | undefined {
    const { selfId, incarnation, peers } = this.options;
    const author = incarnationOf(since.epoch);
    return author === incarnation ? selfId : peers.ofIncarnation(author)?.member.id;
  }

  /** What a node that is not the home any more has kept; undefined where it cannot be asked, or is home. */
  private async past(
    log: OwnLog,
    nodeId: string,
    channel: string,
    { since, limit, closedBy }: Question,
  ): Promise<RemoteHistory | undefined> {
    const { selfId, placement, peers, reads } = this.options;
    if (nodeId === selfId) {
      if (placement.of(channel).kind !== 'peer') return undefined;
      return { ...log.neighbours(channel), ...log.read(channel, since, limit, closedBy) };
    }
    const place = placement.of(channel);
    if (place.kind === 'peer' && place.member.id === nodeId) return undefined;
    const wanted = { since, limit, past: true, ...(closedBy === undefined ? {} : { closedBy }) };
    return reads.read(peers.reach(nodeId), channel, wanted).catch(() => undefined);
  }

  private present(
    log: OwnLog,
    channel: string,
    { since, limit, closedBy }: Question,
  ): Promise<RemoteHistory> | RemoteHistory {
    const { placement, peers, reads } = this.options;
    const place = placement.of(channel);
    if (place.kind === 'self') {
      return { ...log.neighbours(channel), ...log.read(channel, since, limit, closedBy) };
    }
    if (place.kind === 'nowhere') throw new HomeUnreadableError('no home can be reached');
    const wanted = { since, limit, ...(closedBy === undefined ? {} : { closedBy }) };
    return reads.read(peers.reach(place.member.id), channel, wanted);
  }
}

interface Question {
  readonly since: Position;
  readonly limit: number;
  readonly closedBy: string | undefined;
}

/** Whether one epoch began when the other ended, as far as two nodes see a change of the ring at one time. */
function atOneTime(began: Neighbours, ended: Neighbours): boolean {
  if (began.forMs === undefined || ended.forMs === undefined) return false;
  return Math.abs(began.forMs - ended.forMs) < SEEN_WITHIN_MS;
}

/** The same history for a reader who is at a position that is the same place as its start, in an epoch before. */
function beginningAt(start: Position, { messages, end }: History): History {
  const [first, ...rest] = messages;
  const begun: readonly Delivery[] = first ? [{ ...first, previous: start }, ...rest] : [];
  return { start, messages: begun, end };
}
