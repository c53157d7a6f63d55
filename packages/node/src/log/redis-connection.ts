import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@ringway/service';
import { Cluster, Command, type Redis } from 'ioredis';
import { LogRefusedError } from './port.ts';
import { type ClientOptions, clientFor } from './redis-client.ts';
import { commandFailure, LogUnknownError, RedisUnfitError } from './redis-errors.ts';
import type { RedisScript } from './redis-script.ts';

/** How to reach Redis. */
export interface RedisConnectionOptions extends ClientOptions {
  readonly logger: Logger;
  /**
   * Redis may drop what it has acknowledged, by its maxmemory-policy. Told at each connecting for which it holds, and when
   * that has changed since.
   */
  readonly onUnfit: () => void;
  /** How often it is looked whether that has changed, in milliseconds; 30,000 by default. */
  readonly lookEveryMs?: number | undefined;
  /** A random number in [0, 1). */
  readonly random: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** One call of a script. Its first key says where it goes in a Redis Cluster. */
interface Call {
  readonly script: RedisScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | Buffer)[];
  /** So many replicas must have it as well. */
  readonly replicas: number;
  deadline: number;
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

const BACKOFF_BASE_MS = 50;
const BACKOFF_CAP_MS = 2_000;
/** A connection that has lasted so long starts the next backoff anew. */
const LASTED_MS = 5_000;
const LOOK_EVERY_MS = 30_000;

/**
 * A connection to Redis, or to a Redis Cluster, that is made again for ever. A call is sent at once or refused: what waits
 * for a connection would be neither. Calls take effect in their order.
 */
export class RedisConnection {
  private readonly options: RedisConnectionOptions;
  private readonly client: Redis | Cluster;
  /** Sent and not answered, oldest first. */
  private readonly sent = new Set<Call>();
  /** Names of the scripts that went out whole on this connection: what comes behind one needs its name alone. */
  private readonly given = new Set<string>();
  /** Calls that met a Redis without the script, and those that came behind them. */
  private unscripted: Call[] = [];
  private held: Call[] = [];
  private usable = false;
  private started = false;
  private closing = false;
  private attempts = 0;
  private usableSince = 0;
  /** When Redis last said anything, the acceptance of a connection included. */
  private heardAt = 0;
  /** Called a few times within each timeout. */
  onSweep: () => void = () => {};
  private sweeper: NodeJS.Timeout | undefined;
  private looker: NodeJS.Timeout | undefined;
  private looking = false;
  /** Those that may drop what they have acknowledged, as of the last look. */
  private readonly evicting = new Set<string>();
  private first = Promise.withResolvers<void>();

  constructor(options: RedisConnectionOptions) {
    this.options = options;
    this.client = clientFor(options, () => this.backoff());
    this.first.promise.catch(() => {});
    this.client.on('connect', () => {
      this.heardAt = options.now();
    });
    this.client.on('ready', () => void this.inspect());
    this.client.on('close', () => this.lost());
    this.client.on('end', () => void this.revive());
    // the error of a refused AUTH holds the password: its text alone is logged
    this.client.on('error', (error: Error) => this.warn(error.message));
  }

  /** Whether a call would be sent. */
  get connected(): boolean {
    return this.usable;
  }

  /** Redis is slow to answer: what can wait had better not be sent now, lest its outcome be unknown. */
  get stalled(): boolean {
    for (const { deadline } of this.sent) return deadline - this.options.now() < this.options.timeoutMs / 2;
    return false;
  }

  /** Resolves once Redis can be used. @throws RedisUnfitError when it never can as it is set. */
  start(): Promise<void> {
    if (!this.started) {
      this.started = true;
      this.sweeper = setInterval(() => this.sweep(), Math.max(5, this.options.timeoutMs / 8));
      this.sweeper.unref();
      this.looker = setInterval(() => void this.lookAgain(), this.options.lookEveryMs ?? LOOK_EVERY_MS);
      this.looker.unref();
      this.client.connect().catch(() => {});
    }
    return this.first.promise;
  }

  /** Rejects with LogRefusedError when Redis has done nothing. */
  call(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
    replicas = 0,
  ): Promise<unknown> {
    if (!this.usable) return Promise.reject(new LogRefusedError('there is no connection to Redis'));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deadline = this.options.now() + this.options.timeoutMs;
    const call: Call = { script, keys, args, replicas, deadline, resolve, reject };
    if (this.unscripted.length > 0) this.held.push(call);
    // of a cluster's nodes each would have to be given it: there all meet the lack of it at once, and go again
    else this.send(call, !this.given.has(script.sha) && !(this.client instanceof Cluster));
    return promise;
  }

  /** What was the primary is none any more: the connection is made anew, for the address may lead elsewhere now. */
  leaveReplica(): void {
    if (!this.usable) return;
    this.warn('it has become a replica');
    this.drop();
  }

  /** Calls that are not answered yet are rejected. */
  async close(): Promise<void> {
    this.closing = true;
    clearInterval(this.sweeper);
    clearInterval(this.looker);
    this.first.reject(new LogRefusedError('the log was closed'));
    this.usable = false;
    this.client.disconnect();
    this.giveUp();
    for (const call of this.sent) this.settle(call, new LogUnknownError('the log was closed'));
  }

  private send(call: Call, whole: boolean): void {
    const { script, keys, args, replicas } = call;
    this.sent.add(call);
    this.given.add(script.sha);
    const head = whole ? script.text : script.sha;
    const run = new Command(whole ? 'eval' : 'evalsha', [head, String(keys.length), ...keys, ...args], {
      replyEncoding: 'latin1',
    });
    const { client } = this;
    const answered = client.sendCommand(run) as Promise<unknown>;
    if (replicas === 0) {
      answered.then(
        (reply) => this.settle(call, undefined, reply),
        (error: Error) => this.failed(call, error),
      );
      return;
    }
    const waitMs = String(Math.ceil(this.options.timeoutMs / 2));
    const wait = new Command('wait', [String(replicas), waitMs], { replyEncoding: 'latin1' });
    // WAIT counts the writes of its own connection: in a cluster it has to go where the call went, and that is known late
    const waited =
      client instanceof Cluster
        ? answered.then(() => client.sendCommand(wait, undefined, { slot: run.getSlot() ?? 0 } as never))
        : (client.sendCommand(wait) as Promise<unknown>);
    const reached = waited.then(Number, () => 0);
    Promise.all([answered, reached]).then(
      ([reply, count]) => this.settle(call, tooFew(count, replicas), reply),
      (error: Error) => this.failed(call, error),
    );
  }

  private settle(call: Call, error: Error | undefined, reply?: unknown): void {
    this.sent.delete(call);
    if (!error) this.heardAt = this.options.now();
    if (error) call.reject(error);
    else call.resolve(reply);
    if (this.sent.size === 0 && this.unscripted.length > 0) this.resend();
  }

  private failed(call: Call, error: Error): void {
    if (error.name === 'ReplyError') this.heardAt = this.options.now();
    if (error.message.startsWith('NOSCRIPT') && !this.closing) {
      // its successors met the same: all of them go again, in their order, once the last has been answered
      this.sent.delete(call);
      this.unscripted.push(call);
      if (this.sent.size === 0) this.resend();
      return;
    }
    this.settle(call, commandFailure(error));
    if (/READONLY/.test(error.message)) this.leaveReplica();
  }

  private resend(): void {
    const { unscripted, held } = this;
    this.unscripted = [];
    this.held = [];
    if (!this.usable) {
      for (const call of [...unscripted, ...held])
        call.reject(new LogRefusedError('the connection to Redis is lost'));
      return;
    }
    for (const call of unscripted) this.send(call, true);
    for (const call of held) this.send(call, false);
  }

  /** Calls that Redis has not been given, or has given back. */
  private giveUp(): void {
    const waiting = [...this.unscripted, ...this.held];
    this.unscripted = [];
    this.held = [];
    for (const call of waiting) call.reject(new LogRefusedError('the connection to Redis is lost'));
  }

  /** Not before what has come meanwhile was read: this process may have been the one that was late. */
  private sweep(): void {
    setImmediate(() => {
      if (this.closing) return;
      const now = this.options.now();
      for (const call of this.sent) {
        if (call.deadline > now) break;
        this.settle(
          call,
          new LogUnknownError(`Redis has not answered in ${this.options.timeoutMs / 1000} s`),
        );
        // not slow but silent
        if (now - this.heardAt >= this.options.timeoutMs) this.drop();
      }
      // accepted by a system whose Redis stands still
      const accepted = this.client.status === 'connect' || this.client.status === 'ready';
      if (!this.usable && accepted && now - this.heardAt >= this.options.timeoutMs) this.drop();
      this.onSweep();
    });
  }

  /** Looks at the Redis that was reached before anything is kept there. */
  private async inspect(): Promise<void> {
    const { client, options } = this;
    const { address, logger, now } = options;
    try {
      this.evicting.clear();
      for (const node of this.nodes()) {
        const info = await node.info();
        if (this.closing) return;
        if (infoOf(info, 'role') === 'slave') {
          this.warn('it is a replica, and cannot be written to');
          return this.drop();
        }
        this.checkPolicy(info, node);
      }
      if (client.status !== 'ready') return;
      this.usable = true;
      this.usableSince = now();
      logger.info({ redis: address.shown }, 'connected to Redis');
      this.first.resolve();
    } catch (error) {
      if (error instanceof RedisUnfitError) {
        this.first.reject(error);
        return this.close();
      }
      this.warn((error as Error).message);
      this.drop();
    }
  }

  private nodes(): readonly Redis[] {
    return this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
  }

  /** Somebody may have set the policy anew while the connection stands. */
  private async lookAgain(): Promise<void> {
    if (!this.usable || this.looking) return;
    this.looking = true;
    for (const node of this.nodes()) {
      const info = await node.info('memory').catch(() => undefined);
      if (info !== undefined && this.usable) this.checkPolicy(info, node);
    }
    this.looking = false;
  }

  /** A Redis that evicts drops what was confirmed. One that was fit when the node started is gone on with, but not silently. */
  private checkPolicy(info: string, { options: { host, port } }: Redis): void {
    const policy = infoOf(info, 'maxmemory_policy');
    const node = `${host}:${port}`;
    if (policy === 'noeviction') {
      this.evicting.delete(node);
      return;
    }
    if (this.evicting.has(node)) return;
    this.evicting.add(node);
    const error = new RedisUnfitError(
      `Redis at ${node} has the maxmemory-policy ${policy ?? 'unknown'}, and may drop messages that were confirmed: the log needs noeviction. ` +
        'Set it by "CONFIG SET maxmemory-policy noeviction" and in redis.conf, or give the log a Redis of its own.',
    );
    this.options.onUnfit();
    if (this.usableSince === 0) throw error;
    this.options.logger.error({ redis: node, policy }, error.message);
  }

  private lost(): void {
    const { logger, address, now } = this.options;
    if (this.usable) {
      this.usable = false;
      if (now() - this.usableSince > LASTED_MS) this.attempts = 0;
      if (!this.closing) logger.warn({ redis: address.shown }, 'the connection to Redis is lost');
    }
    this.given.clear();
    this.giveUp();
  }

  /** Breaks the connection, so that another one is made. */
  private drop(): void {
    this.usable = false;
    if (this.closing) return;
    if (this.client instanceof Cluster) this.client.disconnect(true);
    else this.client.stream?.destroy();
  }

  /** The client gives up by itself in some cases; this one never does. */
  private async revive(): Promise<void> {
    if (this.closing) return;
    await sleep(this.backoff(), undefined, { ref: false });
    if (!this.closing) this.client.connect().catch(() => {});
  }

  private backoff(): number {
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(10, this.attempts++));
    return Math.max(1, Math.round(this.options.random() * most));
  }

  private warn(reason: string): void {
    if (this.closing) return;
    this.options.logger.warn({ redis: this.options.address.shown, reason }, 'no connection to Redis');
  }
}

function infoOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

function tooFew(reached: number, wanted: number): Error | undefined {
  if (reached >= wanted) return undefined;
  return new LogUnknownError(`of ${wanted} replicas ${reached} have said in time that they have it`);
}
