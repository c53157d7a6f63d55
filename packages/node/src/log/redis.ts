import { randomBytes } from 'node:crypto';
import { type Position, samePosition } from '@ringway/protocol';
import type { Logger } from '@ringway/service';
import {
  type Appended,
  type LoggedMessage,
  type LogMessage,
  type LogRead,
  LogRefusedError,
  type SharedLog,
} from './port.ts';
import { RedisAppends } from './redis-appends.ts';
import { RedisConnection } from './redis-connection.ts';
import { channelBase, unpackMessage } from './redis-message.ts';
import {
  appendScript,
  READ_LENGTH,
  type RedisLogBounds,
  type RedisScript,
  readScript,
} from './redis-script.ts';
import type { RedisAddress } from './redis-url.ts';

/** What a Redis log tells of itself, for metrics. */
export interface RedisLogHooks {
  /** Appends and reads that came to nothing, or to nothing that is known. */
  failed(result: 'refused' | 'unknown'): void;
  /** A batch of appends was answered after so many seconds. */
  answered(seconds: number): void;
  /** The Redis that was reached may drop what it has acknowledged. */
  unfit(): void;
}

/** How to keep the log in Redis. */
export interface RedisLogOptions {
  readonly address: RedisAddress;
  /** First part of the name of every key. */
  readonly cluster: string;
  readonly bounds: RedisLogBounds;
  /** Replicas that must have a message before it counts as stored. */
  readonly replicas: number;
  readonly timeoutMs: number;
  /** How Redis lists the connections. */
  readonly name: string;
  /** How often it is looked whether Redis may drop what it has acknowledged, in milliseconds; 30,000 by default. */
  readonly lookEveryMs?: number;
  readonly ca?: string | undefined;
  readonly logger: Logger;
  readonly hooks: RedisLogHooks;
  readonly random: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** Messages of one call of the append script at most; the script runs for about as many times 10 us. */
const BATCH = 128;

/** So often at most it is said what Redis has answered in place of an outcome, in milliseconds. */
const TELL_EVERY_MS = 10_000;

/**
 * The log in Redis, which orders: two nodes that both believe to be home for a moment cannot fork a channel. Each append is
 * one step of one script; messages are streams. Epochs are `TIME.NAME`, the time being
 * Redis's own in hexadecimal milliseconds, so that of two epochs of a channel the later one is known.
 */
export class RedisLog implements SharedLog {
  private toldAt = Number.NEGATIVE_INFINITY;
  readonly shared = true;
  private readonly options: RedisLogOptions;
  private readonly connection: RedisConnection;
  /** Where appends wait for replicas, reads must not wait with them. */
  private readonly readers: RedisConnection;
  private readonly appends: RedisAppends;
  private readonly reading: RedisScript;
  private readonly candidates = randomBytes(6).toString('base64url');
  private candidateCount = 0;

  constructor(options: RedisLogOptions) {
    const { address, bounds, replicas, timeoutMs, name, ca, lookEveryMs, logger, hooks, random, now } =
      options;
    this.options = options;
    const connect = (): RedisConnection =>
      new RedisConnection({
        address,
        timeoutMs,
        name,
        ca,
        logger,
        onUnfit: () => hooks.unfit(),
        lookEveryMs,
        random,
        now,
      });
    this.connection = connect();
    this.readers = replicas > 0 ? connect() : this.connection;
    this.reading = readScript(bounds);
    this.appends = new RedisAppends({
      connection: this.connection,
      script: appendScript(bounds),
      replicas,
      batch: address.urls.length > 1 ? 1 : BATCH,
      timeoutMs,
      candidate: () => this.candidate(),
      onAnswered: (seconds) => hooks.answered(seconds),
      now,
    });
  }

  /** Resolves once Redis is there and fit. @throws RedisUnfitError */
  async start(): Promise<void> {
    await Promise.all([this.connection.start(), this.readers.start()]);
  }

  /** Whether Redis can be asked. */
  get connected(): boolean {
    return this.connection.connected && this.readers.connected;
  }

  append(channel: string, message: LogMessage, known?: Position): Promise<Appended> {
    return this.counted(this.appends.add(this.base(channel), message, known));
  }

  async head(channel: string, known?: Position): Promise<Position> {
    return (await this.page(channel, known, 'since', 0)).head;
  }

  async read(
    channel: string,
    since: Position | undefined,
    limit: number,
    claimed?: 'claimed',
  ): Promise<LogRead> {
    const first = await this.page(channel, since, since ? 'since' : 'oldest', limit, claimed);
    return this.pages(channel, first, limit);
  }

  async tail(channel: string, count: number): Promise<LogRead> {
    return this.pages(channel, await this.page(channel, undefined, 'last', count), count);
  }

  async close(): Promise<void> {
    this.appends.close();
    await Promise.all([this.connection.close(), this.readers.close()]);
  }

  /** Goes on behind a first page, as far as the channel had come then, and until the messages are as long as one may be. */
  private async pages(channel: string, first: Page, limit: number): Promise<LogRead> {
    const messages = [...first.messages];
    let end = messages.at(-1)?.position ?? first.start;
    let length = lengthOf(first.messages);
    const more = (): boolean => end.epoch === first.head.epoch && end.seq < first.head.seq;
    while (messages.length < limit && length < READ_LENGTH && more()) {
      const next = await this.page(channel, end, 'since', limit - messages.length);
      // trimmed meanwhile: whoever reads on from the end is told
      if (!samePosition(next.start, end) || next.messages.length === 0) break;
      messages.push(...next.messages);
      length += lengthOf(next.messages);
      end = messages.at(-1)?.position ?? end;
    }
    return { start: first.start, messages, end, more: more() };
  }

  private async page(
    channel: string,
    known: Position | undefined,
    where: 'since' | 'oldest' | 'last',
    limit: number,
    claimed: 'claimed' | '' = '',
  ): Promise<Page> {
    const { epoch: knownEpoch = '', seq: knownSeq = '' } = known ?? {};
    const args = [this.candidate(), knownEpoch, String(knownSeq), where, String(limit), claimed];
    const reply = await this.counted(this.readers.call(this.reading, [this.base(channel)], args));
    const [epoch, before, headSeq, ...packed] = reply as readonly [string, number, number, ...string[]];
    const messages = packed.map((text, i): LoggedMessage => {
      const previous = { epoch, seq: before + i };
      return { ...unpackMessage(text), position: { epoch, seq: before + i + 1 }, previous };
    });
    return { start: { epoch, seq: before }, messages, head: { epoch, seq: headSeq } };
  }

  private base(channel: string): string {
    return channelBase(this.options.cluster, channel);
  }

  /** Never the same twice, over all nodes. */
  private candidate(): string {
    return this.candidates + (this.candidateCount++).toString(36);
  }

  /** What Redis has answered in place of an outcome: a missing right, no memory, a key that is not the log's. */
  private tell(error: unknown): void {
    const { now, logger, address } = this.options;
    if (!(error instanceof Error) || !/^Redis has (refused|failed): /.test(error.message)) return;
    if (now() < this.toldAt + TELL_EVERY_MS) return;
    this.toldAt = now();
    // behind a comma Redis may repeat what it was sent
    const [reason = ''] = error.message.split(',', 1);
    logger.warn({ redis: address.shown, reason: reason.slice(0, 200) }, 'the log cannot be written or read');
  }

  private counted<T>(outcome: Promise<T>): Promise<T> {
    outcome.catch((error: unknown) => {
      this.options.hooks.failed(error instanceof LogRefusedError ? 'refused' : 'unknown');
      this.tell(error);
    });
    return outcome;
  }
}

interface Page {
  readonly start: Position;
  readonly messages: readonly LoggedMessage[];
  /** Where the epoch of the messages had come to. */
  readonly head: Position;
}

function lengthOf(messages: readonly LoggedMessage[]): number {
  return messages.reduce((sum, { data }) => sum + data.length, 0);
}
