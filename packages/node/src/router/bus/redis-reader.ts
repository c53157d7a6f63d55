import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@ringway/service';
import { Cluster, Command, type Redis } from 'ioredis';
import { LogRefusedError } from '../../log/port.ts';
import { type ClientOptions, clientFor } from '../../log/redis-client.ts';

export interface RedisReaderOptions extends ClientOptions {
  readonly logger: Logger;
  /** A queue that this node alone takes from, or a channel that all listen to. */
  readonly source: { readonly queue: string } | { readonly channel: string };
  onText(text: string): void;
  /** Listening has begun, or begun anew: what came meanwhile may be lost. */
  onUp(): void;
  /** A random number in [0, 1). */
  readonly random: () => number;
}

const BACKOFF_BASE_MS = 50;
const BACKOFF_CAP_MS = 2_000;
/** A blocking read comes back empty after at most so long, which shows that Redis is there. Milliseconds. */
const MOST_BLOCK_MS = 1_000;
const TAKEN_AT_ONCE = 256;

/** The connection on which parcels come from Redis; made again for ever, and given up when it has nothing to say. */
export class RedisReader {
  private readonly options: RedisReaderOptions;
  private readonly client: Redis | Cluster;
  private closing = false;
  private attempts = 0;
  private tried = 0;
  private first = Promise.withResolvers<void>();
  private asked: Promise<void> | undefined;
  up = false;

  constructor(options: RedisReaderOptions) {
    this.options = options;
    const { address, source } = options;
    this.client =
      'queue' in source
        ? clientFor(options, () => this.backoff())
        : // every node of a Redis Cluster has what is published at any: one is enough, and shows when it is lost
          clientFor({ ...options, address: { ...address, urls: address.urls.slice(0, 1) } }, () => {
            this.next();
            return this.backoff();
          });
    this.first.promise.catch(() => {});
    this.client.on('ready', () => void this.listen());
    this.client.on('close', () => {
      this.up = false;
    });
    this.client.on('end', () => void this.revive());
    this.client.on('error', (error: Error) => this.warn(error.message));
    if ('channel' in options.source) {
      this.client.on('messageBuffer', (_channel: Buffer, message: Buffer) =>
        options.onText(message.toString('latin1')),
      );
    }
  }

  /** Resolves once it listens. */
  start(): Promise<void> {
    this.client.connect().catch(() => {});
    return this.first.promise;
  }

  stop(): void {
    this.closing = true;
    this.up = false;
    this.first.reject(new Error('the router was stopped'));
    this.client.disconnect();
  }

  /** Resolves once all that was sent to the channel before has come; one question serves all who ask in one turn. */
  caughtUp(): Promise<void> {
    if (!this.up) return Promise.reject(new LogRefusedError('nothing comes from Redis'));
    this.asked ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
      this.asked = undefined;
      await this.within(this.options.timeoutMs, this.client.ping());
    });
    return this.asked;
  }

  private async listen(): Promise<void> {
    const { source, timeoutMs } = this.options;
    try {
      if ('channel' in source) {
        await this.within(timeoutMs, this.client.subscribe(source.channel));
        this.listening();
        while (this.up) {
          await sleep(timeoutMs / 2, undefined, { ref: false });
          if (this.up) await this.within(timeoutMs, this.client.ping());
        }
        return;
      }
      await this.within(timeoutMs, this.client.ping());
      this.listening();
      // within the time in which a silent connection to a Redis Cluster is given up
      const blockMs = Math.min(MOST_BLOCK_MS, timeoutMs / 2);
      while (this.up) {
        const args = [String(blockMs / 1_000), '1', source.queue, 'LEFT', 'COUNT', String(TAKEN_AT_ONCE)];
        const take = new Command('blmpop', args, { replyEncoding: 'latin1' });
        const taken = this.client.sendCommand(take) as Promise<[string, string[]] | null>;
        const [, texts = []] = (await this.within(blockMs + timeoutMs, taken)) ?? [];
        for (const text of texts) this.options.onText(text);
      }
    } catch (error) {
      this.warn((error as Error).message);
      this.drop();
    }
  }

  private listening(): void {
    this.up = !this.closing;
    if (!this.up) return;
    this.attempts = 0;
    this.first.resolve();
    this.options.onUp();
  }

  private async within<T>(ms: number, answer: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    // not before what has come meanwhile was read: this process may have been the one that was late
    const timer = setTimeout(
      () => setImmediate(() => late.reject(new Error(`Redis has not answered in ${ms / 1_000} s`))),
      ms,
    );
    timer.unref();
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  private drop(): void {
    this.up = false;
    if (this.closing) return;
    if (this.client instanceof Cluster) this.client.disconnect(true);
    else this.client.stream?.destroy();
  }

  private async revive(): Promise<void> {
    if (this.closing) return;
    await sleep(this.backoff(), undefined, { ref: false });
    if (!this.closing) this.client.connect().catch(() => {});
  }

  /** Another node of a Redis Cluster is tried. */
  private next(): void {
    const { urls } = this.options.address;
    const { client } = this;
    if (urls.length < 2 || client instanceof Cluster) return;
    this.tried++;
    const { hostname, port } = urls[this.tried % urls.length] as URL;
    Object.assign(client.options, { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) });
  }

  private backoff(): number {
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(10, this.attempts++));
    return Math.max(1, Math.round(this.options.random() * most));
  }

  private warn(reason: string): void {
    if (this.closing) return;
    this.options.logger.warn({ redis: this.options.address.shown, reason }, 'nothing comes from Redis');
  }
}
