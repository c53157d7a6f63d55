import { type PresenceState, type StreamedState, userChannel } from '@ringway/protocol';
import { ClosedError, PushError } from './errors.ts';
import { checkedUser } from './groups.ts';
import type { Homes } from './homes.ts';
import { MemberStream } from './member-stream.ts';
import { duration } from './options.ts';
import type { NodeTokens, PushMember, PushRing } from './port.ts';
import type { PresenceCalls } from './presence.ts';
import type { Transport } from './transport.ts';

export interface PresenceWatchOptions {
  /** Whom to watch; everybody when left out. */
  readonly users?: readonly string[];
  /**
   * How long a user of whom nothing is known, since a node has ended or the ring has changed, may be on the way before the
   * cluster is asked, milliseconds: the cluster's own RINGWAY_PRESENCE_DEBOUNCE. Default 5000.
   */
  readonly debounceMs?: number;
}

/** A user has come or gone. */
export interface PresenceChange extends PresenceState {
  /** It was so when the watch began. */
  readonly initial: boolean;
}

/** A watch that is under way. */
export interface PresenceWatch {
  /**
   * Resolves when all nodes that answer have told who is online; those users were handed out by then. Rejects when the nodes
   * refuse for good, or the watch is closed before.
   */
  readonly ready: Promise<void>;
  /** Ends it; nothing is told any more. May be called twice. */
  close(): Promise<void>;
}

export interface PresenceWatcherInit extends PresenceWatchOptions {
  readonly homes: Homes;
  readonly tokens: NodeTokens;
  readonly transport: Transport;
  readonly calls: PresenceCalls;
  readonly random: () => number;
  readonly listener: (change: PresenceChange) => void;
}

/** A user who was told as online. */
interface Online {
  /** The node that said so, or would say that the user has gone. */
  readonly by: string;
  /** When to ask, since nobody may tell; by the monotonic clock, milliseconds. */
  askAt: number | undefined;
}

const LOOK_MS = 200;
/** As many users are named in a stream's URL, and as many characters; beyond that all are followed, and sorted out here. */
const MOST_NAMED = 100;
const MOST_QUERY = 4_000;

/**
 * Follows the streams of all nodes, and makes of them one word for each real change: what two nodes say of a user who moves
 * from one home to another is told once, and of whom a node's end leaves in doubt the cluster is asked.
 */
export class PresenceWatcher implements PresenceWatch {
  readonly ready: Promise<void>;
  readonly #init: PresenceWatcherInit;
  readonly #debounceMs: number;
  readonly #users: ReadonlySet<string> | undefined;
  readonly #query: string;
  readonly #streams = new Map<string, MemberStream>();
  readonly #online = new Map<string, Online>();
  readonly #ready = Promise.withResolvers<void>();
  /** Nodes that have not been heard of yet, of those of the first ring; undefined before there was one. */
  #waiting: Set<string> | undefined;
  #isReady = false;
  #ring: PushRing | undefined;
  #asking = false;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  /** @throws PushError */
  constructor(init: PresenceWatcherInit) {
    const { users, debounceMs = 5_000 } = init;
    for (const userId of users ?? []) checkedUser(userId);
    this.#init = init;
    this.#debounceMs = duration('debounceMs', debounceMs);
    this.#users = users && new Set(users);
    this.#query = queryOf(this.#users);
    this.ready = this.#ready.promise;
    // who does not wait for it is not to be ended by it
    this.ready.catch(() => {});
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#ready.reject(new ClosedError('the watch was closed'));
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
  }

  /** Follows the ring, and asks where that is due. */
  #look(): void {
    const ring = this.#init.homes.ring();
    if (!(ring instanceof PushError) && ring !== this.#ring) this.#follow(ring);
    void this.#askDue();
  }

  #follow(ring: PushRing): void {
    const before = this.#ring;
    this.#ring = ring;
    const members = new Map(ring.owners('any', ring.size).map((member) => [member.id, member]));
    for (const [id, stream] of this.#streams) {
      const member = members.get(id);
      if (member?.internalUrl === stream.member.internalUrl) continue;
      this.#streams.delete(id);
      void stream.close();
      this.#heardOf(id);
      this.#doubt((user) => user.by === id);
    }
    this.#waiting ??= new Set(members.keys());
    for (const [id, member] of members) if (!this.#streams.has(id)) this.#streams.set(id, this.#open(member));
    if (before && before.checksum !== ring.checksum)
      this.#doubt((user, userId) => this.#homeOf(userId) !== user.by);
  }

  #open(member: PushMember): MemberStream {
    const { tokens, transport, random } = this.#init;
    const { id } = member;
    return new MemberStream({
      ...{ member, tokens, transport, random, query: this.#query },
      state: (state) => this.#told(id, state),
      synced: () => this.#heardOf(id),
      broken: (problem) => {
        // later it may be a stranger who has the address of a node that has died
        if (problem && !problem.retryable && !this.#isReady) {
          this.#ready.reject(problem);
          void this.close();
          return;
        }
        this.#heardOf(id);
        this.#doubt((user) => user.by === id);
      },
    });
  }

  #heardOf(id: string): void {
    this.#waiting?.delete(id);
    if (this.#waiting?.size !== 0 || this.#isReady) return;
    this.#isReady = true;
    this.#ready.resolve();
  }

  #told(by: string, { userId, online, since }: StreamedState): void {
    if (this.#closed || this.#users?.has(userId) === false) return;
    const known = this.#online.get(userId);
    if (online) {
      this.#online.set(userId, { by, askAt: undefined });
      if (!known) this.#tell(userId, true, since);
    } else if (known && (known.by === by || this.#homeOf(userId) === by)) {
      this.#online.delete(userId);
      this.#tell(userId, false);
    } else if (known) known.askAt ??= this.#later;
  }

  #tell(userId: string, online: boolean, since?: number): void {
    const change = { userId, online, ...(since === undefined ? {} : { since }), initial: !this.#isReady };
    try {
      this.#init.listener(change);
    } catch (error) {
      // it is the listener's own, and must not end the stream that told it
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #doubt(which: (user: Online, userId: string) => boolean): void {
    for (const [userId, user] of this.#online) if (which(user, userId)) user.askAt ??= this.#later;
  }

  async #askDue(): Promise<void> {
    if (this.#asking || this.#closed) return;
    const now = performance.now();
    const due = [...this.#online].filter(([, { askAt }]) => askAt !== undefined && askAt <= now);
    if (due.length === 0) return;
    this.#asking = true;
    const answers = await this.#init.calls
      .users(
        due.map(([userId]) => userId),
        true,
      )
      .catch(() => []);
    this.#asking = false;
    if (this.#closed) return;
    for (const [i, [userId, user]] of due.entries()) {
      // told otherwise meanwhile
      if (this.#online.get(userId) !== user) continue;
      const answer = answers[i];
      if (!answer || answer.error) user.askAt = this.#later;
      else if (!answer.online) {
        this.#online.delete(userId);
        this.#tell(userId, false);
      } else {
        const by = this.#homeOf(userId) ?? user.by;
        // while nobody would tell, it is asked again
        const isFollowed = this.#streams.get(by)?.isSynced === true;
        this.#online.set(userId, { by, askAt: isFollowed ? undefined : this.#later });
      }
    }
  }

  get #later(): number {
    return performance.now() + this.#debounceMs;
  }

  #homeOf(userId: string): string | undefined {
    return this.#ring?.owners(userChannel(userId), 1)[0]?.id;
  }
}

function queryOf(users: ReadonlySet<string> | undefined): string {
  if (!users || users.size > MOST_NAMED) return '';
  const query = [...users].map((userId) => `userId=${encodeURIComponent(userId)}`).join('&');
  return query.length > MOST_QUERY || query === '' ? '' : `?${query}`;
}
