import type { Position } from '@ringway/protocol';
import { type Appended, type LogMessage, LogRefusedError } from './port.ts';
import type { RedisConnection } from './redis-connection.ts';
import { LogUnknownError } from './redis-errors.ts';
import { dedupeId, packMessage, wireArgument } from './redis-message.ts';
import type { RedisScript } from './redis-script.ts';

/** What {@link RedisAppends} needs. */
export interface RedisAppendsOptions {
  readonly connection: RedisConnection;
  readonly script: RedisScript;
  /** Replicas that must have a message before it counts as stored. */
  readonly replicas: number;
  /** Most messages of one call: in a Redis Cluster, where each call goes to one node, 1. */
  readonly batch: number;
  readonly timeoutMs: number;
  /** A name that no other epoch has. */
  readonly candidate: () => string;
  /** A batch was answered, so many seconds after it was sent. */
  readonly onAnswered: (seconds: number) => void;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

interface Waiting {
  readonly base: string;
  readonly message: LogMessage;
  readonly known: Position | undefined;
  readonly packed: string;
  readonly deadline: number;
  resolve(appended: Appended): void;
  reject(error: Error): void;
}

/** Calls under way at once. */
const IN_FLIGHT = 4;
/** While one is under way the next waits for so many messages, or for its answer: a call has its price on both sides. */
const WORTH_A_CALL = 64;
/** Characters of messages in one call. */
const BATCH_LENGTH = 256 * 1024;
/** Characters that wait at most; a Redis that is so far behind is no place for more. */
const MAX_WAITING = 32 * 1024 * 1024;

/** Gathers the appends of one turn of the event loop into one call of the script, and gives each its outcome. */
export class RedisAppends {
  private readonly options: RedisAppendsOptions;
  private waiting: Waiting[] = [];
  private waitingLength = 0;
  private scheduled = false;
  private inFlight = 0;

  constructor(options: RedisAppendsOptions) {
    this.options = options;
    options.connection.onSweep = this.flush;
  }

  add(base: string, message: LogMessage, known: Position | undefined): Promise<Appended> {
    const { connection, now, timeoutMs } = this.options;
    if (!connection.connected) return Promise.reject(new LogRefusedError('there is no connection to Redis'));
    if (this.waitingLength > MAX_WAITING)
      return Promise.reject(new LogRefusedError('too much waits for Redis'));
    return new Promise((resolve, reject) => {
      const packed = packMessage(message);
      this.waiting.push({ base, message, known, packed, deadline: now() + timeoutMs, resolve, reject });
      this.waitingLength += packed.length;
      if (this.scheduled) return;
      this.scheduled = true;
      setImmediate(this.turn);
    });
  }

  /** Refuses what was not sent yet. */
  close(): void {
    this.refuse(this.waiting.length, 'the log was closed');
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    this.flush();
  };

  private readonly flush = (): void => {
    const { connection, batch, now } = this.options;
    if (!connection.connected) return this.refuse(this.waiting.length, 'the connection to Redis is lost');
    let late = 0;
    while ((this.waiting[late]?.deadline ?? Number.POSITIVE_INFINITY) <= now()) late++;
    this.refuse(late, 'Redis is too slow');
    while (this.waiting.length > 0 && (this.hasRoom() || batch === 1) && !connection.stalled) {
      this.send(this.take());
    }
  };

  private hasRoom(): boolean {
    return this.inFlight === 0 || (this.inFlight < IN_FLIGHT && this.waiting.length >= WORTH_A_CALL);
  }

  private take(): Waiting[] {
    let count = 0;
    let length = 0;
    while (count < this.waiting.length && count < this.options.batch && length < BATCH_LENGTH)
      length += this.waiting[count++]?.packed.length ?? 0;
    this.waitingLength -= length;
    if (count === this.waiting.length) {
      const all = this.waiting;
      this.waiting = [];
      return all;
    }
    return this.waiting.splice(0, count);
  }

  private send(batch: readonly Waiting[]): void {
    const { connection, script, replicas, candidate, onAnswered, now } = this.options;
    const sentAt = now();
    const keys: string[] = [];
    const args: (string | Buffer)[] = [candidate()];
    for (const { base, message, known, packed } of batch) {
      keys.push(base);
      args.push(known?.epoch ?? '', known ? String(known.seq) : '', dedupeId(message), wireArgument(packed));
    }
    this.inFlight++;
    connection
      .call(script, keys, args, replicas)
      .then(
        (answers) => {
          onAnswered((now() - sentAt) / 1000);
          for (const [i, one] of batch.entries()) {
            const answer = (answers as readonly string[])[i] ?? '?no answer';
            settle(one, answer);
            if (/^-.*READONLY/.test(answer)) connection.leaveReplica();
          }
        },
        (error: Error) => {
          for (const { reject } of batch) reject(error);
        },
      )
      .finally(() => {
        this.inFlight--;
        this.flush();
      });
  }

  /** Refuses the first so many. */
  private refuse(count: number, why: string): void {
    if (count === 0) return;
    for (const { packed, reject } of this.waiting.splice(0, count)) {
      this.waitingLength -= packed.length;
      reject(new LogRefusedError(why));
    }
  }
}

/** What the script says of one message, as the port says it. */
function settle({ message, resolve, reject }: Waiting, answer: string): void {
  const kind = answer[0];
  if (kind === '+' || kind === '=') {
    const slash = answer.indexOf('/');
    const epoch = answer.slice(slash + 1);
    const seq = Number(answer.slice(1, slash));
    if (kind === '=') return resolve({ kind: 'duplicate', position: { epoch, seq } });
    const { from, id, data, dedupe } = message;
    const position = { epoch, seq };
    const previous = { epoch, seq: seq - 1 };
    return resolve({ kind: 'appended', message: { from, id, data, dedupe, position, previous } });
  }
  if (kind === '!') return resolve({ kind: 'conflict' });
  const why = answer.slice(1);
  // written first or not at all: this message was not stored, whatever the reason
  if (kind === '-') return reject(new LogRefusedError(`Redis has refused: ${why}`));
  reject(new LogUnknownError(`Redis has failed: ${why}`));
}
