import {
  channelKind,
  type GroupPresence,
  HTTP,
  isChannel,
  isUserId,
  type PublishTarget,
  type SessionInfo,
  type UserPresence,
  userChannel,
} from '@ringway/protocol';
import { hmacSigner } from '@ringway/service';
import { Delivery } from './delivery.ts';
import { ClosedError, InvalidRequestError, OptionError, PushError } from './errors.ts';
import { checkedUser, Groups } from './groups.ts';
import { Homes } from './homes.ts';
import { Lanes } from './lanes.ts';
import { MintedTokens } from './minted-tokens.ts';
import { duration, type PushOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { issuesTokens, type NodeTokens, type RingSource } from './port.ts';
import { PresenceCalls } from './presence.ts';
import {
  type PresenceChange,
  type PresenceWatch,
  PresenceWatcher,
  type PresenceWatchOptions,
} from './presence-watch.ts';
import { Publication, type PublishResult } from './publication.ts';
import { dataText } from './raw-json.ts';
import { Requests } from './requests.ts';
import { Transport } from './transport.ts';

/** How one publish is made. */
export interface PublishOptions {
  /** Unique for this backend's name; a retry with the same id is stored once. Random when left out. */
  readonly id?: string;
  /** Sent at most once, not stored, never retried once sent. */
  readonly ephemeral?: boolean;
  /** How long it may take in all, milliseconds. Default: the SDK's `timeoutMs`. */
  readonly timeoutMs?: number;
}

/** One element of {@link RingwayPush.publishMany}. */
export interface PublishItem extends PublishOptions {
  readonly to: PublishTarget;
  readonly data: unknown;
}

/**
 * Publishes straight to the node that owns a channel. Reads and keeps the ring from its first use until `close`.
 *
 * Publishes to one channel reach it in the order of the calls. What is not answered is sent again with the same id, to
 * the successor too, until it is, or until its time is up.
 */
export class RingwayPush {
  readonly #options: ResolvedOptions;
  readonly #source: RingSource;
  readonly #transport: Transport;
  readonly #tokens: NodeTokens;
  readonly #homes: Homes;
  readonly #delivery: Delivery;
  readonly #requests: Requests;
  readonly #presence: PresenceCalls;
  readonly #watches = new Set<PresenceWatcher>();
  readonly #groups: Groups;
  readonly #lanes = new Lanes<Publication>();
  readonly #pending = new Set<Publication>();
  #flushing = false;
  #closed = false;

  /** @throws OptionError */
  constructor(options: PushOptions) {
    const resolved = resolveOptions(options);
    const { source, keys, cluster, name, timeoutMs, attemptTimeoutMs, random } = resolved;
    this.#options = resolved;
    this.#source = source;
    this.#transport = new Transport(resolved.tls);
    const minted = keys && new MintedTokens({ keys, cluster, name });
    if (minted) this.#tokens = minted;
    else if (issuesTokens(source)) this.#tokens = source.tokens();
    else throw new OptionError('clusterKeys', 'required with this source, which hands out no tokens');
    this.#homes = new Homes(source);
    this.#requests = new Requests({
      homes: this.#homes,
      tokens: this.#tokens,
      transport: this.#transport,
      timeoutMs,
      attemptTimeoutMs,
      random,
    });
    this.#presence = new PresenceCalls(this.#homes, this.#requests);
    this.#delivery = new Delivery({
      homes: this.#homes,
      tokens: this.#tokens,
      transport: this.#transport,
      attemptTimeoutMs,
      random,
      done: (channel) => this.#done(channel),
    });
    this.#requests = new Requests({
      homes: this.#homes,
      tokens: this.#tokens,
      transport: this.#transport,
      timeoutMs: resolved.timeoutMs,
      attemptTimeoutMs,
      random,
    });
    this.#groups = new Groups(this.#requests);
    source.start({
      transport: this.#transport,
      cluster,
      random,
      ...(keys && { signer: hmacSigner(keys) }),
      ...(minted && { mint: (audience) => minted.mint(audience) }),
    });
  }

  /**
   * Publishes to a channel (`user:<id>`, `group:<name>`) or to a list of users. A list resolves with a result
   * for each user, of which some may have failed; a single channel's failure rejects.
   * @throws PushError (as a rejection)
   */
  publish(to: PublishTarget, data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    try {
      return this.#enqueue({ ...options, to, data });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Publishes all of them, one request for each home. Never rejects; outcomes are in the order of the items. */
  publishMany(items: readonly PublishItem[]): Promise<PromiseSettledResult<PublishResult>[]> {
    return Promise.allSettled(items.map(({ to, data, ...options }) => this.publish(to, data, options)));
  }

  /** The user's sessions, as the home tells them. @throws PushError (as a rejection) */
  async sessions(userId: string): Promise<readonly SessionInfo[]> {
    const body = await this.#ask('GET', userId, '');
    return (body as { readonly sessions: readonly SessionInfo[] }).sessions;
  }

  /**
   * Ends the user's sessions for good, wherever they are; with `banSeconds` (at most 86400) new ones are refused for so
   * long. Resolves when the home has been told.
   * @throws PushError (as a rejection)
   */
  async kick(userId: string, options: { readonly banSeconds?: number } = {}): Promise<void> {
    const { banSeconds } = options;
    await this.#ask('DELETE', userId, banSeconds === undefined ? '' : `&banSeconds=${banSeconds}`);
  }

  /**
   * Who of these users is online, on which nodes, since when and with how many sessions: one answer for each, in order. One
   * whose home could not be reached has an `error` instead.
   * @throws PushError (as a rejection)
   */
  presence(userIds: readonly string[]): Promise<readonly UserPresence[]> {
    return this.#presence.users(userIds);
  }

  /** Who has sessions in a group: at most 10,000 users, and `more` where there are more. @throws PushError (as a rejection) */
  groupPresence(group: string): Promise<GroupPresence> {
    return this.#presence.group(group);
  }

  /**
   * Tells who comes online and who goes, each real change once: a reconnect, a move, a change of the ring and the end of a
   * node are none. Begins with those that are online.
   * @throws PushError
   */
  watchPresence(options: PresenceWatchOptions, listener: (change: PresenceChange) => void): PresenceWatch {
    if (this.#closed) throw new ClosedError('this RingwayPush was closed');
    const watch = new PresenceWatcher({
      ...options,
      homes: this.#homes,
      tokens: this.#tokens,
      transport: this.#transport,
      calls: this.#presence,
      random: this.#options.random,
      listener,
    });
    this.#watches.add(watch);
    return {
      ready: watch.ready,
      close: () => {
        this.#watches.delete(watch);
        return watch.close();
      },
    };
  }

  /**
   * Puts the user into the group (named without `group:`): all its sessions, those that come later too, until it is taken
   * out. May be repeated.
   * @throws PushError (as a rejection)
   */
  async addToGroup(group: string, userId: string): Promise<void> {
    await this.#groups.change('PUT', group, userId);
  }

  /** Ends that, and takes all sessions of the user out of the group, however they came to be in. May be repeated. */
  async removeFromGroup(group: string, userId: string): Promise<void> {
    await this.#groups.change('DELETE', group, userId);
  }

  /** Whom backends have put into the group, in the order of their ids' bytes. @throws PushError (as a rejection) */
  async groupMembers(group: string): Promise<readonly string[]> {
    return this.#groups.members(group);
  }

  /** The groups that backends have put the user in, by name. @throws PushError (as a rejection) */
  async groupsOf(userId: string): Promise<readonly string[]> {
    return this.#groups.of(userId);
  }

  /** Resolves when the ring has been read. @throws PushError (as a rejection) why it was not, when the time is up */
  async ready(timeoutMs: number = this.#options.timeoutMs): Promise<void> {
    await this.#requests.until(timeoutMs, () => {
      const ring = this.#homes.ring();
      if (!(ring instanceof PushError)) return { value: undefined };
      return { problem: ring };
    });
  }

  /** The version of the ring last read. */
  ringVersion(): { readonly index: string; readonly checksum: string } | undefined {
    const ring = this.#source.current();
    return ring && { index: ring.index, checksum: ring.checksum };
  }

  /** Ends everything; what is still under way rejects with ClosedError. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#requests.close();
    const watches = [...this.#watches].map((watch) => watch.close());
    for (const publication of this.#pending) {
      publication.fail(new ClosedError('closed before it was answered', { id: publication.id }));
    }
    await Promise.all(watches);
    await this.#source.close();
    await this.#transport.close();
  }

  #enqueue({
    to,
    data,
    id = this.#options.makeId(),
    ephemeral = false,
    timeoutMs,
  }: PublishItem): Promise<PublishResult> {
    if (this.#closed) throw new ClosedError('this RingwayPush was closed', { id });
    if (typeof id !== 'string' || id === '' || id.length > 256) {
      throw new InvalidRequestError('bad_request', 'id: expected a text of 1 to 256 characters');
    }
    const publication = new Publication({
      id,
      to,
      channels: channelsOf(to),
      data: dataText(data),
      ephemeral,
      timeoutMs: timeoutMs === undefined ? this.#options.timeoutMs : duration('timeoutMs', timeoutMs),
    });
    this.#pending.add(publication);
    this.#lanes.add(publication);
    this.#flushSoon();
    const forget = (): void => {
      this.#pending.delete(publication);
    };
    publication.promise.then(forget, forget);
    return publication.promise;
  }

  /** What comes in one turn of the loop goes out together. */
  #flushSoon(): void {
    if (this.#flushing || !this.#lanes.hasReady) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      void this.#delivery.deliver(this.#lanes.take());
    });
  }

  #done(channel: string): void {
    this.#lanes.done(channel);
    this.#flushSoon();
  }

  /** About the sessions of one user, to its home. */
  async #ask(method: 'GET' | 'DELETE', userId: string, query: string): Promise<unknown> {
    const channel = checkedUser(userId);
    return this.#requests.ask(
      method,
      channel,
      `${HTTP.sessions}?userId=${encodeURIComponent(userId)}${query}`,
    );
  }
}

function channelsOf(to: PublishTarget): readonly string[] {
  if (typeof to === 'string') {
    if (isChannel(to) && channelKind(to) !== 'presence') return [to];
    throw new InvalidRequestError(
      'invalid_channel',
      `to: expected user:<id>, group:<name> or all, got ${JSON.stringify(to)}`,
    );
  }
  if (!Array.isArray(to?.users) || to.users.length === 0) {
    throw new InvalidRequestError(
      'bad_request',
      'to: expected a channel, or { users: [...] } with at least one user',
    );
  }
  const channels = new Set<string>();
  for (const user of to.users) {
    if (!isUserId(user))
      throw new InvalidRequestError('invalid_user_id', `to.users: not a user id: ${JSON.stringify(user)}`);
    channels.add(userChannel(user));
  }
  return [...channels];
}
