import { Redis, ReplyError } from 'ioredis';
import { backoffMs } from '../backoff.ts';
import { RegistryError } from '../errors.ts';
import type { ResolvedRedisOptions } from './redis-options.ts';
import type { SignedText } from './shared-ring.ts';

/** What stands in Redis, unproved. */
export interface Stored {
  /** Redis's own time, in milliseconds since the epoch. */
  readonly now: bigint;
  /** Empty when nothing stands there. */
  readonly sig: string;
  /** Undefined when the signature is the one that the caller knows. */
  readonly text: string | undefined;
  /** Milliseconds since an offerer last confirmed it. */
  readonly ageMs: number;
}

const NOW = `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))`;

// KEYS: the ring. ARGV: a signature that is known, whose text need not be sent.
const READ = `${NOW}
local found = redis.call('HMGET', KEYS[1], 'sig', 'at')
local text = ''
if found[1] and found[1] ~= ARGV[1] then text = redis.call('HGET', KEYS[1], 'ring') or '' end
return { now, found[1] or '', found[2] or now, text }`;

// KEYS: the ring. ARGV: the signature that must stand there ('' for none), the new one, its text. The signature is of
// all that the text says, generation and index first of all: who compares it compares them. The same one confirms.
const SWAP = `${NOW}
local sig = redis.call('HGET', KEYS[1], 'sig') or ''
if sig ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'at', now)
if ARGV[2] == sig then return 1 end
redis.call('HSET', KEYS[1], 'sig', ARGV[2], 'ring', ARGV[3])
redis.call('PUBLISH', KEYS[1], ARGV[2])
return 1`;

interface Scripted extends Redis {
  ringwayReadRing(key: string, known: string): Promise<[string, string, string, string]>;
  ringwaySwapRing(key: string, before: string, sig: string, text: string): Promise<number>;
}

/**
 * One hash in Redis, and the channel of the same name. One connection for commands and for what is published, so that
 * whoever gets answers also hears of changes; it is made again for ever, and thrown away when an answer is overdue.
 */
export class RedisStore {
  readonly #redis: Scripted;
  readonly #key: string;
  #ready = Promise.withResolvers<void>();
  #lastError: unknown;
  #closed = false;

  /** `changed` is told the signature of what was written, or nothing when the connection was lost or stands anew. */
  constructor(options: ResolvedRedisOptions, changed: (sig: string | undefined) => void) {
    const { url, key, timings, random } = options;
    this.#key = key;
    const { ca, cert, key: privateKey, serverName } = options.tls;
    const tls = {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(privateKey !== undefined && { key: privateKey }),
      ...(serverName !== undefined && { servername: serverName }),
    };
    this.#redis = new Redis(url, {
      ...(url.startsWith('rediss:') && { tls }),
      protocol: 3,
      connectTimeout: timings.requestTimeoutMs,
      commandTimeout: timings.requestTimeoutMs,
      // A command that could not be sent or was cut off is an error; who asked decides anew what to do.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      retryStrategy: (times) => backoffMs(times, timings.backoff, random),
      scripts: {
        ringwayReadRing: { lua: READ, numberOfKeys: 1 },
        ringwaySwapRing: { lua: SWAP, numberOfKeys: 1 },
      },
    }) as Scripted;
    this.#ready.promise.catch(() => {});
    this.#redis.on('error', (error: unknown) => {
      this.#lastError = error;
    });
    this.#redis.on('close', () => {
      this.#lost();
      changed(undefined);
    });
    this.#redis.on('message', (_: string, sig: string) => changed(sig));
    this.#redis.on('ready', () => {
      // Only who has subscribed may look for what it missed.
      this.#redis.subscribe(key).then(
        () => {
          this.#ready.resolve();
          changed(undefined);
        },
        () => this.#redis.disconnect(true),
      );
    });
  }

  /** @throws RegistryError */
  read(known: string): Promise<Stored> {
    return this.#call('read the ring', async () => {
      const [now, sig, at, text] = await this.#redis.ringwayReadRing(this.#key, known);
      const age = Number(now) - Number(at);
      return {
        now: BigInt(now),
        sig,
        text: sig === known ? undefined : text,
        ageMs: Number.isFinite(age) ? Math.max(0, age) : Infinity,
      };
    });
  }

  /** Puts the next one in the place of that with this signature ('' for none); false when another stands there. */
  swap(before: string, { sig, text }: SignedText): Promise<boolean> {
    return this.#call(
      'write the ring',
      async () => (await this.#redis.ringwaySwapRing(this.#key, before, sig, text)) === 1,
    );
  }

  /** Says that what has this signature still holds; false when another stands there. */
  confirm(sig: string): Promise<boolean> {
    return this.swap(sig, { sig, text: '' });
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
    this.#ready.reject(new RegistryError('redis', { message: 'closed' }));
  }

  async #call<T>(operation: string, call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new RegistryError(operation, { message: 'closed' });
    try {
      await this.#ready.promise;
      return await call();
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause;
      // No answer in time: the connection may be dead without a sign. READONLY: what was the master no longer is.
      const answered = cause instanceof ReplyError && !String(cause).includes('READONLY');
      if (!answered) this.#redis.disconnect(true);
      throw new RegistryError(operation, { cause });
    }
  }

  #lost(): void {
    const before = this.#ready;
    // After the end the one that was rejected stays.
    if (!this.#closed) this.#ready = Promise.withResolvers();
    this.#ready.promise.catch(() => {});
    before.reject(
      new RegistryError('redis', { cause: this.#lastError ?? new Error('the connection was lost') }),
    );
  }
}
