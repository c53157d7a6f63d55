import type { Position } from '@ringway/protocol';
import type { Log, LoggedMessage, LogRead } from '../log/port.ts';
import { encodeControl, encodeDeliver } from '../peers/wire.ts';
import type { LocalChannels, Message, Outcome } from './port.ts';
import { pageOf } from './remote-reads.ts';
import { whenever } from './whenever.ts';

/** A node with subscribers of a channel, as its home reaches it: by the link on which it said so. */
export interface Holder {
  /** The link stands. Once it does not, its interest is dropped, and none must come behind that. */
  readonly open: boolean;
  send(record: string): void;
}

/** So many characters of a backlog a holder is sent unasked: more at once could be more than its link may hold. */
const BACKLOG_LENGTH = 64 * 1024;

const FAILED_UNKNOWN: Outcome = Object.freeze({ kind: 'failed', code: 'unknown' });
const FAILED_CONFLICT: Outcome = Object.freeze({ kind: 'failed', code: 'id_conflict' });

/** What a node does for the channels that it is home of: orders them, and knows which other nodes hold subscribers. */
export class Home {
  private readonly log: Log;
  private readonly local: LocalChannels;
  /** Channel -> holder -> its sessions. Local sessions are not in it: the hub knows them. */
  private readonly interests = new Map<string, Map<Holder, number>>();
  /** Frames sent to holders, one each for a message however many sessions are there. */
  delivered = 0;

  constructor(log: Log, local: LocalChannels) {
    this.log = log;
    this.local = local;
  }

  /** Gives the message its place and sends it once to each holder. */
  publish(channel: string, message: Message, dedupe: boolean, done?: (outcome: Outcome) => void): void {
    if (message.ephemeral) {
      const reached = this.spread(channel, message, undefined);
      done?.({ kind: 'published', reached, position: undefined, duplicate: false });
      return;
    }
    const { from, id, data } = message;
    whenever(
      this.log.append(channel, { from, id, data, dedupe }),
      (appended) => {
        switch (appended.kind) {
          case 'appended': {
            const reached = this.spread(channel, message, appended.message);
            done?.({ kind: 'published', reached, position: appended.message.position, duplicate: false });
            return;
          }
          case 'duplicate':
            done?.({ kind: 'published', reached: 0, position: appended.position, duplicate: true });
            return;
          case 'conflict':
            done?.(FAILED_CONFLICT);
        }
      },
      () => done?.(FAILED_UNKNOWN),
    );
  }

  /** The position of the channel's last message. */
  head(channel: string): Position | Promise<Position> {
    return this.log.head(channel);
  }

  /** What the log holds after a position; without one, nothing but where the channel stands. */
  history(channel: string, since: Position | undefined): LogRead | Promise<LogRead> {
    if (since) return this.log.read(channel, since, Number.MAX_SAFE_INTEGER);
    const head = this.log.head(channel);
    if (head instanceof Promise) return head.then((start) => ({ start, messages: [], end: start }));
    return { start: head, messages: [], end: head };
  }

  /**
   * A holder takes the channel from a position on. `accepted` gets the position from which its stream begins; what the
   * log holds behind it follows at once (of much of it, the beginning and the newest), then what comes.
   */
  register(
    holder: Holder,
    channel: string,
    sessions: number,
    since: Position | undefined,
    accepted: (start: Position) => void,
    failed: () => void,
  ): void {
    whenever(
      this.history(channel, since),
      (read) => {
        if (!holder.open) return;
        let holders = this.interests.get(channel);
        if (!holders) {
          holders = new Map();
          this.interests.set(channel, holders);
        }
        holders.set(holder, sessions);
        accepted(read.start);
        const { messages } = read;
        const page = pageOf(messages, messages.length, BACKLOG_LENGTH);
        // of a long backlog the newest comes at once: before it the holder sees a hole, and reads that page by page
        const newest = page.length < messages.length ? messages.slice(-1) : [];
        for (const message of [...page, ...newest])
          holder.send(encodeDeliver({ ...message, correlation: 0, channel }));
      },
      failed,
    );
  }

  /** A holder has more or fewer sessions now; with none, or after a change of home, it is no holder any more. */
  setSessions(holder: Holder, channel: string, sessions: number): void {
    const holders = this.interests.get(channel);
    if (!holders?.has(holder)) return;
    if (sessions > 0) holders.set(holder, sessions);
    else if (holders.delete(holder) && holders.size === 0) this.interests.delete(channel);
  }

  /** The link to a holder is gone, and all its interest with it. */
  dropHolder(holder: Holder): void {
    for (const [channel, holders] of this.interests) {
      if (holders.delete(holder) && holders.size === 0) this.interests.delete(channel);
    }
  }

  /**
   * Channels that this node is not the home of any more. Their holders are told, for they may not see what this node
   * sees, or no longer by the time that they look: who did not know would wait for messages that nobody sends it.
   */
  dropChannels(moved: (channel: string) => boolean): void {
    for (const [channel, holders] of this.interests) {
      if (!moved(channel)) continue;
      this.interests.delete(channel);
      const record = encodeControl({ t: 'moved', channel });
      for (const holder of holders.keys()) holder.send(record);
    }
  }

  holdersOf(channel: string): Iterable<Holder> {
    return this.interests.get(channel)?.keys() ?? [];
  }

  private spread(channel: string, message: Message, logged: LoggedMessage | undefined): number {
    let reached = this.local.deliver(channel, logged ?? message, 'here');
    const holders = this.interests.get(channel);
    if (!holders) return reached;
    const { from, id, data } = message;
    const { position, previous } = logged ?? {};
    const record = encodeDeliver({ correlation: 0, channel, from, id, data, position, previous });
    for (const [holder, sessions] of holders) {
      holder.send(record);
      this.delivered++;
      reached += sessions;
    }
    return reached;
  }
}
